"""The clock of a text that may be an opt-out: business days, counted from the day after it came. Pure.

A business day is Monday to Friday without the public holidays of the whole country. Days are those of the
person's own zones; where several are possible, the earliest end counts, so nobody is ever answered too late.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

# Within so many business days an opt-out must be honoured: 47 CFR 64.1200(a)(10) and CASL say ten, and ten is
# kept elsewhere; the Australian Spam Act says five.
DAYS, DAYS_OF = 10, {"AU": 5}
ALARM = 2  # business days before the end
MARGIN = timedelta(hours=1)  # before the end: the machine decides in time although it looks once in a while
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """`age`: business days begun since the day after receipt; `due_at`: the end of the last one allowed."""

    age: int
    allowed: int
    due_at: datetime

    @property
    def left(self) -> int:
        """Business days left after today; 0 on the last one."""
        return max(0, self.allowed - self.age)

    @property
    def is_alarming(self) -> bool:
        return self.left <= ALARM

    def has_run_out(self, now: datetime) -> bool:
        return now >= self.due_at - MARGIN


def clock(received_at: datetime, *, now: datetime, zones: Collection[str], country: str) -> Clock:
    """Of a text that came at `received_at`; `zones` of the person (none: UTC), `country` of the brand."""
    allowed = DAYS_OF.get(country, DAYS)
    places = [ZoneInfo(name) for name in zones or ("UTC",)]
    return Clock(
        age=max(_between(received_at.astimezone(z).date(), now.astimezone(z).date(), country) for z in places),
        allowed=allowed,
        due_at=min(_end(received_at.astimezone(z).date(), allowed, country, z) for z in places),
    )


def is_business_day(day: date, *, country: str) -> bool:
    return day.weekday() < 5 and day not in _holidays(country, day.year)


def _between(received: date, today: date, country: str) -> int:
    days = max(0, (today - received).days)
    return sum(is_business_day(received + n * _DAY, country=country) for n in range(1, days + 1))


def _end(received: date, allowed: int, country: str, zone: ZoneInfo) -> datetime:
    day, counted = received, 0
    while counted < allowed:
        day += _DAY
        counted += is_business_day(day, country=country)
    return datetime.combine(day + _DAY, time(), tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=500)
def _holidays(country: str, year: int) -> frozenset[date]:
    """Of the whole country; one that the library does not know has none, which only makes the clock run faster."""
    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        return frozenset()
