"""The people of an audience in ranges of ids; on PostgreSQL the next range is read while this one is worked on."""

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.db import connection, connections, transaction
from django.db.models.expressions import Combinable

from campaigns import audience
from campaigns.models import Campaign
from contacts import likeness

# Contacts. For so many the database reads a ledger from end to end, which takes less than to look up each; more at
# once take memory.
SIZE = 25_000


_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Range:
    """Everybody of the audience up to the contact id `through`, and what the ledgers say of them."""

    through: int
    read: likeness.Read


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a range is read, in two steps: who is in it, and what the ledgers say."""

    campaign: Campaign
    at: datetime
    judge: likeness.Judge
    words: Sequence[Combinable]

    def people(self, low: int) -> tuple[int, list[likeness.Group]] | None:
        """Those beyond the contact id `low`, and the id they go to; None where nobody is left."""
        high = audience.end_of_range(self.campaign, low, size=SIZE)
        if high is None:
            return None
        chosen = audience.range_of(self.campaign, at=self.at, low=low, high=high)
        return high, self.judge.people(chosen, words=self.words)

    def ledgers(self, high: int, groups: list[likeness.Group]) -> Range:
        return Range(high, self.judge.read(groups))


def after(
    low: int,
    *,
    campaign: Campaign,
    at: datetime,
    judge: likeness.Judge,
    words: Sequence[Combinable],
    until: float,
) -> Generator[Range, None, None]:
    """Range after range beyond the contact id `low`; ends when nobody is left. To be closed when left early.

    `at`: as of when segments are asked; `words`: what is wanted of each person besides what the judge asks.
    Nothing is read ahead that cannot be worked on before `until` (by the monotonic clock).
    """
    reading = _Reading(campaign, at, judge, words)
    # Inside a transaction another connection would see another state; SQLite gains nothing from a second one.
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return _one_by_one(reading, low)
    return _one_ahead(reading, low, until=until)


def _one_by_one(reading: _Reading, low: int) -> Generator[Range, None, None]:
    while people := reading.people(low):
        found = reading.ledgers(*people)
        yield found
        low = found.through


def _one_ahead(reading: _Reading, low: int, *, until: float) -> Generator[Range, None, None]:
    """While the database looks into the ledgers about one range, the one before is worked on.

    Not while its people come in: whoever receives needs the interpreter for every 16 KB, and waits for it up to
    5 ms each time while somebody works.
    """
    with ThreadPoolExecutor(max_workers=1) as reader:
        try:
            before: Range | None = None
            took = 0.0
            while before is None or time.monotonic() + took < until:
                begun = time.monotonic()
                people = reader.submit(_undisturbed, partial(reading.people, low)).result()
                if people is None:
                    break
                coming = reader.submit(_undisturbed, partial(reading.ledgers, *people))
                if before is not None:
                    yield before
                before = coming.result()
                low, took = before.through, time.monotonic() - begun
            if before is not None:
                yield before
        finally:
            reader.submit(connections.close_all).result()  # the reader's own: each thread has one


def _undisturbed(read: Callable[[], _Found]) -> _Found:
    """Helpers of the database would take the processor that works on the range before."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        return read()
