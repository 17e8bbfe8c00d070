"""How often: caps on messages of one purpose to one person, and what is counted against them.

Caps of the desk are rows (`FrequencyCap`); caps of a state's law stand in its quiet hours rule. What was sent is
known on the floor above, which registers who counts it here, so nothing here imports upward.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contacts.models import CapPeriod, FrequencyCap, WhenCapped

DAY = timedelta(hours=24)
_FRESH = 3.0  # seconds a process keeps the rows before it reads them again

Sent = tuple[int, datetime]  # brand and when


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` in `period`; None is the calendar month (UTC). `brand_id` None counts all brands together."""

    most: int
    period: timedelta | None = DAY
    brand_id: int | None = None
    skips: bool = False  # who has had enough is skipped instead of waiting
    source: str = ""  # the law's place, "" for the desk's own

    @property
    def words(self) -> str:
        if self.period is None:
            return "a calendar month"
        hours = int(self.period.total_seconds()) // 3600
        return f"{hours // 24} days" if hours % 24 == 0 and hours > 24 else f"{hours} hours"

    def since(self, at: datetime) -> datetime:
        """Messages strictly later than this count at `at`; one of the month's first instant counts too."""
        if self.period is not None:
            return at - self.period
        return _month(at) - timedelta(microseconds=1)

    def reached(self, sent: Iterable[Sent], at: datetime) -> datetime | None:
        """When one more fits, if none does at `at`."""
        since = self.since(at)
        counted = sorted(moment for brand, moment in sent if moment > since and self.brand_id in (None, brand))
        if len(counted) < self.most:
            return None
        return counted[-self.most] + self.period if self.period is not None else _next_month(at)


@dataclass(frozen=True, slots=True)
class Caps:
    """The desk's caps as they stood at one moment."""

    version: str
    by_purpose: dict[str, tuple[Cap, ...]]

    def of(self, purpose: str, *, brand_id: int) -> tuple[Cap, ...]:
        return tuple(cap for cap in self.by_purpose.get(purpose, ()) if cap.brand_id in (None, brand_id))


_read: tuple[float, Caps] | None = None


def load() -> Caps:
    """The active rows, at most 3 seconds old."""
    global _read
    if _read is None or time.monotonic() - _read[0] > _FRESH:
        _read = (time.monotonic(), _caps())
    return _read[1]


def forget() -> None:
    """Read the rows again at the next question: whoever just edited one wants to see the effect."""
    global _read
    _read = None


Counter = Callable[[Collection[str], str, datetime], Iterable[tuple[str, int, datetime]]]
_COUNTERS: list[Counter] = []


def counts(counter: Counter) -> Counter:
    """Register who knows what was sent: (subscriber keys, purpose, since) → (key, brand, when) of each message."""
    _COUNTERS.append(counter)
    return counter


def sent(keys: Sequence[str], *, purpose: str, since: datetime) -> dict[str, list[Sent]]:
    """What each phone was sent for this purpose later than `since`; one query, none without keys."""
    found: dict[str, list[Sent]] = {}
    if keys:
        for counter in _COUNTERS:
            for key, brand_id, moment in counter(keys, purpose, since):
                found.setdefault(key, []).append((brand_id, moment))
    return found


def _caps() -> Caps:
    rows = list(FrequencyCap.objects.filter(is_active=True).order_by("pk"))
    by_purpose: dict[str, tuple[Cap, ...]] = {}
    for row in rows:
        period = None if row.period == CapPeriod.MONTH else timedelta(hours=row.hours)
        cap = Cap(row.most, period, row.brand_id, skips=row.when_capped == WhenCapped.SKIP)
        by_purpose[row.purpose] = (*by_purpose.get(row.purpose, ()), cap)
    return Caps(hashlib.sha256(repr(sorted(by_purpose.items())).encode()).hexdigest()[:8], by_purpose)


def _month(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(at: datetime) -> datetime:
    return _month(_month(at) + timedelta(days=32))
