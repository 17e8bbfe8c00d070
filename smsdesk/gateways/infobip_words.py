"""What Infobip says about a message: receipts, entries of its logs, inbound texts."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from smsdesk.gateways import contract, errors, infobip_codes, reading

EVIDENCE = ("bulkId", "messageId", "sentAt", "doneAt", "messageCount", "mccMnc")
INBOUND_EVIDENCE = ("messageId", "receivedAt", "smsCount", "keyword")
PART_EVIDENCE = ("id", "groupName", "name", "permanent", "pricePerMessage", "currency")


def reference(value: object) -> UUID | None:
    """Our own reference: 32 hex digits, with or without hyphens."""
    try:
        return UUID(hex=value) if isinstance(value, str) and len(value) in (32, 36) else None
    except ValueError:
        return None


def receipt(entry: Mapping[str, Any]) -> contract.Receipt:
    status, error = reading.mapping(entry.get("status")), reading.mapping(entry.get("error"))
    status_id, error_id = reading.number(status.get("id")), reading.number(error.get("id"))
    message_id = reading.identifier(entry.get("messageId"))
    kind, permanent = _class(status_id, error_id, reading.word(error.get("groupName")))
    at = reading.moment(entry.get("doneAt")) or reading.moment(entry.get("sentAt"))
    raw = reading.kept(entry, EVIDENCE)
    for name in ("status", "error", "price"):
        raw[name] = reading.kept(reading.mapping(entry.get(name)), PART_EVIDENCE)
    return contract.Receipt(
        event_key=reading.digest(message_id, str(status_id), str(error_id), at.isoformat() if at else ""),
        reference=reference(message_id),
        gateway_id=message_id,
        word=reading.word(status.get("name")),
        state=infobip_codes.state(status_id, group=reading.word(status.get("groupName"))),
        code=str(error_id or status_id or "") if kind else str(error_id or ""),
        error_class=kind,
        permanent=permanent if permanent is not None else reading.flag(error.get("permanent")),
        parts=reading.count(entry.get("messageCount")),
        at=at,
        raw=raw,
    )


def _class(
    status_id: int | None, error_id: int | None, error_group: str
) -> tuple[errors.ErrorClass | None, bool | None]:
    """The error tells more than the status. Nothing is sent again after acceptance: RETRY reads as CARRIER."""
    kind = infobip_codes.error_class(error_id, group=error_group)
    permanent: bool | None = None
    if kind is None and status_id is not None and status_id != 23:
        kind, permanent = infobip_codes.SUBMIT_CLASSES.get(status_id, (None, None))
    return (errors.ErrorClass.CARRIER if kind == errors.ErrorClass.RETRY else kind), permanent


def inbound(entry: Mapping[str, Any]) -> contract.InboundText:
    message_id = reading.identifier(entry.get("messageId"))
    phone, text = reading.phone(entry.get("from")), reading.text(entry.get("text"), limit=contract.INBOUND_LIMIT)
    at = reading.moment(entry.get("receivedAt"))
    return contract.InboundText(
        event_key=message_id or reading.digest(phone, text, at.isoformat() if at else ""),
        gateway_id=message_id,
        phone=phone,
        sender=reading.phone(entry.get("to")),
        text=text,
        keyword=reading.word(entry.get("keyword")),
        at=at,
        raw=reading.kept(entry, INBOUND_EVIDENCE),
    )
