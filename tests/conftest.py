"""No test may reach the outside world, and none may take the seeds of the database along."""

import contextlib
import importlib
import ipaddress
import os
import socket

import pytest
from django.apps import apps
from django.conf import settings
from pytest_django.plugin import blocking_manager_key

from tests import migrated

HAS_DATABASE = pytest.StashKey[bool]()
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


# Files that take minutes are begun first, so that the end is not one of them alone.
LONG = (
    "flows/test_stories.py", "browser/", "test_import_fuzz.py", "test_hostile_input.py", "test_stop_races.py",
    "test_demo.py", "test_orphans.py", "test_importing_crashes.py", "test_outage.py", "test_hostile_headers.py",
)  # fmt: skip


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


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request, django_db_modify_db_settings_parallel_suffix):
    """The database of the tests is a copy of one that is migrated already, with more patience.

    A test is one transaction, which stands idle while inputs are thought up or a machine is busy elsewhere.
    """
    request.config.stash[HAS_DATABASE] = True
    said = settings.DATABASES["default"]
    if said["ENGINE"].endswith("postgresql"):
        said["OPTIONS"]["options"] += " -c idle_in_transaction_session_timeout=120s"
        said["TEST"]["TEMPLATE"] = migrated.template(os.environ["DATABASE_URL"].rpartition("/")[0])
        yield
    else:
        said["TEST"]["NAME"] = "file:tests?mode=memory&cache=shared"
        with contextlib.closing(migrated.copy_to_memory(said["TEST"]["NAME"])):
            yield


@pytest.fixture
def django_assert_num_queries(django_assert_num_queries):
    return _of_fresh_rules(django_assert_num_queries)


@pytest.fixture
def django_assert_max_num_queries(django_assert_max_num_queries):
    return _of_fresh_rules(django_assert_max_num_queries)


def _of_fresh_rules(counting):
    """Rules and caps are read again after three seconds, which may be over in the middle of what is counted."""

    @contextlib.contextmanager
    def counted(*arguments, **options):
        importlib.import_module("tests.factories").read_rules()
        with counting(*arguments, **options) as queries:
            yield queries

    return counted


def pytest_collection_modifyitems(items):
    def place(item) -> int:
        return next((number for number, name in enumerate(LONG) if f"tests/{name}" in item.nodeid), len(LONG))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """A test of real transactions empties every table afterwards; the rows that migrations made come back."""
    answer = yield
    marker = item.get_closest_marker("django_db")
    if not item.config.stash.get(HAS_DATABASE, False):
        return answer  # all so far were skipped
    if nextitem is not None and marker is not None and marker.kwargs.get("transaction"):
        with item.config.stash[blocking_manager_key].unblock():
            importlib.import_module("contacts.migrations.0002_ledger_guard_and_seeds").seed(apps, None)
            importlib.import_module("contacts.migrations.0007_rules_of_permission").complete(apps, None)
            importlib.import_module("contacts.migrations.0003_daily_round").schedule_round(apps, None)
            importlib.import_module("campaigns.migrations.0002_minute_tick").schedule_tick(apps, None)
            importlib.import_module("inbound.migrations.0003_hold_queue").schedule_watch(apps, None)
            importlib.import_module("inbound.migrations.0005_sign_ups_are_tended").schedule_round(apps, None)
    return answer


def pytest_sessionfinish(session):
    """Whoever began the tests takes away what they kept on the database server."""
    url = os.environ.get("DATABASE_URL", "")
    if url.startswith("postgres") and not hasattr(session.config, "workerinput"):
        migrated.drop(url.rpartition("/")[0])
