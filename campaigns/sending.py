"""The verbs around the ledger's queue: put a message in, take a person's messages out, wait until none is leaving.

How a queued row leaves stands in `campaigns/batch.py`; which states may follow which, in `campaigns/states.py`.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from campaigns import lanes, places
from campaigns.models import (
    Lane,
    MessageKind,
    OutboundMessage,
    OutboundState,
    Priority,
    Sender,
)
from campaigns.times import TIMES
from contacts import belonging
from contacts.models import Brand, Contact, Purpose, Suppression
from contacts.standing import EVERY
from smsdesk import clock, sms_text, wakeups
from smsdesk.errors import Invalid, WrongState
from smsdesk.models import ApiKey

MAX_CHARACTERS = 1600
OPTED_OUT = "OPTED_OUT"  # why what waited for a person was cancelled
TAKEN_BACK = "TAKEN_BACK"  # why one waiting message was cancelled by hand


def queue(
    contact: Contact,
    *,
    sender: Sender,
    text: str,
    purpose: Purpose,
    kind: MessageKind,
    priority: Priority,
    now: datetime,
    due_at: datetime | None = None,
    send_by: datetime | None = None,
    waiting_for: str = "",
    compliance_kind: str = "",
    idempotency_key: str | None = None,
    api_key: ApiKey | None = None,
) -> OutboundMessage:
    """Put one message without campaign on the ledger, in the caller's transaction, and wake the senders.

    Whether it may leave is judged when it is about to. Raises `Invalid` for an empty or too long text.
    """
    body = sms_text.clean(text).strip()
    if not body:
        raise Invalid("text_empty", "A message needs a text.", field="text", cure="Type what to say.")
    if len(body) > MAX_CHARACTERS:
        raise Invalid(
            "text_too_long",
            f"A message may have {MAX_CHARACTERS} characters, this one has {len(body)}.",
            field="text",
            cure="Shorten it or send two messages.",
        )
    due = due_at or now
    if due <= now:  # at once, by the clock that says what is due: the caller's may be an hour ahead
        due = min(due, clock.database_now())
    message = OutboundMessage.objects.create(
        kind=kind,
        purpose=purpose,
        brand_id=sender.brand_id,
        contact=contact,
        subscriber_key=contact.subscriber_key,
        phone=contact.phone,
        sender=sender,
        lane=lane_of(sender, contact_id=contact.pk),
        priority=priority,
        due_at=due,
        send_by=send_by,
        text=body,
        waiting_for=waiting_for,
        compliance_kind=compliance_kind,
        idempotency_key=idempotency_key,
        api_key=api_key,
        created_at=now,
    )
    wake()
    return message


def lane_of(sender: Sender, *, contact_id: int) -> Lane:
    """A contact's messages from one sender always take the same lane."""
    present = list(sender.lanes.order_by("number")) or lanes.ensure(sender)
    return present[contact_id % len(present)]


def wake() -> None:
    """Make sure somebody sends soon. A running drain looks by itself each second and needs no task.

    Asked after the commit: a drain that ends now either still finds the row, or is gone for `places` too.
    """
    transaction.on_commit(_wake_one, robust=True)


def wake_another() -> None:
    """In the place of one that leaves, whoever sends beside it."""
    transaction.on_commit(_wake, robust=True)


def wake_all() -> None:
    """There is much to send: as many drains as this host's workers can spare, or another's that takes them.

    Each tick asks for the host that runs it, so one that has none yet gets its own in time.
    """
    transaction.on_commit(_wake_rest, robust=True)


def _wake_one() -> None:
    if not places.sending():
        _wake()


def _wake_rest() -> None:
    for _ in range(places.most() - places.staying_here()):
        _wake()


def _wake() -> None:
    wakeups.wake("campaigns.tasks.drain")


def cancel_opted_out(
    contact: Contact, *, brand: Brand | None, now: datetime, purposes: Collection[str] = (EVERY,)
) -> int:
    """`cancel_for` where this person has just opted out: on every phone of theirs on which that stands now.

    A phone on which they came back later than they wrote this opt-out keeps what waits for it.
    """
    keys = {contact.subscriber_key}
    if others := belonging.others_of([contact.subscriber_key]):
        covers = Q(brand=None) if brand is None else Q(brand=None) | Q(brand=brand)
        standing = Suppression.objects.filter(covers, subscriber_key__in=others, lifted_by=None)
        keys |= set(standing.filter(purpose__in={EVERY, *purposes}).values_list("subscriber_key", flat=True))
    return _cancel(keys, brand=brand, code=OPTED_OUT, now=now, purposes=purposes)


def cancel_for(contact: Contact, *, brand: Brand | None, code: str, now: datetime) -> int:
    """Cancel what `brand` (None: every brand) has queued for this phone.

    The caller holds the contact's lock.

    A row whose earlier submit may have gone out is parked instead, never called "cancelled".
    Messages the rules on STOP ask for (compliance) stay. Returns how many were taken out.
    """
    return _cancel({contact.subscriber_key}, brand=brand, code=code, now=now, purposes=(EVERY,))


def _cancel(
    keys: Collection[str], *, brand: Brand | None, code: str, now: datetime, purposes: Collection[str]
) -> int:
    queued = OutboundMessage.objects.filter(subscriber_key__in=keys, state=OutboundState.QUEUED).exclude(
        purpose=Purpose.COMPLIANCE
    )
    if brand is not None:
        queued = queued.filter(brand=brand)
    if EVERY not in purposes:
        queued = queued.filter(purpose__in=purposes)
    parked = queued.filter(outcome_open=True).update(state=OutboundState.PARKED, code=code)
    cancelled = queued.filter(outcome_open=False).update(
        state=OutboundState.CANCELLED, code=code, final_at=now, waiting_for=""
    )
    return parked + cancelled


def cancel(message: OutboundMessage, *, now: datetime) -> None:
    """Take one waiting message back; raises `WrongState` when it no longer waits.

    One that an earlier submit may have sent is parked instead, as in `cancel_for`; what the rules on STOP ask for
    is not taken back.
    """
    if message.purpose == Purpose.COMPLIANCE:
        raise WrongState("compliance", "The rules ask for this message.", cure="It cannot be taken back.")
    row = OutboundMessage.objects.filter(pk=message.pk, state=OutboundState.QUEUED)
    moved = row.filter(outcome_open=True).update(state=OutboundState.PARKED, code=TAKEN_BACK)
    moved += row.filter(outcome_open=False).update(
        state=OutboundState.CANCELLED, code=TAKEN_BACK, final_at=now, waiting_for=""
    )
    message.refresh_from_db()
    if not moved:
        raise WrongState(
            "not_waiting",
            f"This message does not wait any more: {message.get_state_display().lower()}.",
            cure="Reload the page.",
        )


def drained(subscriber_key: str) -> bool:
    """True as soon as no call for this phone can begin any more; what STOP's webhook waits for.

    Rows in `submitting` for 12 s and longer belong to a dead worker: their call can be open no more.
    """
    since = clock.database_now() - timedelta(seconds=TIMES.stop_window)
    return not OutboundMessage.objects.filter(
        subscriber_key=subscriber_key, state=OutboundState.SUBMITTING, submitted_at__gt=since
    ).exists()
