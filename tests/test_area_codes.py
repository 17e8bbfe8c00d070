"""The list of area codes is what phonenumbers' own geography says."""

import re

import phonenumbers
import pytest
from phonenumbers.geodata import GEOCODE_DATA

from smsdesk import area_codes


def _area_codes_in_use() -> list[str]:
    found = []
    for code in range(200, 1000):
        number = phonenumbers.parse(f"+1{code}2340123", None)
        is_plain = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
        if is_plain and phonenumbers.region_code_for_number(number) == "US":
            found.append(str(code))
    return found


def test_every_area_code_of_the_us_has_its_state():
    assert [code for code in _area_codes_in_use() if not area_codes.state(f"+1{code}2340123")] == []


def test_the_states_are_those_of_the_towns():
    in_use = set(_area_codes_in_use())
    for prefix, names in GEOCODE_DATA.items():
        town = re.search(r", ([A-Z]{2})$", names.get("en", ""))
        if prefix[:1] == "1" and len(prefix) > 4 and prefix[1:4] in in_use and town:
            state = area_codes.state(f"+{prefix}")
            # One town of New York stands among the exchanges of 201, which is New Jersey's.
            assert state == town[1] or prefix.startswith("1201"), prefix


@pytest.mark.parametrize(
    ("number", "state"),
    [("+12125550101", "NY"), ("+15125550101", "TX"), ("+14165550101", ""), ("+442079460000", ""), ("+1787", "")],
)
def test_a_number_elsewhere_has_no_us_state(number, state):
    assert area_codes.state(number) == state
