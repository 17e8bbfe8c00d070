"""When marketing may leave: local half-open windows, every candidate zone and every rule that applies must allow.

Which rules apply to a number says `contacts/rule_book.py`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from contacts.rule_book import Rule

HORIZON = timedelta(days=8)  # no common window within it: never
MARGIN = timedelta(minutes=10)  # kept free before a window closes, for the carrier's delay
NOT_A_ZONE = "Etc/Unknown"
_SPAN = timedelta(days=16)  # what one computed timeline covers
_DAY = timedelta(days=1)
_MOST_TIMELINES = 20_000

Interval = tuple[datetime, datetime]  # UTC, [from, until)


class _Timeline:
    """The instants at which every zone and every rule allow, as sorted intervals of a span of days."""

    __slots__ = ("begins", "closings", "ends", "openings")

    def __init__(self, zones: Sequence[str], rules: Sequence[Rule], at: datetime, margin: timedelta) -> None:
        self.begins = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - _DAY
        self.ends = self.begins + _SPAN
        common: list[Interval] = [(self.begins, self.ends)]
        for zone in zones:
            for rule in rules:
                common = _overlap(common, _allowed(ZoneInfo(zone), rule, self.begins, self.ends))
        kept = [(opens, closes - margin) for opens, closes in _joined(common) if opens < closes - margin]
        self.openings = [opens for opens, _ in kept]
        self.closings = [closes for _, closes in kept]

    def answers(self, at: datetime) -> bool:
        return self.begins <= at and at + HORIZON < self.ends


_timelines: dict[tuple[tuple[str, ...], tuple[Rule, ...], timedelta], _Timeline] = {}


def opening(
    zones: tuple[str, ...], rules: tuple[Rule, ...], at: datetime, *, margin: timedelta = MARGIN
) -> datetime | None:
    """`at` where all zones and rules allow it, else the next instant (UTC) at which they do; None within 8 days.

    Exact to the microsecond, and cheap: the timeline of the same zones and rules is computed once a week.
    Raises `ZoneInfoNotFoundError` for a name that is no zone. Without a zone or a rule nothing is allowed.
    """
    if not zones or not rules:
        return None
    key = (zones, rules, margin)
    timeline = _timelines.get(key)
    if timeline is None or not timeline.answers(at):
        if len(_timelines) >= _MOST_TIMELINES:
            _timelines.clear()
        timeline = _timelines[key] = _Timeline(zones, rules, at, margin)
    position = bisect_right(timeline.openings, at)
    if position and at < timeline.closings[position - 1]:
        return at
    if position == len(timeline.openings) or timeline.openings[position] > at + HORIZON:
        return None
    return timeline.openings[position]


def _allowed(zone: ZoneInfo, rule: Rule, begins: datetime, ends: datetime) -> list[Interval]:
    """The windows of one rule in one zone, day by day."""
    intervals: list[Interval] = []
    day = begins.astimezone(zone).date() - _DAY
    while (midnight := _midnight(day, zone)) < ends:
        window = rule.windows[day.weekday()]
        if window and not is_closed(rule, day):
            for segment_begins, segment_ends in _segments(midnight, _midnight(day + _DAY, zone), zone):
                local = segment_begins.astimezone(zone)
                # the UTC instant at which clocks of this segment's offset would show 00:00 of `day`
                zero = datetime(day.year, day.month, day.day, tzinfo=UTC) - (local.utcoffset() or timedelta())
                opens_at = max(zero + timedelta(seconds=window[0]), segment_begins)
                closes_at = min(zero + timedelta(seconds=window[1]), segment_ends)
                if opens_at < closes_at:
                    intervals.append((opens_at, closes_at))
        day += _DAY
    return intervals


def is_closed(rule: Rule, day: date) -> bool:
    """Whether the whole day is closed: added by hand, or a public holiday where the rule closes on those."""
    return day in rule.closed_days or (rule.closed_on_holidays and day in _public_holidays(rule.region, day.year))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _segments(begins: datetime, ends: datetime, zone: ZoneInfo) -> list[Interval]:
    """The day cut where its clocks change, so that each piece has one offset from UTC."""
    before = begins.astimezone(zone).utcoffset()
    if before == (ends - timedelta(seconds=1)).astimezone(zone).utcoffset():
        return [(begins, ends)]
    low, high = begins, ends
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return [(begins, high), (high, ends)]


def _overlap(left: list[Interval], right: list[Interval]) -> list[Interval]:
    common: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        opens, closes = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if opens < closes:
            common.append((opens, closes))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return common


def _joined(intervals: list[Interval]) -> list[Interval]:
    """Without the seams where one window ends at the instant the next begins (24 hours, change of clocks)."""
    joined: list[Interval] = []
    for opens, closes in intervals:
        if joined and joined[-1][1] >= opens:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
        else:
            joined.append((opens, closes))
    return joined


@lru_cache(maxsize=2_000)
def _public_holidays(region: str, year: int) -> frozenset[date]:
    """Days off in "US-RI" or "FR"; a region the library does not know has none."""
    country, _, subdivision = region.partition("-")
    for part in (subdivision or None, None):
        try:
            return frozenset(holidays.country_holidays(country, subdiv=part, years=year))
        except NotImplementedError:
            continue
    return frozenset()


@lru_cache(maxsize=10_000)
def usable_zones(own: tuple[str, ...], stated: tuple[str, ...], override: str) -> tuple[str, ...]:
    """The candidate zones: the phone's and the contact's, or the one that replaces them; () when one is unknown.

    A name that is no zone is doubt, and doubt blocks; only `Etc/Unknown` is dropped, since it says nothing.
    """
    candidates = (override,) if override else (*own, *stated)
    zones = tuple(sorted({zone for zone in candidates if zone != NOT_A_ZONE}))
    return zones if all(is_zone(zone) for zone in zones) else ()


@lru_cache(maxsize=2_000)
def is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
