"""Messages nobody can tell the outcome of: what is known of each, and what a person decides.

*Treat as sent*, *close*, or *send again*, which may be a second copy and is a new row that points to the old one,
judged like any other. Each is decided once, with a reason, and kept (`Settlement`).
"""

from collections.abc import Iterator
from datetime import datetime

import structlog
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from campaigns import failures, sending, states
from campaigns.models import Answer, Campaign, OutboundMessage, OutboundState, Settlement
from contacts.models import Contact, Purpose
from smsdesk import clock, sms_text
from smsdesk.errors import Invalid, WrongState
from smsdesk.models import ApiKey

log = structlog.get_logger(__name__)

PAGE = 1_000
LONGEST = 300  # characters of a reason
CODES = {Answer.SENT: "TREATED_AS_SENT", Answer.CLOSE: "CLOSED", Answer.AGAIN: "SENT_AGAIN"}


def open_rows() -> "QuerySet[OutboundMessage]":
    """Parked messages that nobody has decided on yet."""
    return OutboundMessage.objects.filter(
        Q(state=OutboundState.PARKED), motion__state=OutboundState.PARKED, settlement=None
    )


def settle(
    message: OutboundMessage,
    answer: Answer,
    *,
    reason: str,
    by: User,
    now: datetime,
    api_key: ApiKey | None = None,
) -> OutboundMessage | None:
    """Decide on one parked message; the new one where it is sent again.

    Raises `WrongState` when it is not parked any more or somebody has decided, `Invalid` without a reason.
    """
    words = _reason(reason)
    with transaction.atomic():
        states.lock_rows([message.pk])
        row = open_rows().filter(pk=message.pk).select_related("contact", "sender").first()
        if row is None:
            raise _not_open(message)
        again = _send_again(row, now=now) if answer == Answer.AGAIN else None
        try:
            with transaction.atomic():
                Settlement.objects.create(
                    message=row,
                    answer=answer,
                    reason=words,
                    by=by,
                    by_name=str(by),
                    api_key=api_key,
                    settled_at=now,
                )
        except IntegrityError:
            raise _not_open(message) from None
        _mark(OutboundMessage.objects.filter(pk=row.pk, state=OutboundState.PARKED), answer)
    log.info("message_settled", message=row.ref, answer=answer, by=by.pk)
    message.refresh_from_db()
    return again


def treat_all_as_sent(campaign: Campaign, *, reason: str, by: User, now: datetime) -> int:
    """The campaign's parked messages nobody has decided on; how many."""
    words, settled = _reason(reason), 0
    while page := list(open_rows().filter(campaign=campaign).order_by("pk").values_list("pk", flat=True)[:PAGE]):
        with transaction.atomic():
            states.lock_rows(page)
            ids = list(open_rows().filter(pk__in=page).values_list("pk", flat=True))
            Settlement.objects.bulk_create(
                Settlement(message_id=pk, answer=Answer.SENT, reason=words, by=by, by_name=str(by), settled_at=now)
                for pk in ids
            )
            _mark(OutboundMessage.objects.filter(pk__in=ids, state=OutboundState.PARKED), Answer.SENT)
        settled += len(ids)
    log.info("campaign_settled", campaign=campaign.ref, count=settled, by=by.pk)
    return settled


def _mark(rows: "QuerySet[OutboundMessage]", answer: Answer) -> None:
    """What is treated as sent counts as taken; the others stay parked, for they may have been sent."""
    if answer == Answer.SENT:
        rows.update(state=OutboundState.ACCEPTED, accepted_at=F("submitted_at"), code=CODES[answer])
    else:
        rows.update(code=CODES[answer])


