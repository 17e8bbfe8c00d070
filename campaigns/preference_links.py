"""Signed addresses of the page on which a person chooses what we text them.

An address names either the message it was texted in or, where it was handed out some other way, the contact; both
by opaque ids. Only the first proves that whoever opens it holds the phone. It lives for 60 days (settings): so long
must the way out of a message work (CASL); also while `SECRET_KEY` is changed, if the former one is kept beside it.

A number that got a new owner leaves the links of the former one behind: they open nothing.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing

from campaigns import states
from campaigns.models import OutboundMessage
from contacts import owners
from contacts.models import Contact, UnitedPhone
from smsdesk.errors import Invalid

_SALT = "campaigns.preference_links"
_MESSAGE, _CONTACT = b"m", b"c"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIZE = 1 + 16 + 2 + 1  # kind, id, last day, owner
FRESH_DAYS = 7  # an address that was made before may stand in a text for so long


@dataclass(frozen=True, slots=True)
class Opened:
    """Whose page it is. `was_texted`: the address went to that very phone, in `message`, and nowhere else."""

    contact: Contact
    message: OutboundMessage | None
    was_texted: bool

    @property
    def brand_id(self) -> int | None:
        return self.message.brand_id if self.message else None


@dataclass(frozen=True, slots=True)
class _Said:
    """What an address says, its signature checked. `owner`: the how-manieth of the number, of contacts only."""

    kind: bytes
    public_id: UUID
    last_day: int
    owner: int


def of_message(public_id: UUID, *, now: datetime) -> str:
    """For the text of this very message."""
    return _address(_MESSAGE, public_id, owner=0, now=now)


def of_contact(contact: Contact, *, now: datetime) -> str:
    """For mails, accounts and apps: whoever has it can lower what is sent, and nothing else."""
    return _address(_CONTACT, contact.public_id, owner=_owner(contact), now=now)


def ends_at(now: datetime) -> datetime:
    """The first instant at which an address made now opens nothing."""
    return _EPOCH + timedelta(days=_last_day(now) + 1)


def example() -> str:
    """As long as a real one, for previews: it opens nothing."""
    return f"{settings.PUBLIC_URL}/p/{'x' * 71}"


def leading_out(texts: Mapping[int, tuple[int, str]], *, now: datetime) -> set[int]:
    """Which texts, written by hand, carry the address of their contact's own page, made lately.

    `texts` holds contact and text under any number. Two queries, and none where no text has an address.
    """
    named = {number: (pk, found) for number, (pk, text) in texts.items() if (found := list(_fresh_in(text, now)))}
    if not named:
        return set()
    contacts = Contact.objects.in_bulk([pk for pk, _ in named.values()])
    keys = [contact.subscriber_key for contact in contacts.values()]
    changes = owners.changes(keys)
    own = {pk: (one.public_id, changes.get(one.subscriber_key, 0) % 256) for pk, one in contacts.items()}
    return {number for number, (pk, found) in named.items() if own.get(pk) in found}


def _fresh_in(text: str, now: datetime) -> Iterator[tuple[UUID, int]]:
    """Contacts, and the how-manieth owner of the number, of the addresses in a text."""
    for token in re.findall(re.escape(f"{settings.PUBLIC_URL}/p/") + r"([A-Za-z0-9_.-]+)", text):
        try:
            said = _said(token.rstrip("."), now=now)
        except Invalid:
            continue
        if said.kind == _CONTACT and said.last_day >= _last_day(now) - FRESH_DAYS:
            yield said.public_id, said.owner


def read(token: str, *, now: datetime) -> Opened:
    """Whose page this is. Raises `Invalid` for an address that was forged, is over, or whose person is gone."""
    said = _said(token[:200], now=now)
    return _of_contact(said) if said.kind == _CONTACT else _of_message(said)


def _said(token: str, *, now: datetime) -> _Said:
    try:
        signed = signing.Signer(salt=_SALT, sep=".").unsign(token)
        raw = base64.urlsafe_b64decode(signed + "=" * (-len(signed) % 4))
    except (signing.BadSignature, ValueError, binascii.Error):
        raise _unknown() from None
    if len(raw) != _SIZE:
        raise _unknown()
    said = _Said(raw[:1], UUID(bytes=raw[1:17]), int.from_bytes(raw[17:19], "big"), raw[19])
    if (now - _EPOCH).days > said.last_day:
        raise Invalid("link_over", "This link is too old.", cure="Use the one in the newest text you got.")
    return said


def _of_contact(said: _Said) -> Opened:
    contact = Contact.objects.filter(public_id=said.public_id).first()
    if contact is not None and _owner(contact) != said.owner:
        raise _unknown()
    if contact is None:  # merged into another one: an opt-out of either phone counts for both
        tie = UnitedPhone.objects.filter(former_public_id=said.public_id).select_related("contact").first()
        if tie is None or _owner(tie) != said.owner:
            raise _unknown()
        contact = tie.contact
    return Opened(contact, None, was_texted=False)


def _of_message(said: _Said) -> Opened:
    message = OutboundMessage.objects.filter(public_id=said.public_id).select_related("contact").first()
    if message is None or message.contact is None:
        raise _unknown()
    if owners.has_changed(message.subscriber_key, since=message.submitted_at or message.created_at):
        raise _unknown()
    # A text that never left was read in no phone.
    has_left = states.may_have_left(message)
    if message.subscriber_key == message.contact.subscriber_key:
        return Opened(message.contact, message, was_texted=has_left)
    # It went to another phone of the same person, whose contact was merged into this one.
    if not UnitedPhone.objects.filter(contact=message.contact, subscriber_key=message.subscriber_key).exists():
        raise _unknown()
    again = Contact.objects.filter(subscriber_key=message.subscriber_key).first()
    if again is not None:  # and is a contact of its own again
        return Opened(again, message, was_texted=has_left)
    return Opened(message.contact, message, was_texted=False)


def _owner(phone: Contact | UnitedPhone) -> int:
    return owners.changes([phone.subscriber_key]).get(phone.subscriber_key, 0) % 256


def _address(kind: bytes, public_id: UUID, *, owner: int, now: datetime) -> str:
    raw = kind + public_id.bytes + _last_day(now).to_bytes(2, "big") + bytes([owner])
    said = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return f"{settings.PUBLIC_URL}/p/{signing.Signer(salt=_SALT, sep='.').sign(said)}"


def _last_day(now: datetime) -> int:
    return (now - _EPOCH).days + int(settings.PREFERENCE_LINK_DAYS)


def _unknown() -> Invalid:
    return Invalid("link_unknown", "This link opens nothing.", cure="Use the one in the newest text you got.")
