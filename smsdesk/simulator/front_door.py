"""The listening side: a lean HTTP/1.1 protocol for the send endpoints; every other request goes to aiohttp.

A connection whose request is not a send is handed to aiohttp for good, which closes it after its answer, so
that a client's next send arrives on a connection of its own.
"""

import asyncio
import re
import socket
import struct
import time
from collections.abc import Callable
from typing import cast

from smsdesk.simulator import endpoints
from smsdesk.simulator.answers import Answer
from smsdesk.simulator.carrier import Carrier

MAX_HEAD = 16_384
MAX_BODY = 8_388_608
# A call that is never answered is given up here; every sane client has gone by then.
LONGEST_SILENCE = 120.0

_hot = re.compile(
    rb"POST (?:(/sms/3/messages)|/2010-04-01/Accounts/([A-Za-z0-9]{1,64})/Messages\.json)(?:\?[^ ]*)? HTTP/1\.1\r\n"
).match
_length = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,12})[ \t]*\r\n", re.IGNORECASE).search
_authorization = re.compile(rb"\r\nauthorization:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE).search
_expects = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE).search
_closes = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE).search


class FrontDoor(asyncio.Protocol):
    def __init__(
        self, carrier: Carrier, *, other: Callable[[], asyncio.Protocol], open_doors: set["FrontDoor"]
    ) -> None:
        self.carrier = carrier
        self.open_doors = open_doors
        self._other = other
        self._buffer = bytearray()
        self._began = (0.0, 0.0)
        self._busy = False
        self._continued = False
        self._closing_after = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self.open_doors.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.open_doors.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._began = (time.time(), time.monotonic())
        self._buffer += data
        if not self._busy:
            self._serve()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _serve(self) -> None:
        while self._buffer and not self._busy and self._transport is not None and self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Serve the request at the head of the buffer; False if it is not complete or not ours."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > MAX_HEAD:
                self._refuse(431)
            elif not buffer.startswith(b"POST /"[: len(buffer)]):
                self._hand_over()
            return False
        target = _hot(buffer)
        if target is None:
            self._hand_over()
            return False
        head = bytes(buffer[: end + 2])
        length = _length(head)
        if length is None or int(length[1]) > MAX_BODY:
            self._refuse(411 if length is None else 413)
            return False
        stop = end + 4 + int(length[1])
        if len(buffer) < stop:
            self._ask_for_the_body(head)
            return False
        authorization = _authorization(head)
        said = authorization[1].decode("latin-1") if authorization else ""
        sid = target[2].decode() if target[2] else ""
        body = bytes(buffer[end + 4 : stop])
        self._closing_after = _closes(head) is not None
        del buffer[:stop]
        self._continued = False
        self._begin(self._answer(sid, body, said))
        self._began = (time.time(), time.monotonic())
        return True

    def _answer(self, sid: str, body: bytes, authorization: str) -> Answer:
        at, mono = self._began
        if sid:
            return endpoints.twilio_send(self.carrier, body, sid=sid, authorization=authorization, at=at, mono=mono)
        return endpoints.infobip_send(self.carrier, body, authorization=authorization, at=at, mono=mono)

    def _begin(self, answer: Answer) -> None:
        latency = self.carrier.faults.latency_ms / 1000
        if not latency and not answer.early and answer.how == "answer":
            self._write(answer)
            return
        self._busy = True
        if answer.early:
            self.carrier.receipts.in_background(self._after_early(answer, latency))
        else:
            self._timer = asyncio.get_running_loop().call_later(latency, self._finish, answer)

    async def _after_early(self, answer: Answer, latency: float) -> None:
        await self.carrier.receipts.early(answer.early)
        await asyncio.sleep(latency)
        self._finish(answer)

    def _finish(self, answer: Answer) -> None:
        if self._transport is None:
            self._note(answer, how="gone")
        elif answer.how == "reset":
            self._reset(answer)
        elif answer.how == "hang":
            self._note(answer, how="hang")
            self._timer = asyncio.get_running_loop().call_later(LONGEST_SILENCE, self.close)
        else:
            self._busy = False
            self._write(answer)
            self._serve()

    def _write(self, answer: Answer) -> None:
        assert self._transport is not None
        self._transport.write(answer.as_bytes())
        if self.carrier.journal.writes_all:
            self._note(answer, how="answer")
        if self._closing_after:
            self._transport.close()
            self._transport = None

    def _reset(self, answer: Answer) -> None:
        assert self._transport is not None
        self._note(answer, how="reset")
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, not FIN
        self._transport.abort()

    def _note(self, answer: Answer, *, how: str) -> None:
        status = answer.status if how == "answer" else 0
        self.carrier.journal.note("answered", {"call": answer.call, "how": how, "status": status})

    def _ask_for_the_body(self, head: bytes) -> None:
        if not self._continued and self._transport is not None and _expects(head):
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, status: int) -> None:
        assert self._transport is not None
        self._transport.write(Answer(status, b"{}").as_bytes())
        self._transport.close()
        self._transport = None

    def _hand_over(self) -> None:
        transport, waiting = self._transport, bytes(self._buffer)
        assert transport is not None
        self.open_doors.discard(self)
        self._transport = None
        self._buffer.clear()
        other = self._other()
        transport.set_protocol(other)
        other.connection_made(transport)
        other.data_received(waiting)
