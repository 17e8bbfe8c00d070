"""Phone numbers: what we accept, what a number tells about its owner, and the key that stands for a person.

With `numbering` and `area_codes` the only module that knows `phonenumbers`. Parsing is strict because the library
is not: it reads `call +1650… now`, vanity letters and `1.65E+10` as numbers, and a wrong number is somebody else's
phone.
"""

import base64
import hmac
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from smsdesk import numbering
from smsdesk.errors import Invalid
from smsdesk.numbering import NumberKind as NumberKind
from smsdesk.numbering import Plan


@dataclass(frozen=True, slots=True)
class Phone:
    """A valid number. `e164` is the form to send to; alias forms of one handset share `subscriber_key`."""

    e164: str
    subscriber_key: str
    region: str
    kind: NumberKind
    time_zones: tuple[str, ...]


_REFUSED = {
    NumberKind.TOLL_FREE: ("phone_toll_free", "This is a toll-free number; nobody receives SMS there as a person."),
    NumberKind.PREMIUM_RATE: ("phone_premium_rate", "This is a premium-rate number; every text to it costs extra."),
    NumberKind.SHARED_COST: ("phone_shared_cost", "This is a shared-cost service number, not a person's phone."),
}
_GIVE_MOBILE = "Give the person's mobile number."
_GIVE_PLUS = "Write it with + and country code, for example +1 202 555 0101."

_ACCEPTED = re.compile(r"[+0-9 ()./-]{4,32}")
_BEGINNING = re.compile(r"[ (]*(\+[ (]*)?[0-9][^+]*")
_EXPONENT = re.compile(r"[+-]?\d+([.,]\d*)?e[+-]?\d+", re.IGNORECASE)
_DECIMAL = re.compile(r"[+-]?\d{5,}[.,]\d{1,3}")
_EXTENSION = re.compile(r"[0-9)]\W*(;|,|#|x|ext|extension|доб)\W*(=\W*)?\d{1,8}\W*$", re.IGNORECASE)
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")
# Digits with the separators people put between them; a point may also be a spreadsheet's.
_USUAL = re.compile(r"(?=.{4,32}\Z)[ (]*(\+[ (]*)?[0-9][0-9 ()/-]*")
_SEPARATORS = str.maketrans("", "", " ()./-")
_NORTH_AMERICAN = re.compile(r"1?([2-9][0-9]{9})")


def parse(text: str, *, default_region: str) -> Phone:
    """The number `text` means; one without + is read as dialled inside `default_region` (two letters).

    Raises `Invalid` with field "phone" and the reason: letters, an extension, a spreadsheet's number format,
    premium-rate, toll-free and shared-cost ranges, and everything no numbering plan knows.
    """
    e164, plan = _read(text, default_region=default_region)
    if plan.kind == NumberKind.INVALID:
        raise _refusal("phone_invalid", "No numbering plan knows this number.", text, _GIVE_PLUS)
    if plan.kind in _REFUSED:
        code, reason = _REFUSED[plan.kind]
        raise _refusal(code, reason, text, _GIVE_MOBILE)
    return Phone(e164, subscriber_key(e164), plan.region, plan.kind, plan.time_zones)


def canonical(e164: str) -> str:
    """The one form of all alias forms: `+54 9 x` is `+54 x`, `+52 1 x` is `+52 x`. For keys; do not send to it."""
    if len(e164) == 14 and e164.startswith(("+549", "+521")):
        return e164[:3] + e164[4:]
    return e164


def subscriber_key(e164: str) -> str:
    """Keyed hash of the canonical number, 44 characters: version digit, then base64url of HMAC-SHA256.

    The pepper lives outside the database, so a stolen table of keys cannot be tried against all numbers.
    """
    pepper: str = settings.PEPPER
    if not pepper:
        raise ImproperlyConfigured("SMSDESK_PEPPER is not set; phone numbers cannot be keyed without it.")
    digest = hmac.digest(pepper.encode(), canonical(e164).encode("utf-8", "replace"), "sha256")
    return "1" + base64.urlsafe_b64encode(digest)[:43].decode()


def time_zones(e164: str) -> tuple[str, ...]:
    """Every zone the owner may be in by the number, sorted; empty when nothing is known."""
    return plan(e164).time_zones


def region(e164: str) -> str:
    """ISO country of the number (GG, JE and IM as themselves); "" when unknown or international."""
    return plan(e164).region


def kind(e164: str) -> NumberKind:
    """What the numbering plan says; INVALID for anything that is no valid number."""
    return plan(e164).kind


SHOWN_END = 4  # digits at the end that a mask leaves


def mask(e164: str) -> str:
    """For logs and for people who may not see full numbers: `+1212***0123`."""
    if len(e164) >= 12:
        return f"{e164[:5]}***{e164[-SHOWN_END:]}"
    return f"{e164[:3]}***{e164[-2:]}" if len(e164) >= 8 else "***"


