"""Twilio's Programmable Messaging 2010-04-01 as published: send, list, callbacks, signature."""

import hashlib
import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from smsdesk.simulator.accounts import Account
from smsdesk.simulator.messages import Message
from smsdesk.simulator.numbering import digits

VERSION = "2010-04-01"
HOOK_HEADERS = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "User-Agent": "TwilioProxy/1.1"}

# Our word → MessageStatus, ErrorCode.
STATUSES: dict[str, tuple[str, int]] = {
    "accepted": ("queued", 0),
    "sent": ("sent", 0),
    "delivered": ("delivered", 0),
    "undelivered": ("undelivered", 30003),
    "expired": ("failed", 30001),
    "rejected": ("failed", 30007),
    "opted_out": ("failed", 21610),
}
# Why a message is refused in the answer to the submit: code and message.
REFUSALS: dict[str, tuple[int, str]] = {
    "no_to": (21604, "A 'To' phone number is required."),
    "no_from": (21603, "A 'From' or 'MessagingServiceSid' parameter is required."),
    "no_body": (21602, "Message body is required."),
    "too_long": (21617, "The concatenated message body exceeds the 1600 character limit"),
    "bad_callback": (21609, "The 'StatusCallback' URL is not a valid URL."),
    "invalid": (21211, "The 'To' number is not a valid phone number."),
    "opted_out": (21610, "Attempt to send to unsubscribed recipient"),
    "rejected": (21614, "'To' number is not a valid mobile number"),
    "sender": (
        21606,
        "The 'From' phone number provided is not a valid message-capable number for this destination.",
    ),
}
_reference = re.compile(r"[?&]m=([^&#]*)").search


def credentials(authorization: str) -> tuple[str, str]:
    """Name and password of HTTP Basic; two empty texts when it is none."""
    if authorization[:6].lower() != "basic ":
        return "", ""
    try:
        name, _, password = b64decode(authorization[6:], validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password


def _form(body: bytes) -> dict[str, str]:
    # parse_qsl would do, at twice the time; repeated names are not used by this endpoint.
    text = body.decode("ascii", "replace")
    pairs = (pair.partition("=") for pair in text.split("&"))
    return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}


def parse_send(body: bytes, account: Account) -> Message:
    """The message of a send call; what is wrong with it stands in `note`, a key of REFUSALS."""
    form = _form(body)
    to, sender = form.get("To", ""), form.get("From", "") or form.get("MessagingServiceSid", "")
    text, callback = form.get("Body", ""), form.get("StatusCallback", "")
    match = _reference(callback)
    number = digits(to) if to.startswith("+") else ""
    return Message(
        reference=unquote_plus(match[1]) if match else "", account=account.name, dialect="twilio",
        to=to, sender=sender, text=text, callback_url=callback,
        note="" if number and sender and text and len(text) <= 1600 and _fits(account, sender, callback)
        else _objection(account, to=to, number=number, sender=sender, text=text, callback=callback),
    )  # fmt: skip


def _fits(account: Account, sender: str, callback: str) -> bool:
    return (not account.senders or sender in account.senders) and _is_url(callback)


def _is_url(callback: str) -> bool:
    return not callback or callback.startswith(("http://", "https://"))


def _objection(account: Account, *, to: str, number: str, sender: str, text: str, callback: str) -> str:
    if not to:
        return "no_to"
    if not sender:
        return "no_from"
    if not text:
        return "no_body"
    if len(text) > 1600:
        return "too_long"
    if not number:
        return "invalid"
    return "sender" if _is_url(callback) else "bad_callback"


def message_json(message: Message, account_key: str) -> bytes:
    """The Message resource, as answered to a send, a fetch and in a list."""
    status, code = STATUSES[message.word] if not message.is_inbound else ("received", 0)
    created = quoted(_instant(int(message.at)))
    is_done = message.done_at > 0
    sent = created if message.word != "accepted" else "null"
    uri = f"/{VERSION}/Accounts/{account_key}/Messages/{message.gateway_id}"
    direction = "inbound" if message.is_inbound else "outbound-api"
    price = f'"-{0.0075 * message.parts:.5f}"' if is_done and not code else "null"
    return (
        f'{{"account_sid":{quoted(account_key)},"api_version":"{VERSION}","body":{quoted(message.text)},'
        f'"date_created":{created},"date_sent":{sent},"date_updated":{created},"direction":"{direction}",'
        f'"error_code":{code or "null"},"error_message":null,"from":{quoted(message.sender)},'
        f'"messaging_service_sid":null,"num_media":"0","num_segments":"{message.parts}","price":{price},'
        f'"price_unit":"USD","sid":"{message.gateway_id}","status":"{status}",'
        f'"subresource_uris":{{"media":{quoted(uri + "/Media.json")}}},'
        f'"to":{quoted(message.to)},"uri":{quoted(uri + ".json")}}}'
    ).encode("ascii")


