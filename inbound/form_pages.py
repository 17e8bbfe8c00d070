"""What a form's page carries besides its words: which version it showed, when, and a mark that counts once.

Signed, so that nobody can claim to have read another version, or an earlier moment.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core import signing

from inbound.models import OptInForm, Wording
from smsdesk.errors import Conflict, Invalid

_SALT = "inbound.form_pages"


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it was shown."""

    wording: Wording
    nonce: str
    shown_at: datetime


def issue(wording: Wording, *, now: datetime) -> str:
    """The text that a page showing this wording carries."""
    said = {"w": wording.pk, "n": secrets.token_hex(16), "t": now.timestamp()}
    return signing.Signer(salt=_SALT).sign_object(said)


def read(token: str, *, form: OptInForm, now: datetime) -> Page:
    """The page that was sent in. Raises `Invalid` for a forged one, `Conflict` for one that must be shown again."""
    try:
        said = signing.Signer(salt=_SALT).unsign_object(token[:1_000])
    except (signing.BadSignature, ValueError):
        raise Invalid("page_unknown", "This page was not made here.", cure=_AGAIN) from None
    wording = form.wording()
    if wording is None or said["w"] != wording.pk:
        raise Conflict("wording_changed", "What you agree to has changed.", cure=_AGAIN)
    shown_at = datetime.fromtimestamp(said["t"], UTC)
    if now - shown_at > timedelta(hours=settings.SIGN_UP["page_hours"]):
        raise Conflict("page_too_old", "This page was open for a long time.", cure=_AGAIN)
    if now - shown_at < timedelta(seconds=settings.SIGN_UP["fastest"]):
        raise Conflict("page_too_fast", "That was quicker than anybody reads.", cure=_AGAIN)
    return Page(wording, said["n"], shown_at)


_AGAIN = "Please read it and send it again."
