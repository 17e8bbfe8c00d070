"""No test may reach the outside world."""

import ipaddress
import socket

import pytest

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
