"""Careful lanes: the last who held one died in it, so the rows at its front go alone, and one of them is found out.

A death is counted before the row can end its worker again, and taken back where the worker lives on.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from campaigns import lanes
from campaigns.models import OutboundMessage, OutboundState
from smsdesk import clock

MOST_DEATHS = 3  # of workers, by one row


class Row(Protocol):
    """A ledger row on its way out, as `campaigns.batch.Row` is."""

    id: int
    lane_id: int
    deaths: int


def count(together: Sequence[lanes.Won], rows: Collection[Row]) -> set[int]:
    """Of the careful ones among these lanes. The ids of rows that are given up: they ended too many workers."""
    waiting = OutboundMessage.objects.filter(state=OutboundState.QUEUED)
    poisoned = set()
    for row in _of_careful(together, rows):
        waiting.filter(pk=row.id).update(deaths=row.deaths + 1)
        if row.deaths >= MOST_DEATHS:
            poisoned.add(row.id)
    if poisoned:
        given_up = waiting.filter(pk__in=poisoned)
        given_up.filter(outcome_open=False).update(
            state=OutboundState.SKIPPED, code="POISON", final_at=clock.database_now()
        )
        given_up.filter(outcome_open=True).update(state=OutboundState.PARKED, code="POISON")
    return poisoned


def forgive(together: Sequence[lanes.Won], rows: Collection[Row]) -> None:
    """Whoever held these lives: what was counted first was no death."""
    for row in _of_careful(together, rows):
        counted = OutboundMessage.objects.filter(pk=row.id, state=OutboundState.QUEUED, deaths=row.deaths + 1)
        counted.update(deaths=row.deaths)


def _of_careful(together: Sequence[lanes.Won], rows: Collection[Row]) -> list[Row]:
    careful = {won.lane_id for won in together if won.is_careful}
    return [row for row in rows if row.lane_id in careful]
