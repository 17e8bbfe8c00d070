"""The one way new events get into the ledger with everything that follows from them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from contacts import chain, holds, settling
from contacts.models import ConsentEvent, ConsentSource, EventKind, Hold
from contacts.standing import EVERY
from smsdesk import bulk_sql
from smsdesk.sms_text import clean

Told = tuple[ConsentEvent, Mapping[str, str]]  # an event and its evidence


def write(told: Sequence[Told]) -> None:
    """Append the events with their evidence, write where each phone stands now, close the reviews they answer.

    The caller holds the locks of these phones' contacts. The ledger's head is the last lock that is taken. A phone
    that is no contact's has no lock: what others wrote of it meanwhile is looked for once the head is held.
    """
    if not told:
        return
    events = [event for event, _ in told]
    keys = list(dict.fromkeys(event.subscriber_key for event in events))
    seen, _ = chain.anchor()
    history = settling.events_of(keys)
    chain.reserve(events)
    chain.keep_evidence(told)
    settling.settle({key: [*history.get(key, ()), *(e for e in events if e.subscriber_key == key)] for key in keys})
    cleared = _close_answered(events)
    last = chain.append(events)
    if cleared:
        chain.append(cleared)
    if chain.has_grown(keys, after=seen, through=last):
        settling.settle(settling.events_of(keys))


def review_event(hold: Hold, kind: EventKind, *, at: datetime, now: datetime, by: str) -> ConsentEvent:
    return ConsentEvent(
        subscriber_key=hold.subscriber_key,
        brand_id=hold.brand_id,
        purposes=[EVERY],
        kind=kind,
        occurred_at=at,
        recorded_at=now,
        source=ConsentSource.ADMIN if by else ConsentSource.TEXT,
        actor=clean(by)[:150],
    )


def _close_answered(events: Sequence[ConsentEvent]) -> list[ConsentEvent]:
    """The releases to be written for reviews that turned out to be no opt-out; hardly any phone is held."""
    keys = [event.subscriber_key for event in events]
    held = Hold.objects.filter(bulk_sql.among("subscriber_key", keys), closed_at=None)
    held_keys = set(held.values_list("subscriber_key", flat=True))
    return [
        review_event(hold, EventKind.RELEASE, at=event.occurred_at, now=event.recorded_at, by="")
        for event in events
        if event.subscriber_key in held_keys
        for hold in holds.close_answered(event)
    ]
