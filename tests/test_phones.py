"""Numbers are accepted strictly, known by one key per handset, and never placed in too few time zones."""

import random
import re
import zoneinfo

import phonenumbers
import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from smsdesk import phones
from smsdesk.errors import Invalid
from smsdesk.phones import NumberKind


def parsed(text, region="US"):
    return phones.parse(text, default_region=region)


def refusal(text, region="US"):
    with pytest.raises(Invalid) as caught:
        parsed(text, region)
    assert caught.value.field == "phone"
    assert caught.value.message
    assert caught.value.cure or caught.value.code == "phone_missing"
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "+12025550101",
        "+1 202 555 0101",
        "2025550101",
        "(202) 555-0101",
        "1-202-555-0101",
        "202.555.0101",
        "  +1/202/555/0101 ",
        "(+1) 202 555 0101",
        "+1\u00a0202\u00a0555\u00a00101",
        "＋１２０２５５５０１０１",
    ],
)
def test_usual_writings_of_a_number_are_one_number(text):
    assert parsed(text).e164 == "+12025550101"


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("0044 7400 123456", "DE", "+447400123456"),
        ("07400 123456", "GB", "+447400123456"),
        ("07400 123456", "gb", "+447400123456"),
        ("011 15 2345-6789", "AR", "+5491123456789"),
        ("02 1234 5678", "IT", "+390212345678"),
        ("+1 202 555 0101", "", "+12025550101"),
    ],
)
def test_a_number_without_plus_is_read_in_the_default_region(text, region, e164):
    assert parsed(text, region).e164 == e164


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("call +16502530000 now", "phone_letters"),
        ("1-800-FLOWERS", "phone_letters"),
        ("+1 202 555 0101 ext. 12", "phone_extension"),
        ("+1 202 555 0101x12", "phone_extension"),
        ("+1 202 555 0101;ext=5", "phone_extension"),
        ("(202) 555-0101 #12", "phone_extension"),
        ("1.65E+10", "phone_number_format"),
        ("1.6502530000E10", "phone_number_format"),
        ("1,65E+10", "phone_number_format"),
        ("2025550101.0", "phone_number_format"),
        ("+18005550199", "phone_toll_free"),
        ("+1 900 555 0123", "phone_premium_rate"),
        ("+44 909 879 0123", "phone_premium_rate"),
        ("+33 810 123 456", "phone_shared_cost"),
        ("+800 1234 5678", "phone_toll_free"),
        ("٢٠٢٥٥٥٠١٠١", "phone_characters"),
        ("+1\u202e2025550101", "phone_characters"),
        ("+12025550101\x00", "phone_characters"),
        ("#31#2025550101", "phone_characters"),
        ("\ud800+12025550101", "phone_characters"),
        ("+1 202\n555 0101", "phone_characters"),
        ("++12025550101", "phone_invalid"),
        ("+1 202+5550101", "phone_invalid"),
        ("-12025550101", "phone_invalid"),
        ("+12025550101 / +12025550102", "phone_invalid"),
        ("+12025550101/02", "phone_invalid"),
        ("+1 242 555 0123", "phone_invalid"),
        ("+999 999 999 99", "phone_invalid"),
        ("12345", "phone_invalid"),
        ("123", "phone_length"),
        ("1" * 33, "phone_length"),
        ("+1" * 10_000_000, "phone_length"),
        ("", "phone_missing"),
        (" \t\n", "phone_missing"),
    ],
)
def test_what_is_refused_says_why(text, code):
    assert refusal(text).code == code


def test_without_a_region_a_national_number_is_refused_not_guessed():
    assert refusal("2025550101", "").code == "phone_no_country"
    assert refusal("2025550101", "ZZ").code == "phone_no_country"


def test_strange_characters_are_named():
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in refusal("+1\u202e2025550101").message


