"""Two contacts turn out to be one person with two phones: one of them stays, and the strictest consent wins.

What the two rows carry is joined. Consent is not: it belongs to a phone, and agreeing on one phone is no agreement
to be texted on another. Refusals are: every opt-out and every open review of either phone is written into the
ledger for the other one too, and from then on an opt-out from either phone counts for both (`consent.opt_out`).

A written copy has the source `MERGE` where the person's own START lifts the original, so that their START on
that very phone lifts the copy (and nothing on the other phone); where nothing they text lifts the original, as a
complaint, the copy keeps its source and stands just as firmly. It happens *now*, not when the original did: an
opt-in on the second phone that is older than the merge must not outlive it.

Apps add what they hold in a module `uniting_parts`, found when Django starts.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.contrib.auth.models import User
from django.db import transaction

from contacts import audit, chain, consent, holds, ledger
from contacts import fields as rules
from contacts.models import (
    ConsentEvent,
    ConsentSource,
    Contact,
    EventKind,
    Hold,
    Suppression,
    UnitedPhone,
    ZoneSource,
)
from contacts.standing import EVERY
from smsdesk import phones
from smsdesk.errors import Invalid, WrongState
from smsdesk.sms_text import clean


class Part(ABC):
    """Something that hangs on a contact, and what becomes of it when the contact is merged into another one."""

    title: ClassVar[str]
    fate: ClassVar[str]

    @abstractmethod
    def count(self, other: Contact) -> int: ...

    @abstractmethod
    def unite(self, kept: Contact, other: Contact, *, now: datetime) -> None:
        """Under both contacts' locks, in one transaction with all other parts. May raise `Conflict`."""


_PARTS: list[Part] = []


def add(part: type[Part]) -> type[Part]:
    _PARTS.append(part())
    return part


@dataclass(frozen=True, slots=True)
class Moved:
    """One part of what the other contact has, and what would become of it."""

    title: str
    count: int
    fate: str


@dataclass(frozen=True, slots=True)
class Preview:
    moved: Sequence[Moved]
    refusals: Sequence[str]  # what would be written into the ledger, in words
    joined: Contact  # as the contact would be; not stored


def preview(kept: Contact, other: Contact) -> Preview:
    """What `unite` would do now. Raises `Invalid` for a contact and itself."""
    _refuse_same(kept, other)
    joined = Contact.objects.get(pk=kept.pk)
    _complete(joined, other)
    moved = [Moved(part.title, part.count(other), part.fate) for part in _PARTS]
    pairs = ((kept, other), (other, kept))
    words = [_words(one, to) for source, to in pairs for one in _missing(source, to)]
    words += [
        f"{_shown(to)}: held for review, as the other phone is." for source, to in pairs if _holds(source, to)
    ]
    return Preview(moved, words, joined)


def unite(kept: Contact, other: Contact, *, by: User, actor: str, now: datetime) -> Contact:
    """Merge `other` into `kept`, which is returned. `actor` stands in the ledger, `by` in the log.

    Raises `WrongState` when one of them is gone, `Conflict` where a part cannot be joined now.
    """
    _refuse_same(kept, other)
    with transaction.atomic():
        kept, other = _locked(kept, other)
        refusals = [*_refusals(kept, other, actor=actor, now=now), *_refusals(other, kept, actor=actor, now=now)]
        for part in _PARTS:
            part.unite(kept, other, now=now)
        fields = _complete(kept, other)
        UnitedPhone.objects.filter(contact=other).update(contact=kept)
        UnitedPhone.objects.update_or_create(
            contact=kept,
            subscriber_key=other.subscriber_key,
            defaults={"phone": other.phone, "former_public_id": other.public_id, "united_at": now},
        )
        said = f"Merged {other.ref} ({phones.mask(other.phone)}) into this contact."
        if other.external_id and other.external_id != kept.external_id:
            said += " Its external id was given up."  # not which: the log outlives an erasure
        Contact.objects.filter(pk=other.pk).delete()
        kept.save(update_fields=[*fields, "updated_at"])
        audit.note(kept, said, by=by)
        ledger.write(refusals)
        _hold_both(kept, other, now=now, actor=actor)
    return kept


def _refuse_same(kept: Contact, other: Contact) -> None:
    if kept.pk == other.pk:
        raise Invalid("same_contact", "This is the same contact.", field="other", cure="Choose another one.")


def _locked(kept: Contact, other: Contact) -> tuple[Contact, Contact]:
    """Both as they are now, locked in id order."""
    found = {contact.pk: contact for contact in consent.lock([kept.pk, other.pk])}
    if len(found) < 2:
        raise WrongState(
            "contact_gone", "One of the two contacts is gone.", cure="Somebody merged or erased it already."
        )
    return found[kept.pk], found[other.pk]


