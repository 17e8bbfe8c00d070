"""What people agree to and what they take back: the only way into the consent ledger.

Every verb locks the contact first and the ledger's head last (contacts by id → … → head), appends one event and
writes the current state from the whole history of the phone, so it does not matter in which order events arrive.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from contacts import belonging, chain, holds, ledger, settling
from contacts.imported_consent import prepare_import
from contacts.models import (
    Basis,
    Brand,
    ConsentEvent,
    ConsentSource,
    Contact,
    EventKind,
    Hold,
    Purpose,
)
from contacts.proof import Proof, aware, happened
from contacts.standing import EVERY
from smsdesk.errors import Invalid, WrongState
from smsdesk.phones import Phone
from smsdesk.sms_text import clean

log = structlog.get_logger(__name__)

__all__ = [
    "Proof",
    "confirm",
    "confirm_hold",
    "get_or_add",
    "get_or_add_locked",
    "history",
    "hold",
    "lock",
    "opt_in",
    "opt_out",
    "prepare_import",
    "reassign",
    "release",
    "resume",
]

_CAN_BE_GRANTED = frozenset({Purpose.MARKETING.value, Purpose.TRANSACTIONAL.value, Purpose.CONVERSATIONAL.value})
_CAN_BE_REFUSED = _CAN_BE_GRANTED | {EVERY}


def lock(ids: Collection[int]) -> list[Contact]:
    """These contacts, locked until the transaction ends, in id order; one that is gone is left out.

    Contacts of the same person are locked with them: an opt-out of one is written for all.
    """
    everybody = belonging.with_relatives(ids)
    locked = Contact.objects.filter(pk__in=everybody).order_by("pk").select_for_update(no_key=True)
    return [contact for contact in locked if contact.pk in ids]


def get_or_add(phone: Phone, *, now: datetime) -> Contact:
    """The contact of this handset, made when there is none; safe when several do it at once."""
    known = Contact.objects.filter(subscriber_key=phone.subscriber_key)
    contact = known.first()
    if contact is None:
        fresh = Contact(phone=phone.e164, subscriber_key=phone.subscriber_key, country=phone.region, created_at=now)
        Contact.objects.bulk_create([fresh], ignore_conflicts=True)
        contact = known.get()
    return contact


def get_or_add_locked(phone: Phone, *, now: datetime) -> Contact:
    """The same, locked until the transaction ends; made anew where somebody deletes it at this moment."""
    while not (locked := lock([get_or_add(phone, now=now).pk])):
        log.info("contact_deleted_meanwhile")
    return locked[0]


def opt_in(
    contact: Contact,
    *,
    brand: Brand,
    purposes: Collection[Purpose],
    basis: Basis,
    source: ConsentSource,
    proof: Proof,
    occurred_at: datetime,
    now: datetime,
    by: str = "",
    expires_at: datetime | None = None,
) -> ConsentEvent:
    """Record consent; only the person's own act lifts a suppression. Raises `Invalid` for purposes and times."""
    event = ConsentEvent(
        subscriber_key=contact.subscriber_key,
        brand=brand,
        purposes=_purposes(purposes, allowed=_CAN_BE_GRANTED),
        kind=EventKind.OPT_IN,
        basis=basis,
        occurred_at=happened(occurred_at, now=now),
        recorded_at=now,
        source=source,
        actor=clean(by)[:150],
        expires_at=expires_at,
        is_proven=not proof.missing,
    )
    return _record(contact, event, document=_document(contact, proof))


def resume(contact: Contact, *, brand: Brand, proof: Proof, occurred_at: datetime, now: datetime) -> ConsentEvent:
    """START: the person comes back by text. Lifts what their own STOP, the carrier or erasure had suppressed.

    What the opt-out had ended is alive again; marketing only where complete, express written consent existed.
    """
    event = ConsentEvent(
        subscriber_key=contact.subscriber_key,
        brand=brand,
        purposes=[EVERY],
        kind=EventKind.LIFT,
        occurred_at=happened(occurred_at, now=now),
        recorded_at=now,
        source=ConsentSource.TEXT,
    )
    return _record(contact, event, document=_document(contact, proof))


