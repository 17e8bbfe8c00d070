"""An HTTP answer of the send endpoints, before the front door writes it or fails to on purpose."""

from dataclasses import dataclass, field

from smsdesk.simulator.faults import Fate
from smsdesk.simulator.messages import Message

REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


@dataclass(slots=True)
class Answer:
    """`how` is answer, hang or reset; `early` receipts go out before the first byte of the answer."""

    status: int
    body: bytes
    how: str = "answer"
    retry_after: int = 0
    call: int = 0
    early: list[tuple[Message, Fate]] = field(default_factory=list)

    def as_bytes(self) -> bytes:
        extra = f"Retry-After: {self.retry_after}\r\n" if self.retry_after else ""
        head = (
            f"HTTP/1.1 {self.status} {REASONS[self.status]}\r\nContent-Type: application/json\r\n"
            f"{extra}Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode("ascii") + self.body
