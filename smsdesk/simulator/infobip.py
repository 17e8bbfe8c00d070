"""Infobip's SMS API v3 as its reference describes it: send, logs, receipts and inbound texts."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from smsdesk.simulator.accounts import Account
from smsdesk.simulator.messages import Message
from smsdesk.simulator.numbering import digits, with_plus

_HOOK_HEADERS = {"Content-Type": "application/json", "User-Agent": "simulator"}

# Our word → groupId, groupName, id, name, description of the status.
STATUSES: dict[str, tuple[int, str, int, str, str]] = {
    "accepted": (1, "PENDING", 26, "PENDING_ACCEPTED", "Message sent to next instance"),
    "sent": (1, "PENDING", 7, "PENDING_ENROUTE", "Message sent to next instance"),
    "delivered": (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET", "Message delivered to handset"),
    "undelivered": (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED", "Message sent not delivered"),
    "expired": (4, "EXPIRED", 15, "EXPIRED_EXPIRED", "Message expired"),
    "rejected": (5, "REJECTED", 6, "REJECTED_NETWORK", "Network is forbidden"),
    "opted_out": (5, "REJECTED", 10, "REJECTED_DND", "Destination is on the operator's do-not-disturb list"),
}
# Our word → groupId, groupName, id, name, description, permanent of the error.
ERRORS: dict[str, tuple[int, str, int, str, str, bool]] = {
    "undelivered": (1, "HANDSET_ERRORS", 27, "EC_ABSENT_SUBSCRIBER", "Absent Subscriber", False),
    "expired": (2, "USER_ERRORS", 4101, "EC_VALIDITY_EXPIRED", "Validity expired", True),
    "rejected": (2, "USER_ERRORS", 607, "EC_REJECTED_SPAM_BY_OPERATOR", "Rejected as spam", True),
    "opted_out": (3, "OPERATOR_ERRORS", 2050, "EC_DEST_ADDRESS_BLACKLISTED", "Destination blacklisted", True),
}
NO_ERROR = (0, "OK", 0, "NO_ERROR", "No Error", False)
# Why a destination is refused in the answer to the submit.
REFUSALS: dict[str, tuple[int, str, int, str, str]] = {
    "invalid": (5, "REJECTED", 52, "REJECTED_DESTINATION", "Invalid destination address"),
    "opted_out": (5, "REJECTED", 14, "REJECTED_DESTINATION_BLOCKLISTED", "Destination is on the blocklist"),
    "rejected": (5, "REJECTED", 8, "REJECTED_PREFIX_MISSING", "Number prefix missing"),
    "duplicate": (5, "REJECTED", 23, "REJECTED_DUPLICATE_MESSAGE_ID", "Duplicate message id"),
    "sender": (5, "REJECTED", 13, "REJECTED_SENDER", "Sender is not allowed"),
    "too_long": (5, "REJECTED", 25, "REJECTED_MESSAGE_TOO_LONG", "Message too long"),
}


class BadRequest(ValueError):
    def __init__(self, property_name: str, violation: str) -> None:
        super().__init__(violation)
        self.property_name = property_name
        self.violation = violation


def _status_json(status: tuple[int, str, int, str, str]) -> str:
    group_id, group, number, name, description = status
    return (
        f'{{"groupId":{group_id},"groupName":"{group}","id":{number},"name":"{name}",'
        f'"description":"{description}"}}'
    )


_SUBMIT_JSON = {name: _status_json(status) for name, status in REFUSALS.items()}
_SUBMIT_JSON[""] = _status_json(STATUSES["accepted"])


def parse_send(body: bytes, account: Account, *, new_id: Any) -> tuple[str, list[Message]]:
    """Bulk id and messages of a send call. Raises BadRequest naming the property."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("body", "must be JSON in UTF-8") from error
    entries = request.get("messages") if isinstance(request, dict) else None
    if not isinstance(entries, list) or not entries:
        raise BadRequest("messages", "must be a list of at least one message")
    options = request.get("options")
    schedule = options.get("schedule") if isinstance(options, dict) else None
    bulk_id = str(schedule.get("bulkId") or "") if isinstance(schedule, dict) else ""
    bulk_id = bulk_id or new_id("BK")
    messages: list[Message] = []
    for number, entry in enumerate(entries):
        messages.extend(_messages(entry, f"messages[{number}]", account, bulk_id, new_id))
    return bulk_id, messages


def _messages(entry: Any, where: str, account: Account, bulk_id: str, new_id: Any) -> list[Message]:
    if not isinstance(entry, dict):
        raise BadRequest(where, "must be an object")
    content, destinations = entry.get("content"), entry.get("destinations")
    text = content.get("text") if isinstance(content, dict) else None
    if not isinstance(text, str) or not text:
        raise BadRequest(f"{where}.content.text", "must not be empty")
    if not isinstance(destinations, list) or not destinations:
        raise BadRequest(f"{where}.destinations", "must be a list of at least one destination")
    sender = entry.get("sender")
    if not isinstance(sender, str) or not sender:
        raise BadRequest(f"{where}.sender", "must not be empty")
    sender = with_plus(sender)
    url, data, intermediate = _webhooks(entry.get("webhooks"), where)
    note = "sender" if account.senders and sender not in account.senders else ""
    note = note or ("too_long" if len(text) > 4000 else "")
    messages = []
    for index, destination in enumerate(destinations):
        to, message_id = _destination(destination, f"{where}.destinations[{index}]", new_id)
        number = digits(to)
        messages.append(
            Message(
                reference=message_id, account=account.name, dialect="infobip", to=f"+{number}" if number else to,
                sender=sender, text=text, callback_url=url, callback_data=data, wants_intermediate=intermediate,
                gateway_id=message_id, bulk_id=bulk_id, note=note if number else "invalid",
            )
        )  # fmt: skip
    return messages


