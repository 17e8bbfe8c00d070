"""Answers the desk gives by itself, with the guard that keeps two robots from talking to each other for ever."""

from datetime import datetime, timedelta

import structlog

from campaigns import sending
from campaigns.models import MessageKind, OutboundMessage, Priority, Sender
from contacts import owners
from contacts.models import Brand, Contact, Purpose
from inbound.models import AutomaticReply
from smsdesk.errors import Invalid

log = structlog.get_logger(__name__)

ONE_OF_A_KIND = timedelta(hours=24)
BURST, BURST_WINDOW = 3, timedelta(minutes=10)
# How long a YES answers our question whether somebody wants to join again.
YES_COUNTS = timedelta(days=7)

STOP, START, HELP, ASK = "stop", "start", "help", "ask"
SIGN_UP, SIGN_UP_AGAIN, WELCOME = "sign_up", "sign_up_again", "welcome"  # texts about a form sent in
ASKING = (
    "{brand}: Reply YES to get recurring marketing texts, up to 4 msgs/mo. Not a condition of purchase. "
    "Msg & data rates may apply. Reply HELP for help, STOP to cancel."
)
_COMPLIANCE = {STOP: "optout_confirm", HELP: "help_reply"}


def compliance(
    contact: Contact, *, sender: Sender, kind: str, text: str, now: datetime, send_by: datetime | None = None
) -> OutboundMessage | None:
    """An answer the rules on STOP, HELP and opt-in ask for; None when the guard keeps it back."""
    known = _COMPLIANCE.get(kind, "optin_confirm")
    purpose = Purpose.COMPLIANCE
    return _say(
        contact, sender=sender, kind=kind, text=text, purpose=purpose, compliance=known, now=now, send_by=send_by
    )


def conversational(
    contact: Contact, *, sender: Sender, kind: str, text: str, now: datetime
) -> OutboundMessage | None:
    """An answer to what somebody just wrote; None when the guard keeps it back."""
    return _say(
        contact,
        sender=sender,
        kind=kind,
        text=text,
        purpose=Purpose.CONVERSATIONAL,
        compliance="",
        now=now,
        send_by=None,
    )


def wording(template: str, *, brand: Brand) -> str:
    return template.replace("{brand}", brand.name)


def awaits_yes(contact: Contact, *, brand: Brand, now: datetime) -> bool:
    """Whether our question to join again is open: asked lately, and nothing was answered since."""
    recent = AutomaticReply.objects.filter(
        subscriber_key=contact.subscriber_key, message__brand=brand, created_at__gt=now - YES_COUNTS
    )
    last = recent.filter(kind__in=(ASK, STOP, START)).order_by("-id").first()
    if last is None or last.kind != ASK:
        return False
    return not owners.has_changed(contact.subscriber_key, since=last.created_at)


def _say(
    contact: Contact,
    *,
    sender: Sender,
    kind: str,
    text: str,
    purpose: Purpose,
    compliance: str,
    now: datetime,
    send_by: datetime | None,
) -> OutboundMessage | None:
    if not sender.is_two_way or _is_guarded(contact, kind=kind, now=now):
        return None
    try:
        message = sending.queue(
            contact,
            sender=sender,
            text=text,
            purpose=purpose,
            kind=MessageKind.AUTOMATIC,
            priority=Priority.URGENT,
            now=now,
            send_by=send_by,
            compliance_kind=compliance,
        )
    except Invalid as problem:  # an empty template must not undo the opt-out it was to confirm
        log.warning("automatic_reply_refused", kind=kind, code=problem.code)
        return None
    AutomaticReply.objects.create(
        subscriber_key=contact.subscriber_key, kind=kind[:40], message=message, created_at=now
    )
    return message


def _is_guarded(contact: Contact, *, kind: str, now: datetime) -> bool:
    """The caller holds the contact's lock, so two texts at once cannot both pass."""
    lately = AutomaticReply.objects.filter(
        subscriber_key=contact.subscriber_key, created_at__gt=now - ONE_OF_A_KIND
    ).values_list("kind", "created_at")
    kinds = list(lately)
    burst = sum(1 for _, at in kinds if at > now - BURST_WINDOW)
    guarded = burst >= BURST or any(known == kind for known, _ in kinds)
    if guarded:
        log.warning("automatic_reply_guarded", kind=kind, lately=burst, contact=contact.ref)
    return guarded