def confirm(
    contact: Contact,
    *,
    brand: Brand,
    purposes: Collection[Purpose],
    source: ConsentSource,
    proof: Proof,
    occurred_at: datetime,
    now: datetime,
) -> ConsentEvent:
    """The second yes of a double opt-in."""
    event = ConsentEvent(
        subscriber_key=contact.subscriber_key,
        brand=brand,
        purposes=_purposes(purposes, allowed=_CAN_BE_GRANTED),
        kind=EventKind.CONFIRM,
        occurred_at=happened(occurred_at, now=now),
        recorded_at=now,
        source=source,
    )
    return _record(contact, event, document=_document(contact, proof))


def opt_out(
    contact: Contact,
    *,
    brand: Brand | None,
    source: ConsentSource,
    occurred_at: datetime,
    now: datetime,
    by: str = "",
    purposes: Collection[str] = (EVERY,),
    note: str = "",
    proof: Proof | None = None,
) -> ConsentEvent:
    """Record an opt-out for a brand (None: every brand). Twice gives two events and one suppression.

    A time in the future is taken as now: a wrong clock must not lose a STOP. Where contacts were merged, it is
    written for every phone of the person.
    """
    event = ConsentEvent(
        subscriber_key=contact.subscriber_key,
        brand=brand,
        purposes=_purposes(purposes, allowed=_CAN_BE_REFUSED),
        kind=EventKind.OPT_OUT,
        occurred_at=min(aware(occurred_at), now),
        recorded_at=now,
        source=source,
        actor=clean(by)[:150],
    )
    document = _document(contact, proof) | ({"note": clean(note)[:10_000]} if note else {})
    with transaction.atomic():
        lock([contact.pk])
        others = belonging.others_of([contact.subscriber_key])
        if others:  # where this contact has just been merged into another one, that one is not locked yet
            lock(list(Contact.objects.filter(subscriber_key__in=others).values_list("pk", flat=True)))
        ledger.write([(event, document), *(_same_for(key, phone, event) for key, phone in others.items())])
    return event


def reassign(
    contact: Contact, *, source: ConsentSource, now: datetime, by: str = "", note: str = ""
) -> ConsentEvent:
    """The number has a new owner, who has agreed to nothing: ends consent of every brand (47 CFR 64.1200(m)).

    Not an opt-out: the new owner may opt in.
    """
    event = ConsentEvent(
        subscriber_key=contact.subscriber_key,
        purposes=[EVERY],
        kind=EventKind.REASSIGN,
        occurred_at=now,
        recorded_at=now,
        source=source,
        actor=clean(by)[:150],
    )
    document = {"phone": contact.phone} | ({"note": clean(note)[:10_000]} if note else {})
    return _record(contact, event, document=document)


def hold(
    contact: Contact, *, brand: Brand | None, inbound_id: UUID | None, said_at: datetime, now: datetime
) -> Hold | None:
    """A text may be an opt-out: nothing but replies leaves until a person decides. One open hold per brand.

    None where the person has made themselves clear later than they wrote it.
    """
    said_at = min(aware(said_at), now)
    with transaction.atomic():
        lock([contact.pk])
        events = settling.events_of([contact.subscriber_key]).get(contact.subscriber_key, [])
        if holds.is_answered(events, brand_id=brand.pk if brand else None, said_at=said_at):
            return None
        opened, is_new = holds.begin(
            contact.subscriber_key, brand=brand, inbound_id=inbound_id, said_at=said_at, now=now
        )
        fresh = [opened] if is_new else []
        for key in belonging.others_of([contact.subscriber_key]):  # their other phones wait too
            copied, is_new = holds.begin(key, brand=brand, inbound_id=inbound_id, said_at=said_at, now=now)
            fresh += [copied] if is_new else []
        chain.append([ledger.review_event(one, EventKind.HOLD, at=said_at, now=now, by="") for one in fresh])
        return opened


