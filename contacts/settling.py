"""Copies what the ledger says about some phones into `ConsentState` and `Suppression`.

The caller holds the contact locks of these phones, and has just appended the events that change them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from contacts.models import ConsentEvent, ConsentState, Suppression
from contacts.standing import Agreement, Scope, Standing, fold

_STATE_FIELDS = (
    "is_active",
    "basis",
    "occurred_at",
    "expires_at",
    "is_confirmed",
    "is_proven",
    "event",
)
_BATCH = 500


def events_of(keys: Collection[str]) -> dict[str, list[ConsentEvent]]:
    """The whole history of each of these phones that has one."""
    events: dict[str, list[ConsentEvent]] = defaultdict(list)
    for event in ConsentEvent.objects.filter(subscriber_key__in=keys).order_by("seq"):
        events[event.subscriber_key].append(event)
    return events


def settle(events: Mapping[str, Iterable[ConsentEvent]]) -> None:
    """Write the current state of each phone from its whole history (subscriber key → events)."""
    standings = {key: fold(history) for key, history in events.items()}
    _write_states(standings)
    _write_suppressions(standings)


def _write_states(standings: Mapping[str, Standing]) -> None:
    rows = [
        _state(key, brand_id, purpose, agreement)
        for key, standing in standings.items()
        for (brand_id, purpose), agreement in standing.agreements.items()
    ]
    ConsentState.objects.bulk_create(
        rows,
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["subscriber_key", "brand", "purpose"],
        update_fields=_STATE_FIELDS,
    )


def _state(key: str, brand_id: int, purpose: str, agreement: Agreement) -> ConsentState:
    event = agreement.event
    return ConsentState(
        subscriber_key=key,
        brand_id=brand_id,
        purpose=purpose,
        is_active=agreement.is_active,
        basis=event.basis,
        occurred_at=event.occurred_at,
        expires_at=event.expires_at,
        is_confirmed=agreement.is_confirmed,
        is_proven=event.is_proven,
        event=event,
    )


def _write_suppressions(standings: Mapping[str, Standing]) -> None:
    stored: dict[str, dict[Scope, Suppression]] = defaultdict(dict)
    for row in Suppression.objects.filter(subscriber_key__in=list(standings), lifted_by=None):
        stored[row.subscriber_key][row.brand_id, row.purpose] = row
    new: list[Suppression] = []
    for key, standing in standings.items():
        new += [
            _suppression(key, scope, cause)
            for scope, cause in standing.suppressions.items()
            if scope not in stored[key]
        ]
        _bring_up_to_date(stored[key], standing)
    Suppression.objects.bulk_create(new, batch_size=_BATCH)


def _bring_up_to_date(rows: Mapping[Scope, Suppression], standing: Standing) -> None:
    """Lift what no longer stands; a cause found to be earlier or heavier replaces the one on record.

    A row the ledger knows nothing of stays: doubt does not free anybody.
    """
    for scope, row in rows.items():
        standing_row = Suppression.objects.filter(pk=row.pk, lifted_by=None)
        cause = standing.suppressions.get(scope)
        if cause is None and scope in standing.lifted:
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