@given(st.text(max_size=40) | st.text("+0123456789 ()./-eE;x#,", max_size=34))
def test_any_text_is_a_valid_number_or_a_refusal_that_can_be_answered_with(text):
    try:
        phone = parsed(text)
    except Invalid as problem:
        problem.value.encode()
        problem.message.encode()
        return
    number = phonenumbers.parse(phone.e164, None)
    assert phonenumbers.is_valid_number(number)
    assert not phonenumbers.parse(text, "US").extension
    assert parsed(phone.e164) == phone


# --- One handset, one key -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"), [("+5491123456789", "+541123456789"), ("+5215512345678", "+525512345678")]
)
def test_alias_forms_of_a_handset_share_one_key(one, other):
    assert phones.canonical(one) == phones.canonical(other)
    assert phones.subscriber_key(one) == phones.subscriber_key(other)
    assert parsed(one).subscriber_key == parsed(other).subscriber_key == phones.subscriber_key(one)


def test_the_form_to_send_to_stays_a_mobile_number():
    assert parsed("+54 9 11 2345 6789").e164 == "+5491123456789"
    assert parsed("+54 9 11 2345 6789").kind == NumberKind.MOBILE
    assert parsed("+52 1 55 1234 5678").e164 == "+525512345678"


@pytest.mark.parametrize("e164", ["+12025550101", "+5411123456789", "+54111234567", "+521234567890", "+549", ""])
def test_other_numbers_are_their_own_canonical_form(e164):
    assert phones.canonical(e164) == e164


def test_the_key_has_a_version_and_hangs_on_the_pepper(settings):
    key = phones.subscriber_key("+12025550101")
    assert re.fullmatch(r"1[A-Za-z0-9_-]{43}", key)
    assert key != phones.subscriber_key("+12025550102")
    settings.PEPPER = "another"
    assert phones.subscriber_key("+12025550101") != key


def test_without_a_pepper_no_key_is_made(settings):
    settings.PEPPER = ""
    with pytest.raises(ImproperlyConfigured, match="SMSDESK_PEPPER"):
        phones.subscriber_key("+12025550101")


# --- Time zones ---------------------------------------------------------------------------------------

SPLIT_AREA_CODES = """
    208 219 250 270 308 418 423 541 574 605 606 620 701 709 775 785 807 812 850 867 879 906 907 928 986
"""


@pytest.mark.parametrize("code", SPLIT_AREA_CODES.split())
def test_a_split_area_code_has_all_its_zones(code):
    assert len(phones.time_zones(f"+1{code}5550123")) >= 2


@pytest.mark.parametrize(("overlay", "parent"), [("364", "270"), ("448", "850"), ("458", "541"), ("930", "812")])
def test_an_overlay_has_the_zones_of_the_code_it_lies_over(overlay, parent):
    zones = phones.time_zones(f"+1{overlay}5550123")
    assert len(zones) == 2
    assert zones == phones.time_zones(f"+1{parent}5550123")


def test_pensacola_and_tallahassee_share_an_area_code():
    for e164 in ("+18505550123", "+18504321234"):
        assert phones.time_zones(e164) == ("America/Chicago", "America/New_York")


def test_an_australian_mobile_may_be_in_perth():
    zones = phones.time_zones("+61412345678")
    assert {"Australia/Sydney", "Australia/Perth", "Indian/Cocos"} <= set(zones)


def test_an_ordinary_area_code_has_one_zone():
    assert phones.time_zones("+12025550101") == ("America/New_York",)
    assert parsed("+1 202 555 0101").time_zones == ("America/New_York",)


@pytest.mark.parametrize("text", ["+12425550123", "12345", "INFO", "", "+882161234567", "+999"])
def test_an_unknown_zone_is_no_zone(text):
    assert phones.time_zones(text) == ()


def test_every_zone_a_number_may_have_is_one_we_can_compute_with():
    names = {zone for zones in TIMEZONE_DATA.values() for zone in zones}
    assert names - zoneinfo.available_timezones() <= {"Etc/Unknown"}