def release(hold: Hold, *, contact: Contact, by: str, now: datetime) -> None:
    """A person read it: no opt-out, on whichever phones of theirs the same text holds messages.

    Raises `WrongState` when somebody was faster. (An opt-out closes them all by itself: it is written for each.)
    """
    with transaction.atomic():
        lock([contact.pk])
        if not holds.close(hold, by=clean(by), was_opt_out=False, now=now):
            raise _decided(hold)
        copies = holds.of_same_text(hold, keys=belonging.others_of([hold.subscriber_key]))
        closed = [hold, *(one for one in copies if holds.close(one, by=clean(by), was_opt_out=False, now=now))]
        chain.append([ledger.review_event(one, EventKind.RELEASE, at=now, now=now, by=by) for one in closed])


def confirm_hold(hold: Hold, *, contact: Contact, by: str, note: str, now: datetime) -> ConsentEvent:
    """An opt-out, from the moment it was written; `by` decided so. Raises `WrongState` when somebody was faster."""
    with transaction.atomic():
        lock([contact.pk])
        if not holds.close(hold, by=clean(by), was_opt_out=True, now=now):
            raise _decided(hold)
        return opt_out(
            contact,
            brand=hold.brand,
            source=ConsentSource.TEXT,
            occurred_at=hold.said_at,
            now=now,
            by=by,
            note=f"{note}; inbound message {hold.inbound_id or 'not recorded'}",
        )


def history(subscriber_key: str) -> QuerySet[ConsentEvent]:
    """Everything the ledger knows of a phone, latest first; evidence where it has not been erased."""
    events = ConsentEvent.objects.filter(subscriber_key=subscriber_key)
    return events.select_related("brand", "evidence").order_by("-occurred_at", "-seq")


def _record(contact: Contact, event: ConsentEvent, *, document: Mapping[str, str]) -> ConsentEvent:
    """Append the event with its evidence and bring the current state of the phone up to date."""
    with transaction.atomic():
        lock([contact.pk])
        ledger.write([(event, document)])
    return event


def _same_for(key: str, phone: str, event: ConsentEvent) -> ledger.Told:
    """The opt-out for another phone of the person, lifted there by what would lift it here."""
    is_liftable = ConsentSource(event.source).is_lifted_by_own_act
    copy = ConsentEvent(
        subscriber_key=key,
        brand=event.brand,
        purposes=event.purposes,
        kind=EventKind.OPT_OUT,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        source=ConsentSource.MERGE if is_liftable else event.source,
        actor=event.actor,
    )
    return copy, {"phone": phone, "note": "opted out on another phone of this person"}


def _document(contact: Contact, proof: Proof | None) -> dict[str, str]:
    return {"phone": contact.phone, "name": contact.name} | (proof.as_document() if proof else {})


def _decided(hold: Hold) -> WrongState:
    said = {True: "an opt-out", False: "no opt-out", None: "nothing to decide any more"}[hold.was_opt_out]
    return WrongState("hold_decided", f"This was decided already, by {hold.closed_by}: {said}.")


def _purposes(purposes: Collection[str], *, allowed: Collection[str]) -> list[str]:
    """Sorted, each once, in plain words; raises `Invalid` for none or for one that is not `allowed`."""
    named = sorted({str(purpose) for purpose in purposes})
    wrong = [purpose for purpose in named if purpose not in allowed]
    if wrong or not named:
        raise Invalid(
            "invalid_purpose",
            "This is not a purpose a person can agree to or refuse.",
            field="purposes",
            value=", ".join(wrong)[:60],
            cure=f"Use one or more of: {', '.join(sorted(allowed))}.",
        )
    return named
