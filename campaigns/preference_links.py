"""Signed addresses of the page on which a person chooses what we text them.

An address names either the message it was texted in or, where it was handed out some other way, the contact; both
by opaque ids. Only the first proves that whoever opens it holds the phone. It lives for 60 days (settings): so long
must the way out of a message work (CASL).
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare

from campaigns.models import OutboundMessage
from contacts import belonging
from contacts.models import Contact
from smsdesk.errors import Invalid

_SALT = "campaigns.preference_links"
_MESSAGE, _CONTACT = b"m", b"c"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIZE = 1 + 16 + 2  # kind, id, last day


@dataclass(frozen=True, slots=True)
class Opened:
    """Whose page it is. `was_texted`: the address went to that very phone, and nowhere else."""

    contact: Contact
    brand_id: int | None
    was_texted: bool


def of_message(public_id: UUID, *, now: datetime) -> str:
    """For the text of this very message."""
    return _address(_MESSAGE + public_id.bytes, now=now)


def of_contact(contact: Contact, *, now: datetime) -> str:
    """For mails, accounts and apps: whoever has it can lower what is sent, and nothing else."""
    return _address(_CONTACT + contact.public_id.bytes, now=now)


def ends_at(now: datetime) -> datetime:
    """The first instant at which an address made now opens nothing."""
    return _EPOCH + timedelta(days=_last_day(now) + 1)


def example() -> str:
    """As long as a real one, for previews: it opens nothing."""
    return f"{settings.PUBLIC_URL}/p/{'x' * 70}"


def read(token: str, *, now: datetime) -> Opened:
    """Whose page this is. Raises `Invalid` for an address that was forged, is over, or whose person is gone."""
    said, _, signature = token[:200].partition(".")
    if not signature or not constant_time_compare(_signature(said), signature):
        raise _unknown()
    try:
        raw = base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))
    except (ValueError, binascii.Error):
        raise _unknown() from None
    if len(raw) != _SIZE:
        raise _unknown()
    if (now - _EPOCH).days > int.from_bytes(raw[17:], "big"):
        raise Invalid("link_over", "This link is too old.", cure="Use the one in the newest text you got.")
    return _opened(raw[:1], UUID(bytes=raw[1:17]))


def _opened(kind: bytes, public_id: UUID) -> Opened:
    if kind == _CONTACT:
        contact = Contact.objects.filter(public_id=public_id).first()
        if contact is None:
            raise _unknown()
        return Opened(contact, None, was_texted=False)
    message = OutboundMessage.objects.filter(public_id=public_id).select_related("contact").first()
    if message is None or message.contact is None:
        raise _unknown()
    # Where contacts were merged, this went to another phone of the same person: it may lower, and not raise.
    was_texted = message.subscriber_key == message.contact.subscriber_key
    if not was_texted and message.subscriber_key not in belonging.keys_of(message.contact):
        raise _unknown()
    return Opened(message.contact, message.brand_id, was_texted=was_texted)


def _address(whose: bytes, *, now: datetime) -> str:
    said = base64.urlsafe_b64encode(whose + _last_day(now).to_bytes(2, "big")).decode().rstrip("=")
    return f"{settings.PUBLIC_URL}/p/{said}.{_signature(said)}"


def _signature(said: str) -> str:
    return signing.Signer(salt=_SALT).signature(said)


def _last_day(now: datetime) -> int:
    return (now - _EPOCH).days + int(settings.PREFERENCE_LINK_DAYS)


def _unknown() -> Invalid:
    return Invalid("link_unknown", "This link opens nothing.", cure="Use the one in the newest text you got.")
