"""No test may reach the outside world, and none may take the seeds of the database along."""

import importlib
import ipaddress
import socket

import pytest
from django.apps import apps
from pytest_django.plugin import blocking_manager_key

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


def _refuse_strangers(target: socket.socket, address: object) -> None:
    if target.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = str(address[0]).partition("%")[0]  # type: ignore[index]
    if host == "localhost":
        return
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        target.close()
        raise RuntimeError(f"A test tried to reach {host}; only this machine may be reached.")


@pytest.fixture(autouse=True, scope="session")
def only_this_machine():
    def connect(self, address):
        _refuse_strangers(self, address)
        return _connect(self, address)

    def connect_ex(self, address):
        _refuse_strangers(self, address)
        return _connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket.socket, "connect_ex", connect_ex)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """A test of real transactions empties every table afterwards; the rows that migrations made come back."""
    answer = yield
    marker = item.get_closest_marker("django_db")
    if nextitem is not None and marker is not None and marker.kwargs.get("transaction"):
        with item.config.stash[blocking_manager_key].unblock():
            importlib.import_module("contacts.migrations.0002_ledger_guard_and_seeds").seed(apps, None)
            importlib.import_module("contacts.migrations.0007_rules_of_permission").complete(apps, None)
            importlib.import_module("contacts.migrations.0003_daily_round").schedule_round(apps, None)
            importlib.import_module("campaigns.migrations.0002_minute_tick").schedule_tick(apps, None)
            importlib.import_module("inbound.migrations.0003_hold_queue").schedule_watch(apps, None)
            importlib.import_module("inbound.migrations.0005_sign_ups_are_tended").schedule_round(apps, None)
    return answer
