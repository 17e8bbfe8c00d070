"""Numbering plans: what kind of number one is, where it belongs, and which time zones its owner may live in.

The tables are those of `phonenumbers`, its rules too. Asked number by number the library takes 50 µs; here each
country's plan becomes one pattern per region the first time it is needed, which takes two. Where the library would
do more than look (numbers it rewrites, codes that are of no country) it is asked itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

import phonenumbers
from phonenumbers.phonenumberutil import is_number_type_geographical
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from smsdesk import area_codes


class NumberKind(StrEnum):
    """What the numbering plan says a number is for."""

    MOBILE = "mobile"
    FIXED_LINE = "fixed_line"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    VOIP = "voip"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the numbering plan says about a number."""

    kind: NumberKind
    region: str
    time_zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Region:
    name: str
    beginning: re.Pattern[str] | None  # decides alone that a number of the country is this region's
    kinds: re.Pattern[str]  # the group that matches is the kind


@dataclass(frozen=True, slots=True)
class _Country:
    rewritten: re.Pattern[str] | None  # beginnings the library may take away or replace
    regions: tuple[_Region, ...]


INVALID = Plan(NumberKind.INVALID, "", ())
NOWHERE = "001"  # region of codes that are of no country
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")
_CODES = {str(code): regions for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()}
# The codes are prefix-free and have at most three digits.
_CODE_OF = {f"{n}": code for n in range(100, 1_000) for code in _CODES if f"{n}".startswith(code)}
_NUMBER_TYPES = {kind: getattr(phonenumbers.PhoneNumberType, kind.name) for kind in NumberKind if kind != "invalid"}
_KINDS: dict[int, NumberKind] = {number_type: kind for kind, number_type in _NUMBER_TYPES.items()}
# As the library asks for them; what is both fixed line and mobile comes before either.
_BEFORE_LINES = ("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail")


def plan(e164: str) -> Plan:
    """INVALID for anything that is no valid number in E.164."""
    found = plain_plan(e164)
    return _asked(e164) if found is None else found


def plain_plan(e164: str) -> Plan | None:
    """The plan of a number that the library reads as it is written; None: ask the library."""
    if not _E164.fullmatch(e164):
        return INVALID
    code = _CODE_OF.get(e164[1:4], "")
    country = _country(code) if code else None
    if country is None:
        return None
    national = e164[1 + len(code) :]
    if _may_be_rewritten(country, national):
        return None
    for region in country.regions:
        if region.beginning is None or region.beginning.match(national):
            match = region.kinds.fullmatch(national)
            if match:
                kind = str(match.lastgroup)
                return _said(kind, region.name, _place(e164, code=code, kind=kind))
            if region.beginning:
                return INVALID
    return INVALID


def _may_be_rewritten(country: _Country, national: str) -> bool:
    touched = country.rewritten.match(national) if country.rewritten else None
    return touched is not None and bool(touched.end() or any(touched.groups()))


@lru_cache(maxsize=16_384)
def _said(kind: str, region: str, place: tuple[str, str]) -> Plan:
    return Plan(NumberKind(kind), region, _zones(*place))


# --- The library's tables as patterns -------------------------------------------------------------------


@cache
def _country(code: str) -> _Country | None:
    names = _CODES[code]
    main = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), names[0])
    if names[0] == NOWHERE or main is None:
        return None
    taken_away = main.national_prefix_for_parsing
    plans = [(name, phonenumbers.PhoneMetadata.metadata_for_region(name)) for name in names]
    regions = tuple(_region(name, plan, is_alone=len(names) == 1) for name, plan in plans if plan)
    return _Country(re.compile(taken_away) if taken_away else None, regions)


def _region(name: str, metadata: phonenumbers.PhoneMetadata, *, is_alone: bool) -> _Region:
    beginning = "" if is_alone else metadata.leading_digits
    kinds = "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _kind_patterns(metadata))
    pattern = re.compile(rf"(?={_pattern(metadata.general_desc)}\Z)(?:{kinds})")
    return _Region(name, re.compile(beginning) if beginning else None, pattern)


def _kind_patterns(metadata: phonenumbers.PhoneMetadata) -> Iterator[tuple[str, str]]:
    for kind in _BEFORE_LINES:
        yield kind, _pattern(getattr(metadata, kind))
    fixed, mobile = _pattern(metadata.fixed_line), _pattern(metadata.mobile)
    if metadata.same_mobile_and_fixed_line_pattern:
        yield NumberKind.FIXED_LINE_OR_MOBILE, fixed
        return
    yield NumberKind.FIXED_LINE_OR_MOBILE, rf"(?={mobile}\Z){fixed}"
    yield NumberKind.FIXED_LINE, fixed
    yield NumberKind.MOBILE, mobile


def _pattern(description: phonenumbers.PhoneNumberDesc | None) -> str:
    """A pattern for all of a national number; one that never matches when there are no such numbers."""
    if description is None or not description.national_number_pattern:
        return "(?!)"
    lengths = "|".join(f".{{{length}}}" for length in description.possible_length)
    return (
        rf"(?=(?:{lengths})\Z)(?:{description.national_number_pattern})"
        if lengths
        else (f"(?:{description.national_number_pattern})")
    )


# --- The library itself ---------------------------------------------------------------------------------


@lru_cache(maxsize=4_096)
def _asked(e164: str) -> Plan:
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return INVALID
    # `number_type` knows a type for exactly the numbers `is_valid_number` accepts; asking both costs twice.
    number_type = phonenumbers.number_type(number)
    if number_type not in _KINDS or phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) != e164:
        return INVALID
    region = phonenumbers.region_code_for_number(number) or ""
    kind = _KINDS[number_type]
    place = _place(e164, code=str(number.country_code or 0), kind=kind)
    return _said(kind, "" if region == NOWHERE else region, place)


# --- Time zones -----------------------------------------------------------------------------------------


def _place(e164: str, *, code: str, kind: str) -> tuple[str, str]:
    """Country code, and the digits of the number that say where its owner may be.

    A mobile number says nothing about a place inside its country; `time_zones_for_geographical_number` would put
    every Australian into Sydney.
    """
    if code == "1":
        return code, e164[2:5]
    is_geographical = is_number_type_geographical(_NUMBER_TYPES[NumberKind(kind)], int(code))
    return code, e164[1 : 1 + TIMEZONE_LONGEST_PREFIX] if is_geographical else code


def _zones(code: str, known: str) -> tuple[str, ...]:
    if code == "1":
        return area_codes.time_zones(known)
    for length in range(len(known), 0, -1):
        if known[:length] in TIMEZONE_DATA:
            return tuple(sorted(zone for zone in TIMEZONE_DATA[known[:length]] if zone != "Etc/Unknown"))
    return ()
