"""The people of an audience in ranges of ids; on PostgreSQL the next range is read while this one is worked on."""

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from django.db import connection, connections
from django.db.models import QuerySet

from campaigns import audience, eligibility
from campaigns.models import Campaign
from contacts import likeness
from contacts.models import Contact

SIZE = 10_000  # contacts


@dataclass(frozen=True, slots=True)
class Range:
    """Everybody of the audience up to the contact id `through`, and what the ledgers say of them."""

    through: int
    ids: list[int]
    people: list[eligibility.Person]
    read: likeness.Read


Read = Callable[[int], Range | None]


def after(
    low: int, *, campaign: Campaign, audience_of: "QuerySet[Contact]", judge: likeness.Judge, until: float
) -> Generator[Range, None, None]:
    """Range after range beyond the contact id `low`; ends when nobody is left. To be closed when left early.

    Nothing is read ahead that cannot be worked on before `until` (by the monotonic clock).
    """

    def read(beyond: int) -> Range | None:
        through = audience.end_of_range(campaign, beyond, size=SIZE)
        if through is None:
            return None
        ids, people = [], []
        found = audience_of.filter(pk__gt=beyond, pk__lte=through).order_by("pk")
        for contact_id, *values in found.values_list("pk", *eligibility.PERSON_FIELDS):
            ids.append(contact_id)
            people.append(eligibility.Person(*values))
        return Range(through, ids, people, judge.read(people))

    # Inside a transaction another connection would see another state; SQLite gains nothing from a second one.
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return _one_by_one(read, low)
    return _one_ahead(read, low, until=until)


def _one_by_one(read: Read, low: int) -> Generator[Range, None, None]:
    while found := read(low):
        yield found
        low = found.through


def _one_ahead(read: Read, low: int, *, until: float) -> Generator[Range, None, None]:
    with ThreadPoolExecutor(max_workers=1) as reader:
        try:
            coming: Future[Range | None] | None = None
            while True:
                begun = time.monotonic()
                found = (coming or reader.submit(read, low)).result()
                if found is None:
                    return
                low = found.through
                now = time.monotonic()
                coming = reader.submit(read, low) if now + (now - begun) < until else None
                yield found
        finally:
            reader.submit(connections.close_all).result()  # the reader's own: each thread has one
