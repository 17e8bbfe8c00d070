"""Holds and what answers them: a later word of the person, or an opt-out, closes the doubt.

As with consent, what counts is when things were said, not when they arrived.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Case, Q, QuerySet, Value, When

from contacts.models import Brand, ConsentEvent, ConsentSource, EventKind, Hold, Purpose
from contacts.standing import EVERY

_RETURNS = frozenset({EventKind.LIFT, EventKind.OPT_IN})


def open_of(subscriber_key: str, *, brand: Brand | None) -> "QuerySet[Hold]":
    """The open hold in the name of this brand, or of every one."""
    return Hold.objects.filter(Q(brand=brand) | Q(brand=None), subscriber_key=subscriber_key, closed_at=None)


def begin(
    subscriber_key: str, *, brand: Brand | None, inbound_id: UUID | None, said_at: datetime, now: datetime
) -> tuple[Hold, bool]:
    """The open hold of this phone and brand, and whether it is new. The caller holds the contact's lock.

    A further doubt leaves the clock of the first; the opt-out it may become dates from the later one.
    """
    standing = Hold.objects.filter(subscriber_key=subscriber_key, brand=brand, closed_at=None).first()
    if standing is None:
        made = Hold(
            subscriber_key=subscriber_key, brand=brand, inbound_id=inbound_id, said_at=said_at, opened_at=now
        )
        made.save(force_insert=True)
        return made, True
    if said_at > standing.said_at:
        standing.said_at = said_at
        Hold.objects.filter(pk=standing.pk).update(said_at=said_at)
    return standing, False


def of_same_text(hold: Hold, *, keys: Collection[str]) -> "QuerySet[Hold]":
    """Open holds of these phones which that text, and no later one, has caused too."""
    rows = Hold.objects.filter(subscriber_key__in=keys, brand=hold.brand, closed_at=None)
    if hold.inbound_id is None or not keys:
        return rows.none()
    return rows.filter(inbound_id=hold.inbound_id, said_at__lte=hold.said_at).order_by("pk")


def close(hold: Hold, *, by: str, was_opt_out: bool, now: datetime) -> bool:
    """False when somebody was faster."""
    rows = Hold.objects.filter(pk=hold.pk, closed_at=None)
    closed = bool(rows.update(closed_at=now, closed_by=by[:150], was_opt_out=was_opt_out))
    hold.refresh_from_db()
    return closed


def is_answered(events: Iterable[ConsentEvent], *, brand_id: int | None, said_at: datetime) -> bool:
    """Whether the history holds a word on it that was said later, so that nothing is in doubt."""
    return any(answer(event, brand_id=brand_id, said_at=said_at) is not None for event in events)


def answer(event: ConsentEvent, *, brand_id: int | None, said_at: datetime) -> bool | None:
    """What the event says of a doubt: True an opt-out, False none, None nothing.

    An opt-out of everything answers it; so does START, or joining again for marketing, whatever it had meant
    before. Only from the phone itself: a web form may be filled in by anybody and leaves the doubt to a person.
    """
    if event.kind == EventKind.OPT_OUT and EVERY in event.purposes and event.brand_id in (None, brand_id):
        return True if event.occurred_at >= said_at else None
    is_own = event.kind in _RETURNS and ConsentSource(event.source).is_own_act and event.brand_id == brand_id
    if is_own and {EVERY, Purpose.MARKETING.value} & set(event.purposes):
        return False if event.occurred_at > said_at else None
    return None


def close_answered(event: ConsentEvent) -> Sequence[Hold]:
    """Close what this event answers, under the contact's lock; those that turned out to be no opt-out."""
    if event.kind not in _RETURNS | {EventKind.OPT_OUT}:
        return ()
    found = Hold.objects.filter(subscriber_key=event.subscriber_key, closed_at=None)
    answers = {one: answer(event, brand_id=one.brand_id, said_at=one.said_at) for one in found}
    answered = {one.pk: said for one, said in answers.items() if said is not None}
    if answered:
        Hold.objects.filter(pk__in=answered, closed_at=None).update(
            closed_at=event.recorded_at,
            closed_by=event.actor or "the person",
            was_opt_out=Case(*(When(pk=pk, then=Value(said)) for pk, said in answered.items())),
        )
    return [one for one, said in answers.items() if said is False]