def _send_again(row: OutboundMessage, *, now: datetime) -> OutboundMessage:
    contact = row.contact if Contact.objects.filter(pk=row.contact_id or 0).exists() else None
    text = row.body or row.text
    if contact is None or not row.phone or not text:
        raise Invalid("nobody_to_send_to", "Its number or text is not kept any more.", cure="Close it instead.")
    if row.purpose == Purpose.COMPLIANCE:
        raise WrongState("tried_once", "Answers to STOP and HELP are not sent late.", cure="Close it instead.")
    lane = sending.lane_of(row.sender, contact_id=contact.pk)
    again = OutboundMessage.objects.create(
        kind=row.kind,
        purpose=row.purpose,
        brand_id=row.brand_id,
        contact=contact,
        subscriber_key=row.subscriber_key,
        phone=row.phone,
        sender=row.sender,
        lane=lane,
        priority=row.priority,
        due_at=min(now, clock.database_now()),
        send_by=row.send_by,
        text=text,
        api_key_id=row.api_key_id,
        resend_of=row,
        created_at=now,
    )
    sending.wake()
    return again


def _reason(text: str) -> str:
    words = sms_text.clean(text).strip()
    if not words:
        raise Invalid("reason_missing", "A reason is needed.", field="reason", cure="Say how you know, or why.")
    if len(words) > LONGEST:
        cure = f"At most {LONGEST} characters."
        raise Invalid("reason_too_long", "The reason is too long.", field="reason", cure=cure)
    return words


def _not_open(message: OutboundMessage) -> WrongState:
    message.refresh_from_db()
    settled = Settlement.objects.filter(message=message).first()
    if settled is not None:
        said = f"{settled.by_name} has decided already: {settled.get_answer_display().lower()}."
    else:
        said = f"There is nothing to decide: this message is {message.get_state_display().lower()}."
    return WrongState("not_open", said, field="state", value=message.state, cure="Reload to see what is known.")


# --- What is known ------------------------------------------------------------------------------------


def evidence(message: OutboundMessage, *, gateway: str) -> Iterator[tuple[str, str]]:
    """(what, in words), for somebody who has to decide."""
    known = message.evidence if isinstance(message.evidence, dict) else {}
    if message.submitted_at is not None and message.submit_no:
        yield "Handed over", f"{_when(message.submitted_at)}, try {message.submit_no}"
    if known.get("restored"):
        moment = parse_datetime(str(known["restored"]))
        yield "Database restored", f"{_when(moment)}: what was done after its backup is forgotten" if moment else ""
    if known.get("nothing_written"):
        yield "Surely not sent", "Nothing was written to the gateway: the worker was too late and gave up."
    elif known.get("not_taken"):
        yield "Surely not sent", f"The gateway said that it did not take it ({known['not_taken']})."
    if message.error_class or message.error_code:
        words = failures.explain(gateway, message.error_code, message.error_class)
        yield "Last answer", f"{words.cause} ({message.error_code or message.error_class})"
    elif message.submit_no:
        yield "Last answer", "None was written down: the worker ended or froze in the middle of the call."
    if known.get("worker"):
        fate = ", which has ended" if known.get("worker_gone") else ""
        yield "Worker", f"{known['worker']}{fate}"
    if message.token is not None:
        yield "Batch", str(message.token)
    yield "Asked the gateway", _lookups(known)
    if message.outcome_open:
        yield "Earlier try", "An earlier try may have been sent too; both went under the same key."
    receipts = message.events.count()
    yield "Receipts", f"{receipts} came, see its timeline" if receipts else "None came. That proves nothing."
    yield "Our reference", str(message.public_id)
    if message.gateway_id:
        yield "Gateway's id", message.gateway_id


def _lookups(known: dict[str, object]) -> str:
    last = parse_datetime(str(known.get("last_lookup", ""))) if known.get("last_lookup") else None
    asked, failed = known.get("lookups", 0), known.get("failed_lookups", 0)
    parts = [f"{asked} times, it named no such message" if asked else "never with an answer"]
    if last is not None:
        parts.append(f"last at {_when(last)}")
    if known.get("another_key"):
        parts.append("with a newer key, perhaps of another account, which proves nothing")
    if failed:
        parts.append(f"{failed} times in vain ({known.get('lookup_error', '')})")
    return ", ".join(parts)


def _when(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")
