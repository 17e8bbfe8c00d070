"""Erasing a person: everything personal goes; the opt-out and the ledger's bare events stay.

Nobody can write to the number again by mistake, because a keyed fingerprint of it stays suppressed; only the
person's own later opt-in lifts that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from contacts import audit, belonging, chain, consent, holdings, settling
from contacts.models import ConsentEvent, ConsentSource, Contact, EventKind
from contacts.standing import EVERY
from smsdesk.errors import WrongState
from smsdesk.sms_text import clean


@dataclass(frozen=True, slots=True)
class Doomed:
    """One part of what is held, and what would become of it."""

    title: str
    count: int
    fate: str


def preview(contact: Contact) -> Sequence[Doomed]:
    return [Doomed(part.title, part.count(contact), part.fate) for part in holdings.parts()]


def erase(contact: Contact, *, by: User, actor: str, reason: str, now: datetime) -> ConsentEvent:
    """Erase what the desk holds on this person. `actor` stands in the ledger, `by` and `reason` in the log.

    Raises `WrongState` under a legal hold or when somebody was faster, `Conflict` while a message is leaving.
    """
    with transaction.atomic():
        locked = consent.lock([contact.pk])
        if not locked:
            raise WrongState("already_erased", "This contact is gone already.", cure="Nothing is left to do.")
        person = locked[0]
        refuse_held(person)
        audit.note(person, f"{holdings.ERASED} {clean(reason)[:300]}".strip(), by=by)
        keys = belonging.keys_of(person)
        for part in reversed(holdings.parts()):
            part.erase(person, now=now)
        events = [_event(key, actor=actor, now=now) for key in keys]
        chain.reserve(events)
        history = settling.events_of(keys)
        settling.settle({one.subscriber_key: [*history.get(one.subscriber_key, ()), one] for one in events})
        chain.append(events)
    return events[0]


def refuse_held(contact: Contact) -> None:
    if contact.legal_hold:
        raise WrongState(
            "legal_hold",
            f"This person is under a legal hold: {contact.legal_hold}",
            cure="End the hold first, if it may end.",
        )


def _event(key: str, *, actor: str, now: datetime) -> ConsentEvent:
    """Without evidence: there is nothing to keep."""
    return ConsentEvent(
        subscriber_key=key,
        purposes=[EVERY],
        kind=EventKind.ERASE,
        occurred_at=now,
        recorded_at=now,
        source=ConsentSource.ERASURE,
        actor=clean(actor)[:150],
    )
