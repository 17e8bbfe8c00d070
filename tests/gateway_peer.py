"""A gateway's other side for the adapters' tests: a bare TCP server that does as it is told, rudely if need be."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[["Connection", Request], Awaitable[None]]


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    closed: bool = False

    async def answer(self, status: int, body: bytes, *, headers: str = "") -> None:
        await self.send(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.writer.transport.abort()
        self.closed = True

    async def close(self) -> None:
        self.writer.close()
        self.closed = True


@dataclass
class Peer:
    """`requests` arrived whole; `bytes_received` counts every byte, of broken ones too."""

    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    bytes_received: int = 0
    connections: int = 0
    open: list[Connection] = field(default_factory=list)

    async def __aenter__(self) -> "Peer":
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *problem: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def hang_up(self) -> None:
        """Close every connection that lies idle."""
        for connection in self.open:
            await connection.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        connection = Connection(reader, writer)
        self.open.append(connection)
        try:
            while not connection.closed:
                request = await self._read(reader)
                self.requests.append(request)
                await self.behaviour(connection, request)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        first = await reader.readexactly(1)
        self.bytes_received += 1
        head = first + await reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.bytes_received += len(head) + len(body) - 1
        method, target, _ = start.split(" ")
        return Request(method, target, headers, body)
