"""A door between a desk and its database that a test can shut: the desk finds nobody, and what is open breaks."""

import contextlib
import selectors
import socket
import threading
from urllib.parse import urlsplit


class Proxy:
    """Listens on loopback and passes bytes on while it is entered; `shut` is the database gone, `open` it back."""

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._open_pairs: list[socket.socket] = []
        self.port = 0

    def __enter__(self) -> "Proxy":
        self.open()
        return self

    def __exit__(self, *trouble: object) -> None:
        self.shut()

    def url(self, database_url: str) -> str:
        """The same database, reached through here."""
        parts = urlsplit(database_url)
        return parts._replace(netloc=f"{parts.username or 'postgres'}@127.0.0.1:{self.port}").geturl()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def shut(self) -> None:
        if self._listener is None:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener = None
        for one in self._open_pairs:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._open_pairs.clear()

    def _start(self, work: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener, contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._open_pairs += [near, far]
                self._start(_pass_on, near, far)


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    with near, far, selectors.DefaultSelector() as both, contextlib.suppress(OSError):
        both.register(near, selectors.EVENT_READ, far)
        both.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in both.select():
                chunk = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                if not chunk:
                    return
                key.data.sendall(chunk)
