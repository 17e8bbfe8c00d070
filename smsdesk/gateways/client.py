"""The HTTP client of the gateways: it sends a request once, or says for sure that it wrote nothing.

Whether a message may ever be sent again hangs on that one question, so it is not guessed from an exception's type:
the request's body notes the moment its first byte is handed to the socket. Failed before: `Unreachable` or
`NothingWritten`. Failed after: `OutcomeUnknown`, whatever it was.
"""

import asyncio
import select
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import ClientRequest
from yarl import URL

from smsdesk import failpoints
from smsdesk.gateways import errors, reading

CONNECT_SECONDS = 3.0
CALL_SECONDS = 10.0
ANSWER_LIMIT = 64 * 1024
# A list of messages with their texts, asked for by a lookup.
LIST_LIMIT = 1024 * 1024
# Shorter than what servers commonly allow, so that they rarely close a connection we are about to use.
KEEP_ALIVE_SECONDS = 4.0
# A closed connection is found before anything is written; then another one may be taken, so many times.
STALE_TRIES = 3

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# The other side closed or reset; an idle connection that has this cannot carry a request.
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR

# What a call may fail with short of a fault of our own. aiohttp gives up on some answers with ValueError.
TROUBLE = (aiohttp.ClientError, TimeoutError, OSError, ValueError, EOFError)


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is empty where it was longer than the limit or compressed, which we never ask for."""

    status: int
    body: bytes
    retry_after: float | None


def session(*, calls: int, time_scale: float = 1.0) -> aiohttp.ClientSession:
    """To be made, used and closed inside one event loop; `calls`: connections open at once, per host.

    `time_scale` multiplies every time-out (`settings.TIME_SCALE`).
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,
            limit_per_host=calls,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            socket_factory=_socket_factory(CALL_SECONDS * time_scale),
        ),
        timeout=aiohttp.ClientTimeout(
            total=CALL_SECONDS * time_scale,
            sock_connect=CONNECT_SECONDS * time_scale,
            ceil_threshold=CALL_SECONDS * 2,  # never rounded up to a whole second
        ),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        skip_auto_headers=("User-Agent",),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def calls(http: aiohttp.ClientSession) -> int:
    """How many calls to one host the session makes at once."""
    connector = http.connector
    return (connector.limit_per_host if connector is not None else 0) or 1


async def connect(http: aiohttp.ClientSession, base_url: str, *, connections: int) -> errors.GatewayError | None:
    """Open up to that many connections ahead, so that the next calls only write; the trouble, or None.

    Asked before rows are submitted: a slow handshake must not eat the second in which a call has to begin.
    """
    connector = http.connector
    if connector is None:
        raise RuntimeError("The session is closed.")
    loop = asyncio.get_running_loop()
    request = ClientRequest("POST", URL(base_url), loop=loop, session=http)
    limit = http.timeout.sock_connect or CONNECT_SECONDS
    opened: list[aiohttp.connector.Connection] = []
    troubles: list[BaseException] = []

    async def open_one() -> None:
        try:
            opened.append(await connector.connect(request, [], http.timeout))
        except TROUBLE as problem:
            troubles.append(problem)

    try:
        async with asyncio.timeout(limit):
            # All are held until the last is open: one given back early would only be taken again.
            await asyncio.gather(*(open_one() for _ in range(min(connections, calls(http)))))
    except TimeoutError as problem:
        troubles.append(problem)
    finally:
        for connection in opened:
            connection.release()
    failpoints.hit("call.connected")
    return _unreachable(troubles[0]) if troubles else None


