"""Quiet hours: exact to the second, in every zone, by every rule."""

import itertools
import json
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from django.core.exceptions import ValidationError

from contacts import quiet_hours
from contacts.models import QuietHoursRule
from contacts.models.quiet_hours import WEEKDAYS

BOOK = quiet_hours.book_of(
    (row["code"], json.loads(row["windows_json"]), row["holidays"] == "closed") for row in quiet_hours.shipped()
)
NEW_YORK = ("America/New_York",)


@pytest.fixture(autouse=True)
def fresh_table():
    quiet_hours.forget_rules()
    yield
    quiet_hours.forget_rules()


def opening(zones, codes, at, *, margin=timedelta(0), country="US"):
    rules = tuple(BOOK.rule(code, country=country) for code in codes)
    return quiet_hours.opening(tuple(zones), rules, datetime.fromisoformat(at), margin=margin)


def instant(text):
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2027-03-13 22:00", "2027-03-14T12:00:00Z"),  # clocks go forward in the night
        ("2026-10-31 22:00", "2026-11-01T13:00:00Z"),  # and back
    ],
)
def test_the_morning_after_the_clocks_change_opens_by_the_new_time(at, expected):
    local = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("America/New_York"))
    assert opening(NEW_YORK, ["US"], local.isoformat()) == instant(expected)


def test_phoenix_and_navajo_in_july_must_both_be_awake():
    zones = ("America/Denver", "America/Phoenix")
    assert opening(zones, ["US"], "2027-07-02T04:30:00Z") == instant("2027-07-02T15:00:00Z")


def test_lord_howe_shifts_by_half_an_hour():
    before, after = "2026-10-03T12:00:00Z", "2026-10-05T12:00:00Z"
    assert opening(("Australia/Lord_Howe",), ["US"], before) == instant("2026-10-03T21:00:00Z")
    assert opening(("Australia/Lord_Howe",), ["US"], after) == instant("2026-10-05T21:00:00Z")
    assert opening(("Australia/Lord_Howe",), ["US"], "2026-10-02T12:00:00Z") == instant("2026-10-02T21:30:00Z")


def test_the_closing_second_is_closed_and_the_margin_closes_earlier():
    assert opening(NEW_YORK, ["US"], "2026-11-25T01:59:59Z") == instant("2026-11-25T01:59:59Z")
    assert opening(NEW_YORK, ["US"], "2026-11-25T02:00:00Z") == instant("2026-11-25T13:00:00Z")
    ten = timedelta(minutes=10)
    assert opening(NEW_YORK, ["US"], "2026-11-25T01:49:59Z", margin=ten) == instant("2026-11-25T01:49:59Z")
    assert opening(NEW_YORK, ["US"], "2026-11-25T01:50:00Z", margin=ten) == instant("2026-11-25T13:00:00Z")


def test_a_public_holiday_of_the_region_is_closed_where_the_rule_says_so():
    assert opening(("Europe/Paris",), ["FR"], "2026-07-14T10:00:00Z", country="FR") == instant(
        "2026-07-15T06:00:00Z"
    )
    assert opening(("Europe/London",), ["GB"], "2026-12-25T10:00:00Z", country="GB") == instant(
        "2026-12-25T10:00:00Z"
    )


def test_the_default_row_keeps_the_holidays_of_the_country_of_the_number():
    rules = BOOK.rules_for("BR", "")
    assert [(rule.code, rule.region) for rule in rules] == [("*", "BR")]
    at = instant("2026-09-07T15:00:00Z")  # Independence Day, a Monday
    assert quiet_hours.opening(("America/Sao_Paulo",), rules, at, margin=timedelta(0)) == instant(
        "2026-09-08T11:00:00Z"
    )


def test_never_open_is_none():
    assert opening(("Europe/Istanbul",), ["TR"], "2026-11-24T10:00:00Z", country="TR") is None


def test_without_zone_or_rule_nothing_is_allowed():
    assert quiet_hours.opening((), BOOK.rules_for("US", ""), instant("2026-11-24T17:00:00Z")) is None
    assert quiet_hours.opening(NEW_YORK, (), instant("2026-11-24T17:00:00Z")) is None


def test_a_country_and_its_state_apply_together():
    assert [rule.code for rule in BOOK.rules_for("US", "TX")] == ["US", "US-TX"]
    assert [rule.code for rule in BOOK.rules_for("US", "NY")] == ["US"]
    assert [rule.code for rule in BOOK.rules_for("JE", "")] == ["GB"]
    assert [rule.code for rule in BOOK.rules_for("", "")] == ["*"]


def test_an_empty_book_never_opens():
    rules = quiet_hours.book_of([]).rules_for("US", "")
    assert quiet_hours.opening(NEW_YORK, rules, instant("2026-11-24T17:00:00Z")) is None


def test_around_the_clock_has_no_seam_at_midnight():
    book = quiet_hours.book_of([("US", {day: ["00:00", "24:00"] for day in WEEKDAYS}, False)])
    at = instant("2026-11-25T04:55:00Z")  # 23:55 in New York
    assert quiet_hours.opening(NEW_YORK, book.rules_for("US", ""), at) == at


