"""Copies what the ledger says about some phones into `ConsentState` and `Suppression`.

The caller holds the contact locks of these phones, and has just appended the events that change them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from contacts.models import ConsentEvent, ConsentState, Suppression
from contacts.standing import Agreement, Scope, Standing, fold
from smsdesk import bulk_copy, bulk_sql

STATE_FIELDS = (
    "is_active",
    "ended_by",
    "basis",
    "occurred_at",
    "expires_at",
    "is_confirmed",
    "is_proven",
    "event",
)


def events_of(keys: Collection[str]) -> dict[str, list[ConsentEvent]]:
    """The whole history of each of these phones that has one."""
    events: dict[str, list[ConsentEvent]] = defaultdict(list)
    for event in ConsentEvent.objects.filter(bulk_sql.among("subscriber_key", keys)).order_by("seq"):
        events[event.subscriber_key].append(event)
    return events


def settle(events: Mapping[str, Iterable[ConsentEvent]]) -> None:
    """Write the current state of each phone from its whole history (subscriber key → events)."""
    histories = {key: list(history) for key, history in events.items()}
    standings = {key: fold(history) for key, history in histories.items()}
    _write_states(standings)
    _write_suppressions(standings, histories)


def settle_first(event: ConsentEvent, *, keys: Sequence[str], ids: Sequence[int]) -> None:
    """As `settle` for phones whose whole history is this one event, each under an id of its own: it grants or ends
    the same for all of them. It must not suppress."""
    for (brand_id, purpose), agreement in fold([event]).agreements.items():
        values = dict(zip(STATE_FIELDS, state_of(agreement), strict=True))
        shared = {"brand": brand_id, "purpose": purpose} | {n: v for n, v in values.items() if n != "event"}
        bulk_copy.insert(ConsentState, own={"subscriber_key": keys, "event": ids}, shared=shared)


def _write_states(standings: Mapping[str, Standing]) -> None:
    rows = [
        (key, brand_id, purpose, *state_of(agreement))
        for key, standing in standings.items()
        for (brand_id, purpose), agreement in standing.agreements.items()
    ]
    _upsert_states(rows)


def _upsert_states(rows: Sequence[tuple[Any, ...]]) -> None:
    unique = ("subscriber_key", "brand", "purpose")
    bulk_sql.upsert_rows(ConsentState, key=unique, columns=STATE_FIELDS, rows=rows)


def state_of(agreement: Agreement) -> tuple[Any, ...]:
    """The values of `STATE_FIELDS`."""
    event = agreement.event
    return (
        agreement.is_active,
        agreement.ended_by,
        event.basis,
        event.occurred_at,
        event.expires_at,
        agreement.is_confirmed,
        event.is_proven,
        event.pk,
    )


def _write_suppressions(standings: Mapping[str, Standing], histories: Mapping[str, Sequence[ConsentEvent]]) -> None:
    # Most people never opted out: nothing of theirs can change here.
    concerned = {key: standing for key, standing in standings.items() if standing.suppressions or standing.lifted}
    if not concerned:
        return
    stored: dict[str, dict[Scope, Suppression]] = defaultdict(dict)
    for row in Suppression.objects.filter(bulk_sql.among("subscriber_key", concerned), lifted_by=None):
        stored[row.subscriber_key][row.brand_id, row.purpose] = row
    new: list[Suppression] = []
    for key, standing in concerned.items():
        new += [
            _suppression(key, scope, cause)
            for scope, cause in standing.suppressions.items()
            if scope not in stored[key]
        ]
        _bring_up_to_date(stored[key], standing, folded={event.pk for event in histories[key]})
    Suppression.objects.bulk_create(new)


def _bring_up_to_date(rows: Mapping[Scope, Suppression], standing: Standing, *, folded: Collection[int]) -> None:
    """Lift what no longer stands; a cause found to be earlier or heavier replaces the one on record.

    A row stays of which the ledger knows nothing, or whose event is none of those that were folded: doubt does not
    free anybody.
    """
    for scope, row in rows.items():
        standing_row = Suppression.objects.filter(pk=row.pk, lifted_by=None)
        cause = standing.suppressions.get(scope)
        if cause is None and scope in standing.lifted and row.event_id in folded:
            standing_row.update(lifted_by=standing.lifted[scope])
        elif cause is not None and cause.pk != row.event_id:
            standing_row.update(event=cause, source=cause.source, since=cause.occurred_at)


def _suppression(key: str, scope: Scope, cause: ConsentEvent) -> Suppression:
    brand_id, purpose = scope
    return Suppression(
        subscriber_key=key,
        brand_id=brand_id,
        purpose=purpose,
        source=cause.source,
        since=cause.occurred_at,
        event=cause,
    )
