"""What Twilio says about a message: receipts, entries of its list, inbound texts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from smsdesk.gateways import contract, errors, reading, twilio_codes

STATES: dict[str, contract.State] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "rejected",
    "canceled": "cancelled",
}
# A message of the list is ours if Twilio made it in this span around our submit (both clocks keep time).
BEFORE_SUBMIT = timedelta(seconds=5)
AFTER_SUBMIT = timedelta(seconds=60)

EVIDENCE = ("MessageSid", "MessageStatus", "ErrorCode", "RawDlrDoneDate", "MessagingServiceSid")
LIST_EVIDENCE = ("sid", "status", "error_code", "date_created", "date_sent", "num_segments", "price", "price_unit")
INBOUND_EVIDENCE = ("MessageSid", "OptOutType", "NumMedia", "NumSegments", "FromCountry", "MessagingServiceSid")
OPT_HINTS: dict[str, Any] = {"STOP": "stop", "START": "start", "HELP": "help"}


def match(
    group: Sequence[contract.LookupItem], messages: Sequence[Mapping[str, Any]], *, submitted_after: datetime
) -> list[contract.Receipt]:
    """Which of the messages of a list prove which of the items; all of `group` share the two parties."""
    found: list[contract.Receipt] = []
    for text in {item.body for item in group}:
        asked = [item for item in group if item.body == text]
        starts = [item.submitted_at or submitted_after for item in asked]
        since, until = min(starts) - BEFORE_SUBMIT, max(starts) + AFTER_SUBMIT
        hits = []
        for said in messages:
            made = reading.moment(said.get("date_created"))
            if said.get("body") == text and made is not None and since <= made <= until:
                hits.append((made, said))
        if len(hits) <= len(asked):
            hits.sort(key=lambda hit: hit[0])
            found += [listed(hit[1], item.reference) for hit, item in zip(hits, asked, strict=False)]
    return [proof for proof in found if proof.gateway_id]


def listed(said: Mapping[str, Any], reference: UUID) -> contract.Receipt:
    return _told(
        sid=reading.identifier(said.get("sid")),
        word=reading.word(said.get("status")),
        code=reading.code(said.get("error_code")),
        reference=reference,
        parts=reading.count(said.get("num_segments")),
        at=reading.moment(said.get("date_sent")) or reading.moment(said.get("date_created")),
        raw=reading.kept(said, LIST_EVIDENCE),
    )


def receipt(request: contract.HookRequest, sid: str) -> contract.Receipt:
    return _told(
        sid=sid,
        word=reading.word(request.value("MessageStatus") or request.value("SmsStatus")),
        code=reading.code(request.value("ErrorCode")),
        reference=request.reference(),
        parts=None,
        at=_done(request.value("RawDlrDoneDate")),
        raw=reading.kept({name: request.value(name) for name in EVIDENCE if name in request.form}, EVIDENCE),
    )


def _told(
    *,
    sid: str,
    word: str,
    code: str,
    reference: UUID | None,
    parts: int | None,
    at: datetime | None,
    raw: Mapping[str, object],
) -> contract.Receipt:
    kind, permanent = twilio_codes.CLASSES.get(code, (None, None))
    return contract.Receipt(
        event_key=reading.digest(sid, word, code, at.isoformat() if at else ""),
        reference=reference,
        gateway_id=sid,
        word=word,
        state=twilio_codes.state(STATES.get(word, ""), code=code),
        code="" if code == "0" else code,
        error_class=errors.ErrorClass.CARRIER if kind == errors.ErrorClass.RETRY else kind,
        permanent=permanent,
        parts=parts,
        at=at,
        raw=raw,
    )


def inbound(request: contract.HookRequest, sid: str) -> contract.InboundText:
    hint = OPT_HINTS.get(request.value("OptOutType").upper(), "")
    return contract.InboundText(
        event_key=sid,
        gateway_id=sid,
        phone=reading.phone(request.value("From")),
        sender=reading.phone(request.value("To")),
        text=reading.text(request.value("Body"), limit=contract.INBOUND_LIMIT),
        opt_hint=hint,
        answers_stop_itself=bool(hint),
        raw=reading.kept({n: request.value(n) for n in INBOUND_EVIDENCE if n in request.form}, INBOUND_EVIDENCE),
    )


def _done(value: str) -> datetime | None:
    """Twilio's RawDlrDoneDate, YYMMDDhhmm in UTC."""
    try:
        return datetime.strptime(value, "%y%m%d%H%M").replace(tzinfo=UTC) if len(value) == 10 else None
    except ValueError:
        return None
