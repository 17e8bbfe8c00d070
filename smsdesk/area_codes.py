"""Area codes of +1: which time zones and which US state a number suggests.

Both are proxies: numbers are ported and people move. So all zones of an area code count, and the law of the
area code's state applies beside that of the address.
"""

import csv
from functools import lru_cache
from pathlib import Path

from phonenumbers.tzdata import TIMEZONE_DATA

_STATES = Path(__file__).parent / "data" / "us_area_codes.csv"  # as geocoded by phonenumbers; a test compares

# Area codes that lie over the whole territory of an older one; the zone data knows only their main city. Put
# together from general knowledge, not checked against the numbering administrator's lists: an overlay that is
# missing here has the zones of its main city only. The zones themselves are never typed here.
_OVERLAYS = {
    "208": ("986",),
    "250": ("236", "257", "672", "778"),
    "270": ("364",),
    "418": ("367", "581"),
    "423": ("729",),
    "541": ("458",),
    "709": ("879",),
    "812": ("930",),
    "850": ("448",),
}


def time_zones(area_code: str) -> tuple[str, ...]:
    """Sorted; every zone of +1 where the area code is not known."""
    return _zones().get(area_code) or tuple(sorted(TIMEZONE_DATA["1"]))


def state(e164: str) -> str:
    """The US state (two letters) of a +1 number's area code; "" where the list has none."""
    return _states().get(e164[2:5], "") if e164.startswith("+1") else ""


@lru_cache(maxsize=1)
def _states() -> dict[str, str]:
    with _STATES.open(encoding="utf-8", newline="") as file:
        return {code: row["state"] for row in csv.DictReader(file) for code in row["area_codes"].split()}


@lru_cache(maxsize=1)
def _zones() -> dict[str, tuple[str, ...]]:
    """Zones of each +1 area code: the union over all its exchanges, and over the code it is an overlay of.

    The longest prefix alone would answer New York for all of +1 850, half of which lives by Chicago's clock.
    """
    found: dict[str, set[str]] = {}
    for prefix, zones in TIMEZONE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4:
            found.setdefault(prefix[1:4], set()).update(zones)
    for parent, overlays in _OVERLAYS.items():
        union = set().union(*(found.get(code, ()) for code in (parent, *overlays)))
        found.update(dict.fromkeys((parent, *overlays), union))
    return {code: tuple(sorted(zones - {"Etc/Unknown"})) for code, zones in found.items()}