# --- What the row carries ---------------------------------------------------------------------------------


def _complete(kept: Contact, other: Contact) -> list[str]:
    """Fill the gaps of `kept`; the stated time zone and the stricter birth date win. The fields that may change.

    What is about the number (country, line, whether it is dead, when they last wrote) stays with it.
    """
    for name in ("name", "external_id", "language", "region"):
        setattr(kept, name, getattr(kept, name) or getattr(other, name))
    is_stated = other.time_zone_source == ZoneSource.STATED and kept.time_zone_source != ZoneSource.STATED
    if other.time_zone and (is_stated or not kept.time_zone):
        kept.time_zone, kept.time_zone_source = other.time_zone, other.time_zone_source
    births = [date for date in (kept.birth_date, other.birth_date) if date]
    kept.birth_date = max(births, default=None)  # the younger one: a minimum age is then surely reached
    room = rules.MAX_ATTRIBUTES - len(kept.attributes)
    gaps = [(name, value) for name, value in other.attributes.items() if name not in kept.attributes]
    kept.attributes = {**kept.attributes, **dict(gaps[:room])}
    holds = dict.fromkeys(hold for hold in (kept.legal_hold, other.legal_hold) if hold)
    kept.legal_hold = "; ".join(holds)[:300]
    return [
        "name", "external_id", "language", "region", "time_zone", "time_zone_source", "birth_date", "attributes",
        "legal_hold",
    ]  # fmt: skip


# --- What either phone has refused ------------------------------------------------------------------------


def _missing(source: Contact, to: Contact) -> Iterator[Suppression]:
    """Standing opt-outs of one phone that do not stand as firmly for the other."""
    own = {
        (one.brand_id, one.purpose): ConsentSource(one.source)
        for one in Suppression.objects.filter(subscriber_key=to.subscriber_key, lifted_by=None)
    }
    standing = Suppression.objects.filter(subscriber_key=source.subscriber_key, lifted_by=None)
    for one in standing.select_related("brand").order_by("pk"):
        known = own.get((one.brand_id, one.purpose))
        if known is None or ConsentSource(one.source).outweighs(known):
            yield one


def _refusals(source: Contact, to: Contact, *, actor: str, now: datetime) -> Iterator[ledger.Told]:
    for one in list(_missing(source, to)):
        can_be_lifted = ConsentSource(one.source).is_lifted_by_own_act
        event = ConsentEvent(
            subscriber_key=to.subscriber_key,
            brand=one.brand,
            purposes=[one.purpose],
            kind=EventKind.SUPPRESS,
            occurred_at=now,
            recorded_at=now,
            source=ConsentSource.MERGE if can_be_lifted else one.source,
            actor=clean(actor)[:150],
        )
        note = f"merged with {source.ref}, which opted out on {one.since:%Y-%m-%d} ({one.get_source_display()})"
        yield event, {"phone": to.phone, "name": to.name, "note": note}


def _holds(source: Contact, to: Contact) -> list[Hold]:
    """The open reviews of one phone that the other has not."""
    open_holds = Hold.objects.filter(closed_at=None)
    own = set(open_holds.filter(subscriber_key=to.subscriber_key).values_list("brand_id", flat=True))
    found = open_holds.filter(subscriber_key=source.subscriber_key).select_related("brand").order_by("pk")
    return [hold for hold in found if hold.brand_id not in own]


def _hold_both(kept: Contact, other: Contact, *, now: datetime, actor: str) -> None:
    """Each clock goes on from when its text came."""
    events = []
    for hold, to in [*((one, other) for one in _holds(kept, other)), *((one, kept) for one in _holds(other, kept))]:
        holds.begin(
            to.subscriber_key,
            brand=hold.brand,
            inbound_id=hold.inbound_id,
            said_at=hold.said_at,
            now=hold.opened_at,
        )
        events.append(
            ConsentEvent(
                subscriber_key=to.subscriber_key,
                brand=hold.brand,
                purposes=[EVERY],
                kind=EventKind.HOLD,
                occurred_at=hold.said_at,
                recorded_at=now,
                source=ConsentSource.MERGE,
                actor=clean(actor)[:150],
            )
        )
    chain.append(events)


def _words(one: Suppression, to: Contact) -> str:
    purpose = "" if one.purpose == EVERY else f" ({one.purpose})"
    return (
        f"{_shown(to)}: opted out of {one.brand or 'every brand'}{purpose}, as the other phone is "
        f"since {one.since:%Y-%m-%d} ({one.get_source_display().lower()})."
    )


def _shown(contact: Contact) -> str:
    return phones.mask(contact.phone)
