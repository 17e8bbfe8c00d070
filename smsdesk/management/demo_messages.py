"""Texts of the demo's past, as rows: what was said and heard before the demo began. Nothing here is sent."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from campaigns import lanes
from campaigns.models import Campaign, DeliveryEvent, OutboundMessage, OutboundState, Sender
from contacts.models import Contact
from inbound import intent
from inbound.models import InboundMessage
from smsdesk import sms_text

WORDS = {OutboundState.DELIVERED: "DELIVERED_TO_HANDSET", OutboundState.UNDELIVERED: "UNDELIVERABLE_NOT_DELIVERED"}


def heard(contact: Contact, sender: Sender, text: str, *, at: datetime) -> InboundMessage:
    """A text somebody sent us; what follows from it is the caller's to say."""
    reading = intent.read(text)
    name = f"demo-{uuid.uuid4().hex}"
    Contact.objects.filter(pk=contact.pk).update(last_inbound_at=at)
    return InboundMessage.objects.create(
        account=sender.account,
        event_key=name,
        gateway_id=name,
        phone=contact.phone,
        subscriber_key=contact.subscriber_key,
        contact=contact,
        sender=sender,
        text=text,
        intent=reading.intent,
        confidence=reading.confidence,
        rule=reading.rule[:60],
        occurred_at=at,
        received_at=at,
    )


def said(
    contact: Contact,
    sender: Sender,
    text: str,
    *,
    at: datetime,
    kind: str,
    purpose: str,
    campaign: Campaign | None = None,
    state: OutboundState = OutboundState.DELIVERED,
    **facts: Any,
) -> OutboundMessage:
    """A message of ours that has left, or was kept back, at that time."""
    has_left = state not in (OutboundState.SKIPPED, OutboundState.REJECTED)
    size = sms_text.measure(text)
    message = OutboundMessage.objects.create(
        kind=kind,
        purpose=purpose,
        brand=sender.brand,
        campaign=campaign,
        contact=contact,
        subscriber_key=contact.subscriber_key,
        phone=contact.phone,
        sender=sender,
        lane=lanes.ensure(sender)[0],
        priority=50 if campaign else 10,
        state=state,
        due_at=at,
        created_at=at,
        text="" if campaign else text,
        body="" if state == OutboundState.SKIPPED else text,
        encoding="" if state == OutboundState.SKIPPED else size.encoding,
        parts=None if state == OutboundState.SKIPPED else size.parts,
        submitted_at=None if state == OutboundState.SKIPPED else at,
        submit_no=0 if state == OutboundState.SKIPPED else 1,
        accepted_at=at + timedelta(milliseconds=180) if has_left else None,
        gateway_id=f"demo-{uuid.uuid4().hex[:16]}" if has_left else "",
        final_at=at + timedelta(seconds=3),
        **facts,
    )
    if state in WORDS:
        _receipt(message, WORDS[state], at=at + timedelta(seconds=3))
    return message


def _receipt(message: OutboundMessage, word: str, *, at: datetime) -> None:
    DeliveryEvent.objects.create(
        account=message.sender.account,
        event_key=f"{message.gateway_id}:{word}",
        message=message,
        reference=message.public_id,
        gateway_id=message.gateway_id,
        word=word,
        state=message.state,
        code=message.error_code,
        occurred_at=at,
        received_at=at,
    )
