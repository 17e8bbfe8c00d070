"""What the fields of a contact may hold: one rule each, for the admin, the API and imports alike."""

import re
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache

from contacts.models import LineType
from smsdesk import sms_text
from smsdesk.errors import Invalid

EARLIEST_BIRTH = date(1900, 1, 1)
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_LENGTH = 500
_ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})?")
_STATE_CODES = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC "
    "ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY PR GU VI AS MP"
)
US_STATES = frozenset(_STATE_CODES.split())


def clean(field: str, value: str) -> str:
    """The value of a contact's `field` as it is stored; raises `Invalid` naming field, value and cure."""
    text = _one_line(value)
    return _RULES[field](text) if text else ""


def clean_attributes(values: Mapping[str, object]) -> dict[str, str]:
    """Attributes are names with texts; empty ones are kept out."""
    if len(values) > MAX_ATTRIBUTES:
        raise Invalid(
            "too_many_attributes",
            f"A contact has at most {MAX_ATTRIBUTES} attributes.",
            field="attributes",
            value=str(len(values)),
            cure="Leave out those that no text uses.",
        )
    cleaned = {attribute_name(name): attribute(name, value) for name, value in values.items()}
    return {name: value for name, value in cleaned.items() if value}


def attribute_name(name: str) -> str:
    if not _ATTRIBUTE_NAME.fullmatch(name):
        raise Invalid(
            "invalid_attribute_name",
            "This is not a name for an attribute.",
            field="attributes",
            value=name[:60],
            cure="Use small letters, digits and _, beginning with a letter, for example: first_name",
        )
    return name


def attribute(name: str, value: object) -> str:
    if not isinstance(value, str | int | float | bool):
        raise Invalid(
            "invalid_attribute",
            "An attribute is a text or a number.",
            field=f"attributes.{name}",
            cure="Send a plain value, not a list or an object.",
        )
    text = sms_text.clean(str(value)).strip()
    if len(text) > MAX_ATTRIBUTE_LENGTH:
        raise Invalid(
            "value_too_long",
            f"The most is {MAX_ATTRIBUTE_LENGTH} characters; this has {len(text):,}.",
            field=f"attributes.{name}",
            value=text[:40],
            cure="Shorten it.",
        )
    return text


def country(value: str) -> str:
    """Two letters; how numbers without + are read."""
    text = value.strip().upper()
    if not (len(text) == 2 and text.isascii() and text.isalpha()):
        raise Invalid(
            "invalid_country",
            "This is not a country code.",
            field="country",
            value=value[:40],
            cure="Use the two letters of ISO 3166, for example: US",
        )
    return text


@lru_cache(maxsize=4_096)
def time_zone(value: str) -> str:
    if value not in _zones():
        raise Invalid(
            "invalid_time_zone",
            "This is not a time zone.",
            field="time_zone",
            value=value[:64],
            cure="Use a name like America/Chicago.",
        )
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(z for z in zoneinfo.available_timezones() if "/" in z and not z.startswith("Etc/"))


def _name(value: str) -> str:
    return _bounded("name", value, most=120)


def _external_id(value: str) -> str:
    return _bounded("external_id", value, most=100)


def _language(value: str) -> str:
    if len(value) > 10 or not _LANGUAGE.fullmatch(value):
        raise Invalid(
            "invalid_language",
            "This is not a language code.",
            field="language",
            value=value[:40],
            cure="Use a code like en or pt-BR.",
        )
    return value.replace("_", "-")


def _region(value: str) -> str:
    if value.upper() not in US_STATES:
        raise Invalid(
            "invalid_region",
            "This is not a US state.",
            field="region",
            value=value[:40],
            cure="Use its two letters, for example: TX",
        )
    return value.upper()


def _bounded(field: str, value: str, *, most: int) -> str:
    if len(value) > most:
        raise Invalid(
            "value_too_long",
            f"The most is {most} characters; this has {len(value):,}.",
            field=field,
            value=value[:40],
            cure="Shorten it.",
        )
    return value


def _one_line(value: str) -> str:
    if value.isascii() and value.isprintable():
        return value.strip()
    return " ".join("".join(c if c.isprintable() else " " for c in sms_text.clean(value)).split())


def _birth_date(value: str) -> str:
    try:
        born = date.fromisoformat(value)
    except ValueError:
        born = None
    if born is None or not EARLIEST_BIRTH <= born <= datetime.now(UTC).date():
        raise Invalid(
            "invalid_birth_date",
            "This is not a birth date.",
            field="birth_date",
            value=value[:40],
            cure="Write it as 1990-05-17.",
        )
    return born.isoformat()


def _line_type(value: str) -> str:
    if value not in LineType.values:
        raise Invalid(
            "invalid_line_type",
            "A number lookup gives no such kind of line.",
            field="line_type",
            value=value[:40],
            cure=f"Use one of {', '.join(filter(None, LineType.values))}, or leave it empty.",
        )
    return value


_RULES: dict[str, Callable[[str], str]] = {
    "name": _name,
    "birth_date": _birth_date,
    "line_type": _line_type,
    "external_id": _external_id,
    "language": _language,
    "region": _region,
    "time_zone": time_zone,
}
EDITABLE = frozenset(_RULES) | {"attributes"}
