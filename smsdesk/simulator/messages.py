"""What the carrier holds: every message it took, by id, by reference and by handset, and what lately happened."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

# Words of a message's life inside the carrier; each dialect translates them into its own.
FINAL_WORDS = ("delivered", "undelivered", "expired", "rejected", "opted_out")
WORDS = ("accepted", "sent", *FINAL_WORDS)


@dataclass(slots=True, eq=False)
class Message:
    """One SMS, to a handset or from it. Numbers carry their +, times are seconds of the wall clock."""

    reference: str
    account: str
    dialect: str
    to: str
    sender: str
    text: str
    callback_url: str = ""
    callback_data: str = ""
    wants_intermediate: bool = True
    gateway_id: str = ""
    bulk_id: str = ""
    encoding: str = "gsm7"
    parts: int = 1
    word: str = "accepted"
    at: float = 0.0
    done_at: float = 0.0
    is_inbound: bool = False
    receipts_answered: int = 0
    note: str = ""
    version: int = 0


@dataclass(slots=True)
class Traffic:
    """All messages of this run, oldest forgotten first beyond `keep`; a thread keeps its last 200."""

    keep: int = 1_000_000
    by_id: dict[str, Message] = field(default_factory=dict)
    by_reference: dict[tuple[str, str], Message] = field(default_factory=dict)
    threads: dict[str, deque[Message]] = field(default_factory=dict)
    happenings: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=300))
    _versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _happening_numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, message: Message) -> None:
        """Hold `message` and put it at the end of its handset's thread."""
        message.version = next(self._versions)
        self.by_id[message.gateway_id] = message
        handset = message.sender if message.is_inbound else message.to
        if message.reference:
            self.by_reference[message.account, message.reference] = message
        thread = self.threads.get(handset)
        if thread is None:
            thread = self.threads[handset] = deque(maxlen=200)
        thread.append(message)
        if len(self.by_id) > self.keep:
            self._forget_oldest()

    def changed(self, message: Message) -> None:
        """A page that polls shall see `message` again."""
        message.version = next(self._versions)

    def thread(self, number: str, *, after: int) -> list[Message]:
        return [message for message in self.threads.get(number, ()) if message.version > after]

    def handsets(self, *, limit: int) -> list[str]:
        """Numbers in touch, the latest first."""
        latest = sorted(self.threads, key=lambda number: self.threads[number][-1].at, reverse=True)
        return latest[:limit]

    def happened(self, kind: str, text: str, *, status: str, at: float) -> None:
        """One line for the panel `what the desk did`."""
        self.happenings.append(
            {"n": next(self._happening_numbers), "kind": kind, "text": text, "status": status, "at": at}
        )

    def newest_first(self) -> Iterable[Message]:
        return reversed(self.by_id.values())

    def _forget_oldest(self) -> None:
        oldest = self.by_id.pop(next(iter(self.by_id)))
        key = (oldest.account, oldest.reference)
        if self.by_reference.get(key) is oldest:
            del self.by_reference[key]