# --- Kind, region, faces ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("e164", "kind", "region"),
    [
        ("+12025550101", NumberKind.FIXED_LINE_OR_MOBILE, "US"),
        ("+18005550123", NumberKind.TOLL_FREE, "US"),
        ("+19005550123", NumberKind.PREMIUM_RATE, "US"),
        ("+447911123456", NumberKind.MOBILE, "GG"),
        ("+447400123456", NumberKind.MOBILE, "GB"),
        ("+5215512345678", NumberKind.FIXED_LINE_OR_MOBILE, "MX"),
        ("+541123456789", NumberKind.FIXED_LINE, "AR"),
        ("+882161234567", NumberKind.VOIP, ""),
        ("+12425550123", NumberKind.INVALID, ""),
        ("+120255501", NumberKind.INVALID, ""),
        ("12345", NumberKind.INVALID, ""),
        ("INFO", NumberKind.INVALID, ""),
    ],
)
def test_kind_and_region_of_a_stored_number(e164, kind, region):
    assert phones.kind(e164) == kind
    assert phones.region(e164) == region


def what_the_library_says(e164):
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return "invalid", ""
    is_same = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == e164
    if not (is_same and phonenumbers.is_valid_number(number)) or len(e164) > 16:
        return "invalid", ""
    region = phonenumbers.region_code_for_number(number)
    kind = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number))
    return kind.lower(), "" if region == "001" else region


def examples(country_code):
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[country_code]:
        for kind in range(11):
            number = phonenumbers.example_number_for_type(region, kind) if region != "001" else None
            number = number or phonenumbers.example_number_for_non_geo_entity(country_code)
            if number:
                yield phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def mutated(e164, chance, *, code_length):
    digits = list(e164)
    for _ in range(chance.choice((1, 1, 2, 4, 7))):
        digits[chance.randrange(1 + code_length, len(digits))] = chance.choice("0123456789")
    return "".join(digits)[: chance.choice((None, None, None, -1))] + chance.choice(("", "", "", "0"))


@pytest.mark.parametrize("country_code", phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
def test_kind_and_region_are_the_librarys_in_every_country(country_code):
    chance = random.Random(country_code)
    known = list(examples(country_code))

    for _ in range(60 * len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[country_code])):
        e164 = mutated(chance.choice(known), chance, code_length=len(str(country_code)))
        assert (phones.kind(e164), phones.region(e164)) == what_the_library_says(e164), e164


@pytest.mark.parametrize("home", ["US", "CA", "JM", "BB", "AG", "GB", "DE", "MX", "AR", "IT"])
def test_a_number_written_by_hand_is_read_as_the_library_reads_it(home):
    chance = random.Random(home)
    known = [e164 for code in (1, 1, 1, 44, 49, 52, 54, 39, 225) for e164 in examples(code)]

    for _ in range(1_500):
        e164 = mutated(chance.choice(known), chance, code_length=2)
        if e164.startswith("+1") and chance.random() < 0.7:
            e164 = e164[chance.choice((1, 2)) :]
        between = ("", "", "", " ", "-", ") ", " (")
        written = "".join(one + chance.choice(between) if one != "+" else one for one in e164)[:32]
        number = parsed_by_the_library(written, home)
        if number is None:
            with pytest.raises(Invalid):
                phones.parse(written, default_region=home)
        else:
            assert phones.parse(written, default_region=home).e164 == number, written


def parsed_by_the_library(text, home):
    """None when it is nobody's number."""
    try:
        number = phonenumbers.parse(text, None if "+" in text else home)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    e164 = phones.canonical(e164) if e164.startswith("+521") else e164
    kind, _ = what_the_library_says(e164)
    return None if kind in ("invalid", "toll_free", "premium_rate", "shared_cost") else e164


def test_a_number_is_masked_for_logs():
    assert phones.mask("+12125550123") == "+1212***0123"
    assert phones.mask("+29012345") == "+29***45"
    assert phones.mask("12345") == "***"


def test_a_number_is_displayed_internationally():
    assert phones.display("+12025550101") == "+1 202-555-0101"
    assert phones.display("INFO") == "INFO"
    assert phones.display("+99999999") == "+99999999"