@lru_cache(maxsize=64)
def _instant(at: int) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC))


def error_body(code: int, message: str, *, status: int) -> bytes:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json.dumps({"code": code, "message": message, "more_info": more, "status": status}).encode()


def receipt_body(message: Message, word: str, account: Account | None) -> bytes:
    status, code = STATUSES[word]
    fields = {
        "MessageSid": message.gateway_id,
        "MessageStatus": status,
        "SmsSid": message.gateway_id,
        "SmsStatus": status,
        "AccountSid": account.key if account else "",
        "ApiVersion": VERSION,
        "From": message.sender,
        "To": message.to,
    }
    if code:
        fields["ErrorCode"] = str(code)
    return urlencode(fields).encode("ascii")


def inbound_body(message: Message, account: Account, *, opt_out_type: str) -> bytes:
    fields = {
        "MessageSid": message.gateway_id,
        "SmsSid": message.gateway_id,
        "SmsMessageSid": message.gateway_id,
        "AccountSid": account.key,
        "From": message.sender,
        "To": message.to,
        "Body": message.text,
        "NumMedia": "0",
        "NumSegments": str(message.parts),
        "SmsStatus": "received",
        "ApiVersion": VERSION,
        "FromCountry": "US" if message.sender.startswith("+1") else "",
        "ToCountry": "US" if message.to.startswith("+1") else "",
    }
    if opt_out_type:
        fields["OptOutType"] = opt_out_type
    return urlencode(fields, errors="replace").encode("ascii")


def signature(auth_token: str, *, url: str, body: bytes) -> str:
    """X-Twilio-Signature of a form post: HMAC-SHA1 over the URL and the sorted, distinct names and values."""
    pairs = sorted(set(parse_qsl(body.decode("ascii"), keep_blank_values=True)))
    signed = url + "".join(name + value for name, value in pairs)
    digest = hmac.new(auth_token.encode("utf-8", "replace"), signed.encode("utf-8", "replace"), hashlib.sha1)
    return b64encode(digest.digest()).decode("ascii")


def signed(headers: Mapping[str, str], *, url: str, body: bytes, account: Account | None) -> dict[str, str]:
    token = account.secret if account else ""
    return {**headers, "X-Twilio-Signature": signature(token, url=url, body=body)}


def matches_date(message: Message, *, name: str, value: str) -> bool:
    """A `DateSent` filter of the list: on that day, or up to (`<`), or from (`>`), both inclusive."""
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    at = datetime.fromtimestamp(message.at, UTC)
    is_day = len(value) == 10
    if name == "DateSent>":
        return at >= moment
    if name == "DateSent<":
        return at.date() <= moment.date() if is_day else at <= moment
    return at.date() == moment.date()


def list_json(messages: list[Message], account_key: str, *, uri: str, page: int, size: int, more: bool) -> bytes:
    head: dict[str, Any] = {
        "uri": uri,
        "first_page_uri": _page_uri(uri, page=0),
        "next_page_uri": _page_uri(uri, page=page + 1) if more else None,
        "previous_page_uri": _page_uri(uri, page=page - 1) if page else None,
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(0, len(messages) - 1),
    }
    rows = b",".join(message_json(message, account_key) for message in messages)
    return json.dumps(head)[:-1].encode() + b', "messages": [' + rows + b"]}"


def _page_uri(uri: str, *, page: int) -> str:
    parts = urlsplit(uri)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in ("Page", "PageToken")]
    query += [("Page", str(page)), ("PageToken", f"PA{page}")] if page else [("Page", "0")]
    return f"{parts.path}?{urlencode(query)}"