def display(e164: str) -> str:
    """International format for people, `+1 202-555-0101`; what is no number stays as it is."""
    if not _E164.fullmatch(e164):
        return e164
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def is_country(code: str) -> bool:
    """Whether numbers of this ISO country code (upper case) can be read."""
    return code in phonenumbers.SUPPORTED_REGIONS


# --- Parsing --------------------------------------------------------------------------------------------


def _read(text: str, *, default_region: str) -> tuple[str, Plan]:
    """The number in E.164 and what it is; in the usual writings without asking the library, which takes long."""
    if _USUAL.fullmatch(text):
        compact = text.translate(_SEPARATORS)
        national = _NORTH_AMERICAN.fullmatch(compact)
        if national and _is_north_american(default_region.upper()):
            compact = f"+1{national[1]}"
        if compact[0] == "+" and not compact.startswith("+521"):
            found = numbering.plain_plan(compact)
            if found is not None and found is not numbering.INVALID:
                return compact, found
    e164 = _e164(_plain(text), given=text, default_region=default_region)
    return e164, plan(e164)


@lru_cache(maxsize=1_024)
def _is_north_american(region: str) -> bool:
    return phonenumbers.country_code_for_region(region) == 1


def _plain(text: str) -> str:
    """`text` folded to plain characters and refused with the reason, unless it is shaped like a number."""
    if len(text) > 200:
        raise _refusal("phone_length", _LENGTH, text, _GIVE_PLUS)
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain:
        raise _refusal("phone_missing", "The phone number is missing.", text, _GIVE_PLUS)
    if _EXPONENT.fullmatch(plain) or _DECIMAL.fullmatch(plain):
        reason = "A spreadsheet has turned this number into a calculated value; digits may be lost."
        raise _refusal("phone_number_format", reason, text, "Format the column as text and export it again.")
    if _EXTENSION.search(plain):
        reason = "A number with an extension cannot receive SMS."
        raise _refusal("phone_extension", reason, text, "Leave out the extension.")
    if not _ACCEPTED.fullmatch(plain):
        raise _shape_refusal(plain, given=text)
    if not _BEGINNING.fullmatch(plain):
        raise _refusal("phone_invalid", "Only one + may stand in a number, in front of it.", text, _GIVE_PLUS)
    return plain


def _shape_refusal(plain: str, *, given: str) -> Invalid:
    if any(character.isalpha() for character in plain):
        return _refusal("phone_letters", "Letters are not accepted in a phone number.", given, "Write its digits.")
    strange = sorted({character for character in plain if not _ACCEPTED.fullmatch(character * 4)})
    if strange:
        names = ", ".join(f"U+{ord(one):04X} {unicodedata.name(one, 'control character')}" for one in strange[:3])
        cure = "Use the digits 0 to 9, +, spaces, brackets, dots, slashes and hyphens."
        return _refusal("phone_characters", f"Not accepted in a phone number: {names}.", given, cure)
    return _refusal("phone_length", _LENGTH, given, _GIVE_PLUS)


def _e164(plain: str, *, given: str, default_region: str) -> str:
    home = default_region.upper()
    international = "+" in plain
    if not international and not is_country(home):
        reason = "The number has no country code, and there is no default country to read it in."
        raise _refusal("phone_no_country", reason, given, _GIVE_PLUS)
    try:
        number = phonenumbers.parse(plain, None if international else home)
    except phonenumbers.NumberParseException as problem:
        raise _refusal("phone_invalid", _REASONS.get(problem.error_type, _UNREADABLE), given, _GIVE_PLUS) from None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Mexico dropped the 1 after +52 in 2019: only the short form is a number today.
    return canonical(e164) if e164.startswith("+521") else e164


_LENGTH = "A phone number has 4 to 32 characters."
_UNREADABLE = "This cannot be read as a phone number."
_REASONS = {
    phonenumbers.NumberParseException.INVALID_COUNTRY_CODE: "No country has this country code.",
    phonenumbers.NumberParseException.TOO_SHORT_AFTER_IDD: "The number is too short.",
    phonenumbers.NumberParseException.TOO_SHORT_NSN: "The number is too short.",
    phonenumbers.NumberParseException.TOO_LONG: "The number is too long.",
}


def _refusal(code: str, message: str, value: str, cure: str) -> Invalid:
    shown = value[:60].encode("utf-8", "replace").decode()  # a lone surrogate could not even be answered with
    return Invalid(code, message, field="phone", value=shown, cure=cure)


def plan(e164: str) -> Plan:
    """Kind, region and zones at once."""
    return numbering.plan(canonical(e164) if e164.startswith("+521") else e164)
