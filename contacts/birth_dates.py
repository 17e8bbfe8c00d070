"""Birth dates as files write them. One that can be read in two ways is not guessed: an age check rests on it."""

import re
from collections.abc import Iterator
from datetime import date

from smsdesk.errors import Invalid

# A spreadsheet may add a time to a date; only midnight is none.
_PARTS = re.compile(r"(\d{1,4})([-./ ])(\d{1,2})\2(\d{1,4})(?:[T ]00:00(?::00)?)?", re.ASCII)


def iso(text: str) -> str:
    """As 1990-05-17. Raises `Invalid` for what is no date, and for 04/05/1990, which may be in April or in May."""
    match = _PARTS.fullmatch(text.strip())
    found = set(_readings(*match.groups())) if match else set()
    if not found:
        raise _refused("This is not a date.", text)
    if len(found) > 1:
        earlier, later = sorted(found)
        raise _refused(f"This may be {earlier} or {later}.", text)
    return found.pop().isoformat()


def _readings(first: str, sign: str, middle: str, last: str) -> Iterator[date]:
    if len(first) == 4 and len(last) <= 2:
        orders = [(first, middle, last)]
    elif len(last) == 4 and len(first) <= 2:
        orders = [(last, middle, first)]  # 17.05.1990
        if sign != ".":
            orders.append((last, first, middle))  # 05/17/1990
    else:
        return  # a year of two digits is no year
    for year, month, day in orders:
        try:
            yield date(int(year), int(month), int(day))
        except ValueError:
            continue


def _refused(reason: str, text: str) -> Invalid:
    return Invalid(
        "invalid_birth_date", reason, field="birth_date", value=text[:40], cure="Write it as 1990-05-17."
    )
