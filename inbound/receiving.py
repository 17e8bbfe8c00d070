"""A text arrives: stored once, acted upon in the same transaction, answered when its effect is certain.

STOP commits before the gateway hears 2xx, and the answer then waits until no call for that phone can begin.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import OperationalError, transaction

from campaigns import receipts, sending
from campaigns.models import GatewayAccount, Sender
from campaigns.times import TIMES
from contacts import belonging, consent
from contacts.models import Contact
from inbound import handling
from inbound.models import InboundMessage, Intent
from smsdesk import clock, failpoints, locks, page_links, phones, sms_text, tallies
from smsdesk.errors import Invalid
from smsdesk.gateways.contract import InboundText

log = structlog.get_logger(__name__)

LONGEST_TEXT = 4_000  # characters kept
_TRIES = 3
_TRY_AGAIN = {"40001", "40P01"}  # serialization failure, deadlock


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a gateway delivered, fit for any database; `phone` None when nobody can be written back."""

    event_key: str
    gateway_id: str
    given: str
    phone: phones.Phone | None
    sender: Sender | None
    text: str
    occurred_at: datetime
    raw: Any


def receive(account: GatewayAccount, text: InboundText, *, now: datetime) -> InboundMessage:
    """Store and act upon one text; a repeat changes nothing. Returns when its answer may be given."""
    return receive_all(account, [text], now=now)[0]


def receive_all(account: GatewayAccount, texts: Sequence[InboundText], *, now: datetime) -> list[InboundMessage]:
    """Each text in a transaction of its own, then one wait for every STOP among them."""
    messages = [_take(account, text, now=now) for text in texts]
    stopped = {
        m.subscriber_key
        for m in messages
        if m.intent == Intent.OPT_OUT and m.confidence != "review" and m.contact_id
    }
    wait_until_drained(stopped)
    return messages


def _take(account: GatewayAccount, text: InboundText, *, now: datetime) -> InboundMessage:
    heard = _understand(account, text, now=now)
    for left in reversed(range(_TRIES)):
        try:
            with transaction.atomic():
                message = _store_and_act(account, text, heard, now=now)
                failpoints.hit("inbound.before_commit")
            failpoints.hit("inbound.after_commit")
            return message
        except OperationalError as problem:
            if not left or getattr(problem.__cause__, "sqlstate", "") not in _TRY_AGAIN:
                raise
            log.warning("inbound_tried_again", code=getattr(problem.__cause__, "sqlstate", ""))
    raise AssertionError("unreachable")


def _store_and_act(account: GatewayAccount, text: InboundText, heard: _Heard, *, now: datetime) -> InboundMessage:
    be_patient()
    contact = consent.get_or_add_locked(heard.phone, now=now) if heard.phone else None
    new = _row(account, heard, contact, now=now)
    InboundMessage.objects.bulk_create([new], ignore_conflicts=True)
    message = InboundMessage.objects.select_related("sender__brand").get(account=account, event_key=heard.event_key)
    if message.public_id != new.public_id or contact is None or heard.sender is None:
        return message
    handling.act(
        message,
        contact=contact,
        sender=heard.sender,
        hint=text.opt_hint,
        is_answered=text.answers_stop_itself,
        now=now,
    )
    return message


def _row(account: GatewayAccount, heard: _Heard, contact: Contact | None, *, now: datetime) -> InboundMessage:
    key = heard.phone.subscriber_key if heard.phone else ""
    return InboundMessage(
        account=account,
        event_key=heard.event_key,
        gateway_id=heard.gateway_id,
        phone=heard.phone.e164 if heard.phone else heard.given,
        subscriber_key=key,
        contact=contact,
        sender=heard.sender,
        text=heard.text,
        answers=receipts.latest_message_to(key, heard.sender) if key and heard.sender else None,
        occurred_at=heard.occurred_at,
        received_at=now,
        raw=heard.raw,
    )


def _understand(account: GatewayAccount, text: InboundText, *, now: datetime) -> _Heard:
    own = list(Sender.objects.filter(account=account).select_related("brand").order_by("pk"))
    known = _named(own, text.sender)
    first = known or _first(own)
    given = _clean(text.phone).strip()[:32]
    phone = _phone(given, region=first.country if first else "")
    # A number we have no longer: whoever texted this phone last is meant, and the first where nobody did.
    sender = known or (phone and receipts.latest_sender_to(phone.subscriber_key, account)) or first
    return _Heard(
        event_key=_clean(text.event_key)[:128],
        gateway_id=_clean(text.gateway_id)[:128],
        given=given,
        phone=phone,
        sender=sender,
        text=page_links.hidden(_clean(text.text))[:LONGEST_TEXT],  # a reaction quotes ours
        occurred_at=min(text.at, now) if text.at else now,
        raw=sms_text.storable(text.raw),
    )


def _named(own: Sequence[Sender], value: str) -> Sender | None:
    """Which of the account's senders was written to."""
    bare = value.strip().lstrip("+")
    return next((sender for sender in own if sender.value.lstrip("+") == bare), None)


def _first(own: Sequence[Sender]) -> Sender | None:
    """The first that can be answered, or the first."""
    return next((sender for sender in own if sender.is_two_way), own[0] if own else None)


def _phone(given: str, *, region: str) -> phones.Phone | None:
    """None for short codes, names and service numbers: they are no person's phone."""
    try:
        return phones.parse(given, default_region=region)
    except Invalid:
        return None


def _clean(text: str) -> str:
    return sms_text.clean(text)


def be_patient() -> None:
    """A frozen sender gives the contact's lock back after 5 s; a STOP outwaits it rather than fail at 2 s."""
    locks.wait_longer(7)


def wait_until_drained(subscriber_keys: set[str]) -> None:
    """Return when no call for these phones, and the others of these people, can begin any more, or after 8 s.

    With no transaction open.
    """
    if not subscriber_keys:
        return
    deadline = time.monotonic() + TIMES.stop_wait
    pause = 0.01
    everywhere = subscriber_keys | set(belonging.others_of(subscriber_keys))
    waiting = {key for key in everywhere if not sending.drained(key)}
    failpoints.hit("stop.draining")
    while waiting:
        if time.monotonic() > deadline:
            log.error("stop_drain_timeout", phones=len(waiting))
            tallies.count_today("stop_drain_timeout", now=clock.database_now())
            return
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
        waiting = {key for key in waiting if not sending.drained(key)}