def _destination(destination: Any, where: str, new_id: Any) -> tuple[str, str]:
    to = destination.get("to") if isinstance(destination, dict) else None
    if not isinstance(to, str) or not to:
        raise BadRequest(f"{where}.to", "must not be empty")
    message_id = destination.get("messageId") or new_id("IB")
    if not isinstance(message_id, str) or len(message_id) > 200:
        raise BadRequest(f"{where}.messageId", "must be a text of at most 200 characters")
    return to, message_id


def _webhooks(webhooks: Any, where: str) -> tuple[str, str, bool]:
    if webhooks is None:
        return "", "", False
    delivery = webhooks.get("delivery") if isinstance(webhooks, dict) else None
    if not isinstance(delivery, dict):
        raise BadRequest(f"{where}.webhooks.delivery", "must be an object")
    url = delivery.get("url") or ""
    if not isinstance(url, str) or (url and not url.startswith(("http://", "https://"))):
        raise BadRequest(f"{where}.webhooks.delivery.url", "must be an absolute URL")
    data = webhooks.get("callbackData") or ""
    if not isinstance(data, str) or len(data) > 4000:
        raise BadRequest(f"{where}.webhooks.callbackData", "must be a text of at most 4000 characters")
    return url, data, delivery.get("intermediateReport") is True


def hook_headers(account: Account | None) -> dict[str, str]:
    if account is None or not account.hook_user:
        return _HOOK_HEADERS
    pair = f"{account.hook_user}:{account.hook_password}".encode("utf-8", "replace")
    return {**_HOOK_HEADERS, "Authorization": f"Basic {b64encode(pair).decode('ascii')}"}


def send_answer(bulk_id: str, messages: list[Message], refusals: list[str]) -> bytes:
    entries = [
        f'{{"messageId":{quoted(message.gateway_id)},"status":{_SUBMIT_JSON[refusal]},'
        f'"destination":{quoted(message.to.removeprefix("+"))},"details":{{"messageCount":{message.parts}}}}}'
        for message, refusal in zip(messages, refusals, strict=True)
    ]
    return f'{{"bulkId":{quoted(bulk_id)},"messages":[{",".join(entries)}]}}'.encode("ascii")


def error_body(code: str, description: str, *, violations: tuple[tuple[str, str], ...] = ()) -> bytes:
    return json.dumps(
        {
            "errorCode": code,
            "description": description,
            "action": "Check the request and try again.",
            "violations": [{"property": name, "violation": text} for name, text in violations],
            "resources": [{"name": "API documentation", "url": "https://www.infobip.com/docs/api"}],
        }
    ).encode()


def instant(at: float) -> str:
    """Infobip's way to write a time: milliseconds, and an offset without colon."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def _status(word: str) -> dict[str, Any]:
    return dict(zip(("groupId", "groupName", "id", "name", "description"), STATUSES[word], strict=True))


def _error(word: str) -> dict[str, Any]:
    error = ERRORS.get(word, NO_ERROR)
    return dict(zip(("groupId", "groupName", "id", "name", "description", "permanent"), error, strict=True))


def _fate_of(message: Message, word: str) -> dict[str, Any]:
    return {
        "bulkId": message.bulk_id,
        "messageId": message.gateway_id,
        "sentAt": instant(message.at),
        "doneAt": instant(message.done_at or message.at),
        "messageCount": message.parts,
        "mccMnc": "310260",
        "price": {"pricePerMessage": 0.0075, "currency": "USD"},
        "status": _status(word),
        "error": _error(word),
    }


def receipts_body(rows: list[tuple[Message, str]]) -> bytes:
    results = []
    for message, word in rows:
        result = {"to": message.to[1:], "sender": message.sender, **_fate_of(message, word)}
        if message.callback_data:
            result["callbackData"] = message.callback_data
        results.append(result)
    return json.dumps({"results": results}).encode()


def log_entry(message: Message) -> dict[str, Any]:
    """One result of `GET /sms/3/logs`."""
    return {
        "sender": message.sender,
        "destination": message.to[1:],
        "content": {"text": message.text},
        **_fate_of(message, message.word),
    }


def inbound_body(message: Message) -> bytes:
    """Format MO_JSON_2; numbers without their +."""
    text = message.text
    return json.dumps(
        {
            "results": [
                {
                    "messageId": message.gateway_id,
                    "from": message.sender.removeprefix("+"),
                    "to": message.to.removeprefix("+"),
                    "text": text,
                    "cleanText": text,
                    "keyword": (text.split() or [""])[0].upper(),
                    "receivedAt": instant(message.at),
                    "smsCount": message.parts,
                    "price": {"pricePerMessage": 0.0, "currency": "USD"},
                    "callbackData": "",
                    "entityId": "",
                    "applicationId": "",
                    "campaignReferenceId": "",
                }
            ],
            "messageCount": 1,
            "pendingMessageCount": 0,
        }
    ).encode()
