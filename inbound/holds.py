"""What becomes of a text that may be an opt-out: a person decides, or the time runs out and it counts as one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns import receipts, sending
from contacts import business_days, consent
from contacts.models import Brand, Contact, Hold, Suppression
from contacts.standing import EVERY
from inbound import conversations
from inbound.models import ConversationEventKind, InboundMessage
from smsdesk import phones
from smsdesk.errors import Invalid, WrongState

log = structlog.get_logger(__name__)

NOBODY = "smsdesk: nobody read it in time"  # in the ledger, where a name would stand
_FIRST = 1_000  # holds of one round; the oldest go first


@dataclass(frozen=True, slots=True)
class Effect:
    """Of an opt-out; `stands` is False where they have agreed to something since they wrote it."""

    brand: Brand | None
    cancelled: int
    stands: bool

    @property
    def sentence(self) -> str:
        whose = str(self.brand) if self.brand else "every brand"
        if not self.stands:
            return f"Recorded as an opt-out from {whose}. What they have agreed to since they wrote it goes on."
        waiting = {0: "Nothing was waiting to be sent.", 1: "1 message that was waiting is cancelled."}
        more = waiting.get(self.cancelled, f"{self.cancelled} messages that were waiting are cancelled.")
        return f"Opted out of {whose}. {more}"


def waiting() -> "QuerySet[Hold]":
    """Open holds, the oldest first."""
    return Hold.objects.filter(closed_at=None).select_related("brand").order_by("opened_at", "pk")


def clock(hold: Hold, *, phone: str, now: datetime) -> business_days.Clock:
    """How much of the time is used up, by the days of whoever wrote it."""
    country = hold.brand.default_country if hold.brand else ""
    return business_days.clock(hold.opened_at, now=now, zones=_zones(phone), country=country)


def opt_out(hold: Hold, *, by: str, note: str, now: datetime) -> Effect:
    """It is one: from when it was written, as STOP would be. Raises `WrongState` when somebody was faster."""
    with transaction.atomic():
        text = _text(hold)
        contact = _person(hold, text, now=now)
        consent.confirm_hold(hold, contact=contact, by=by, note=note, now=now)
        if not is_opted_out(contact, brand=hold.brand):
            return Effect(hold.brand, 0, stands=False)
        cancelled = sending.cancel_opted_out(contact, brand=hold.brand, now=now)
        if text is not None:
            _tell(text, contact, kind=ConversationEventKind.OPTED_OUT, detail=f"by {by}", now=now)
            if text.answers:
                receipts.record_reply(text.answers, now=now, opted_out=True)
    return Effect(hold.brand, cancelled, stands=True)


def release(hold: Hold, *, by: str, now: datetime) -> None:
    """It is none. Raises `WrongState` when somebody was faster."""
    with transaction.atomic():
        text = _text(hold)
        contact = _known(hold) or Contact(subscriber_key=hold.subscriber_key)
        consent.release(hold, contact=contact, by=by, now=now)
        if text is not None:
            _tell(text, contact, kind=ConversationEventKind.RELEASED, detail=f"by {by}", now=now)


def opt_out_overdue(*, now: datetime) -> int:
    """Opt out whoever nobody has read in time; how many. Any round may run twice, or beside a person."""
    done = 0
    for hold in overdue(waiting()[:_FIRST], now=now):
        try:
            opt_out(hold, by=NOBODY, note="nobody read it in time", now=now)
        except WrongState:
            continue  # decided at this moment
        done += 1
    if done:
        log.error("holds_opted_out_unread", holds=done)
    return done


def overdue(found: Iterable[Hold], *, now: datetime) -> list[Hold]:
    holds = list(found)
    numbers = phones_of(holds)
    return [one for one in holds if clock(one, phone=numbers[one.pk], now=now).has_run_out(now)]


def phones_of(found: Iterable[Hold]) -> dict[int, str]:
    """Hold → number: the contact's, or where it was deleted the text's; "" where neither is left."""
    holds = list(found)
    keys = {one.subscriber_key for one in holds}
    known = dict(Contact.objects.filter(subscriber_key__in=keys).values_list("subscriber_key", "phone"))
    missing = [one.inbound_id for one in holds if one.subscriber_key not in known and one.inbound_id]
    said = dict(InboundMessage.objects.filter(public_id__in=missing).values_list("public_id", "phone"))
    return {
        one.pk: known.get(one.subscriber_key) or (said.get(one.inbound_id, "") if one.inbound_id else "")
        for one in holds
    }


def is_opted_out(contact: Contact, *, brand: Brand | None) -> bool:
    """Nothing of this brand (None: of any) may be sent, whatever its purpose."""
    standing = Suppression.objects.filter(subscriber_key=contact.subscriber_key, lifted_by=None, purpose=EVERY)
    return standing.filter(Q(brand=None) | Q(brand=brand)).exists()


def opted_out(found: Iterable[Hold]) -> set[int]:
    """Those of these holds whose phone is opted out already."""
    holds = list(found)
    standing = Suppression.objects.filter(
        subscriber_key__in={one.subscriber_key for one in holds}, lifted_by=None, purpose=EVERY
    )
    scopes = set(standing.values_list("subscriber_key", "brand_id"))
    return {one.pk for one in holds if {(one.subscriber_key, None), (one.subscriber_key, one.brand_id)} & scopes}


def _zones(phone: str) -> tuple[str, ...]:
    return phones.time_zones(phone) if phone else ()


def _text(hold: Hold) -> InboundMessage | None:
    rows = InboundMessage.objects.select_related("sender__brand", "answers")
    return rows.filter(public_id=hold.inbound_id).first() if hold.inbound_id else None


def _known(hold: Hold) -> Contact | None:
    return Contact.objects.filter(subscriber_key=hold.subscriber_key).first()


def _person(hold: Hold, text: InboundMessage | None, *, now: datetime) -> Contact:
    """Their contact, locked: made anew where it was deleted, as a STOP would, because its row is the lock.

    Where not even the number is left, the opt-out is kept under the key alone.
    """
    known = _known(hold)
    if known is None and text is not None and text.phone:
        try:
            known = consent.get_or_add(phones.parse(text.phone, default_region=""), now=now)
        except Invalid:
            known = None
    if known is None:
        return Contact(subscriber_key=hold.subscriber_key)
    locked = consent.lock([known.pk])
    return locked[0] if locked else known


def _tell(
    text: InboundMessage, contact: Contact, *, kind: ConversationEventKind, detail: str, now: datetime
) -> None:
    if text.sender is not None and contact.pk is not None:
        conversations.tell(contact, sender=text.sender, kind=kind, detail=detail, now=now)