async def post(
    http: aiohttp.ClientSession,
    url: URL,
    *,
    headers: Mapping[str, str],
    body: bytes,
    before_write: Callable[[], None],
    limit: int = ANSWER_LIMIT,
) -> Answer:
    """Send once. `before_write` is asked directly before the first byte; what it raises is raised here.

    `limit`: the longest answer read, in bytes. Raises `NothingWritten` or `Unreachable` (surely not sent), or
    `OutcomeUnknown`.
    """
    for _ in range(STALE_TRIES):
        payload = _OncePayload(body, before_write=before_write)
        try:
            async with http.post(url, data=payload, headers=headers, allow_redirects=False) as response:
                answer = await _read(response, limit)
            failpoints.hit("call.after_answer")
            return answer
        except TROUBLE as problem:
            if payload.begun:
                raise _unknown(problem) from problem
            if payload.refusal is not None:
                raise payload.refusal from problem
            if not payload.was_stale:
                raise _unreachable(problem) from problem
    raise errors.Unreachable("stale", "The gateway keeps closing its connections; nothing was written.")


async def get(http: aiohttp.ClientSession, url: URL, *, headers: Mapping[str, str]) -> Answer:
    """Ask something that changes nothing; may be repeated by the library. Raises `OutcomeUnknown`."""
    try:
        async with http.get(url, headers=headers, allow_redirects=False) as response:
            return await _read(response, LIST_LIMIT)
    except TROUBLE as problem:
        raise _unknown(problem) from problem


class _OncePayload(aiohttp.BytesPayload):
    """A body that asks for leave directly before it writes, and knows whether it began.

    aiohttp holds the headers back until the body's first write, so a refusal here leaves no byte at all.
    """

    def __init__(self, value: bytes, *, before_write: Callable[[], None]) -> None:
        super().__init__(value)
        self._before_write = before_write
        self.begun = False
        self.was_stale = False
        self.refusal: errors.GatewayError | None = None

    async def write(self, writer: Any) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        transport = writer.transport
        if _is_stale(transport, writer.protocol):
            self.was_stale = True
            raise ConnectionResetError("closed by the gateway before anything was written")
        failpoints.hit("call.before_write")
        try:
            self._before_write()
        except errors.GatewayError as refusal:
            self.refusal = refusal
            raise
        self.begun = True
        await writer.write(self._value)
        failpoints.hit("call.after_write")


def _is_stale(transport: Any, protocol: Any) -> bool:
    """Whether a connection was closed, or spoken on, by the other side while it lay idle.

    The kernel is asked, not only the loop: the loop stands still between two batches and may not know yet.
    """
    if transport is None or transport.is_closing() or protocol.should_close:
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), _HUNG_UP)
    return bool(poll.poll(0))


async def _read(response: aiohttp.ClientResponse, limit: int) -> Answer:
    headers = response.headers
    retry_after = reading.seconds(headers["Retry-After"]) if "Retry-After" in headers else None
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        return Answer(response.status, b"", retry_after)
    body = await response.content.readany()
    if not response.content.at_eof():
        chunks = [body]
        size = len(body)
        while chunk := await response.content.readany():
            size += len(chunk)
            if size > limit:
                return Answer(response.status, b"", retry_after)
            chunks.append(chunk)
        body = b"".join(chunks)
    return Answer(response.status, body if len(body) <= limit else b"", retry_after)


def _unknown(problem: BaseException) -> errors.OutcomeUnknown:
    code = "timeout" if isinstance(problem, TimeoutError) else "broken_off"
    return errors.OutcomeUnknown(code, f"No proper answer came after the request was written: {_kind(problem)}.")


def _unreachable(problem: BaseException) -> errors.Unreachable:
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        code = "dns"
    elif isinstance(problem, ssl.SSLError | aiohttp.ClientConnectorSSLError | aiohttp.ClientSSLError):
        code = "tls"
    elif isinstance(problem, TimeoutError):
        code = "connect_timeout"
    else:
        code = "connect"
    return errors.Unreachable(code, f"The gateway could not be reached, nothing was written: {_kind(problem)}.")


def _kind(problem: BaseException) -> str:
    """The name only: an exception's text may hold addresses and what the other side sent."""
    return type(problem).__name__


def _socket_factory(user_timeout: float) -> Callable[[Any], socket.socket]:
    """Sockets that give up when we do: a close is a reset, and the kernel repeats nothing after `user_timeout`."""
    milliseconds = max(1, int(user_timeout * 1000))

    def make(address: Any) -> socket.socket:
        family, kind, protocol = address[:3]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        return made

    return make