def _allows(zones, rules, at):
    for zone, rule in itertools.product(zones, rules):
        local = at.astimezone(ZoneInfo(zone))
        window = rule.windows[local.weekday()]
        country, _, state = rule.region.partition("-")
        if window is None:
            return False
        if rule.closed_on_holidays and local.date() in holidays.country_holidays(country, subdiv=state or None):
            return False
        seconds = local.hour * 3600 + local.minute * 60 + local.second
        if not window[0] <= seconds < window[1]:
            return False
    return True


def _opening_by_definition(zones, rules, at):
    """The rule as it is written down: try the opening instants of every rule in every zone."""
    if _allows(zones, rules, at):
        return at
    candidates = set()
    for zone, rule, ahead in itertools.product(zones, rules, range(-1, 10)):
        day = at.astimezone(ZoneInfo(zone)).date() + timedelta(days=ahead)
        window = rule.windows[day.weekday()]
        if window is not None:
            opens = datetime(day.year, day.month, day.day, window[0] // 3600, tzinfo=ZoneInfo(zone))
            candidates.add(opens.astimezone(UTC))
    horizon = at + timedelta(days=8)
    return min((c for c in candidates if at < c <= horizon and _allows(zones, rules, c)), default=None)


@pytest.mark.parametrize("seed", range(6))
def test_the_timeline_answers_as_the_definition_does(seed):
    dice = random.Random(seed)
    zones = [
        "America/New_York", "America/Los_Angeles", "Pacific/Honolulu", "Europe/London", "Asia/Tokyo",
        "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Kathmandu", "America/Phoenix",
    ]  # fmt: skip
    codes = ["US", "US-TX", "US-RI", "US-KY", "FR", "AU", "JO", "CA"]
    for _ in range(25):
        chosen = tuple(dice.sample(zones, dice.randint(1, 3)))
        rules = tuple(BOOK.rule(code, country="US") for code in dice.sample(codes, dice.randint(1, 3)))
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.randrange(2 * 365 * 86_400))
        for moment in (at, at + timedelta(days=3), at - timedelta(days=1)):  # the same timeline serves all
            answer = quiet_hours.opening(chosen, rules, moment, margin=timedelta(0))
            assert answer == _opening_by_definition(chosen, rules, moment), (chosen, moment)


@pytest.mark.parametrize(
    ("windows", "word"),
    [
        ({"Mon": ["20:00", "02:00"]}, "midnight"),
        ({"Mon": ["08:00", "08:00"]}, "not before"),
        ({"Monday": ["08:00", "20:00"]}, "not a day"),
        ({"Mon": ["8:00", "20:00"]}, "time of day"),
        ({"Mon": ["08:60", "20:00"]}, "time of day"),
        ({"Mon": ["08:00", "24:01"]}, "time of day"),
        ({"Mon": ["٠٨:00", "20:00"]}, "time of day"),
        ({"Mon": "08:00-20:00"}, "closing time"),
        ({"Mon": [8, 20]}, "time of day"),
        (["Mon"], "object"),
    ],
)
def test_a_wrong_window_is_refused_with_its_reason(windows, word):
    rule = QuietHoursRule(code="XX", windows=windows)
    with pytest.raises(ValidationError) as refused:
        rule.clean()
    assert word in refused.value.message_dict["windows"][0]


def test_zones_of_the_phone_and_the_contact_are_all_candidates():
    assert quiet_hours.usable_zones(NEW_YORK, ("Asia/Tokyo",), "") == ("America/New_York", "Asia/Tokyo")
    assert quiet_hours.usable_zones(NEW_YORK, ("Asia/Tokyo",), "Europe/Paris") == ("Europe/Paris",)
    assert quiet_hours.usable_zones(("Etc/Unknown",), (), "") == ()


@pytest.mark.parametrize("name", ["Mars/Phobos", "../etc/passwd", "a\x00b", "\ud800", "America"])
def test_a_zone_that_is_none_leaves_no_zone(name):
    assert quiet_hours.usable_zones(NEW_YORK, (name,), "") == ()


@pytest.mark.django_db
def test_the_shipped_table_is_in_the_database():
    book = quiet_hours.load_rules()
    assert book.weeks["US-TX"] == BOOK.weeks["US-TX"]
    assert "FR-af2m2026" not in book.weeks  # a profile applies only where it is chosen


@pytest.mark.django_db
def test_an_edited_row_is_a_new_version():
    before = quiet_hours.load_rules()
    QuietHoursRule.objects.filter(code="US").update(windows={"Mon": ["10:00", "11:00"]})
    quiet_hours.forget_rules()
    after = quiet_hours.load_rules()
    assert after.version != before.version
    at = instant("2026-11-24T17:00:00Z")  # a Tuesday
    assert quiet_hours.opening(NEW_YORK, after.rules_for("US", ""), at, margin=timedelta(0)) == instant(
        "2026-11-30T15:00:00Z"
    )
    assert quiet_hours.opening(NEW_YORK, before.rules_for("US", ""), at, margin=timedelta(0)) == at


@pytest.mark.django_db
def test_a_table_that_was_emptied_is_the_shipped_one():
    QuietHoursRule.objects.all().delete()
    assert quiet_hours.load_rules().weeks["US"] == BOOK.weeks["US"]


@pytest.mark.django_db
def test_a_table_that_was_switched_off_allows_nothing():
    QuietHoursRule.objects.update(is_active=False)
    rules = quiet_hours.load_rules().rules_for("US", "")
    assert quiet_hours.opening(NEW_YORK, rules, instant("2026-11-24T17:00:00Z")) is None
