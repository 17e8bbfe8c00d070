"""Opt-outs of phones, many at once, whether a contact has the phone or not: a suppression needs no contact.

The lock of a phone is its contact's row. A phone without a contact has none to lock: whoever suppresses it at the
same moment is told so by the unique index, and begins again. Whoever adds the contact meanwhile, and whoever comes
second here, finds the other's event once he holds the ledger's head (`ledger.write`, `chain.Overtaken`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from contacts import belonging, consent, ledger
from contacts.models import Brand, ConsentEvent, ConsentSource, Contact, EventKind, Suppression
from contacts.standing import EVERY
from smsdesk import bulk_sql
from smsdesk.errors import Invalid
from smsdesk.sms_text import clean

PAGE = 1_000  # phones of one transaction: the ledger's head is held for so long
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused, and how we know."""

    brand: Brand | None  # None: every brand
    source: ConsentSource
    note: str
    purposes: tuple[str, ...] = (EVERY,)


@dataclass(frozen=True, slots=True)
class Suppressed:
    new: int  # phones
    standing: int  # phones that were suppressed in just this way before; nothing was written for them


def suppress(
    numbers: Mapping[str, str], *, refusal: Refusal, occurred_at: datetime, now: datetime, by: str
) -> Suppressed:
    """Suppress these phones (subscriber key → E.164); raises `Invalid` without evidence.

    Page by page, each committed by itself: repeated after a crash, it goes on with those that are missing.
    """
    if not clean(refusal.note).strip():
        raise Invalid("note_missing", "An opt-out needs its evidence.", field="note", cure="Say how you know.")
    keys = sorted(numbers)
    new = 0
    for start in range(0, len(keys), PAGE):
        page = {key: numbers[key] for key in keys[start : start + PAGE]}
        new += _insist(page, refusal=refusal, occurred_at=occurred_at, now=now, by=by)
    return Suppressed(new=new, standing=len(keys) - new)


def already(keys: Collection[str], *, refusal: Refusal) -> set[str]:
    """Those of the phones for which this very refusal stands as firmly."""
    needed = {(refusal.brand.pk if refusal.brand else None, purpose) for purpose in refusal.purposes}
    found: dict[str, set[tuple[int | None, str]]] = {}
    rows = Suppression.objects.filter(bulk_sql.among("subscriber_key", keys), lifted_by=None)
    for key, brand, purpose, source in rows.values_list("subscriber_key", "brand_id", "purpose", "source"):
        if not refusal.source.outweighs(ConsentSource(source)):
            found.setdefault(key, set()).add((brand, purpose))
    return {key for key, scopes in found.items() if needed <= scopes}


def _insist(page: Mapping[str, str], *, refusal: Refusal, occurred_at: datetime, now: datetime, by: str) -> int:
    for left in reversed(range(_TRIES)):
        try:
            with transaction.atomic():
                return _suppress(page, refusal=refusal, occurred_at=occurred_at, now=now, by=by)
        except IntegrityError:
            if not left:
                raise
    raise AssertionError("unreachable")


def _suppress(page: Mapping[str, str], *, refusal: Refusal, occurred_at: datetime, now: datetime, by: str) -> int:
    known = Contact.objects.filter(bulk_sql.among("subscriber_key", page)).values_list("pk", flat=True)
    consent.lock(list(known))
    done = already(list(page), refusal=refusal)
    told = list(_events(page, done, refusal=refusal, occurred_at=occurred_at, now=now, by=by))
    ledger.write(told)
    return len(page) - len(done)


def _events(
    page: Mapping[str, str],
    done: Collection[str],
    *,
    refusal: Refusal,
    occurred_at: datetime,
    now: datetime,
    by: str,
) -> Iterator[ledger.Told]:
    """One for each phone, and for every other phone of the same person."""
    note = clean(refusal.note).strip()[:10_000]
    wanted = {key: phone for key, phone in page.items() if key not in done}
    tied = belonging.others_of(list(wanted))
    for key, phone in {**tied, **wanted}.items():
        is_own = key in wanted
        event = ConsentEvent(
            subscriber_key=key,
            brand=refusal.brand,
            purposes=_sorted(refusal.purposes),
            kind=EventKind.OPT_OUT,
            occurred_at=min(occurred_at, now),
            recorded_at=now,
            source=refusal.source,
            actor=clean(by)[:150],
        )
        yield (
            event,
            {"phone": phone, "note": note if is_own else f"on another phone of this person: {note}"[:10_000]},
        )


def _sorted(purposes: Sequence[str]) -> list[str]:
    return sorted(dict.fromkeys(purposes))
