"""What the floors above know about a phone and a proof pack must tell: decisions on messages, and people's texts.

Each app registers functions in its own `testimony` module, which is found when Django starts; so nothing here
imports upward.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one message, on which grounds, and what became of it."""

    message: str  # msg_…
    made_at: datetime | None  # None: not decided yet
    created_at: datetime
    what: str  # "Campaign “Spring”", "Agent's reply"
    brand: str
    brand_id: int
    purpose: str
    sender: str
    outcome: str  # allowed, deferred, blocked, "" (not decided)
    code: str
    reason: str  # the sentence
    rules: str  # version of the quiet hours it was judged by
    state: str  # in words
    left_at: datetime | None  # handed to the gateway
    ended_at: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """What the person wrote to us."""

    id: str  # inb_…
    occurred_at: datetime
    received_at: datetime
    to: str
    text: str
    read_as: str  # "Opt-out (exact)"


Told = TypeVar("Told", Decision, Text)


class Witnesses(Generic[Told]):
    """Functions of a subscriber key that tell what they know, in any order."""

    def __init__(self) -> None:
        self._all: list[Callable[[str], Iterable[Told]]] = []

    def add(self, witness: Callable[[str], Iterable[Told]]) -> Callable[[str], Iterable[Told]]:
        self._all.append(witness)
        return witness

    def about(self, subscriber_key: str) -> Iterator[Told]:
        for witness in self._all:
            yield from witness(subscriber_key)


decisions: Witnesses[Decision] = Witnesses()
texts: Witnesses[Text] = Witnesses()
