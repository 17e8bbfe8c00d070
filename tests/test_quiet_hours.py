"""Quiet hours: exact to the second, in every zone, by every rule."""

import dataclasses
import itertools
import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from django.core.exceptions import ValidationError

from contacts import quiet_hours, rule_book
from contacts.models import QuietHoursRule

BOOK = rule_book.book_of(rule_book.shipped())
NEW_YORK = ("America/New_York",)


@pytest.fixture(autouse=True)
def fresh_table():
    rule_book.forget()
    yield
    rule_book.forget()


def opening(zones, codes, at, *, margin=timedelta(0), country="US"):
    rules = tuple(BOOK.rule(code, country=country) for code in codes)
    return quiet_hours.opening(tuple(zones), rules, datetime.fromisoformat(at), margin=margin)


def codes(country, *, address="", number="", book=BOOK):
    return [rule.code for rule in book.rules_for(country, address_state=address, number_state=number)]


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
    rules = BOOK.rules_for("BR", address_state="", number_state="")
    assert [(rule.code, rule.region) for rule in rules] == [("*", "BR")]
    at = instant("2026-09-07T15:00:00Z")  # Independence Day, a Monday
    assert quiet_hours.opening(("America/Sao_Paulo",), rules, at, margin=timedelta(0)) == instant(
        "2026-09-08T11:00:00Z"
    )


def test_never_open_is_none():
    assert opening(("Europe/Istanbul",), ["TR"], "2026-11-24T10:00:00Z", country="TR") is None


def test_without_zone_or_rule_nothing_is_allowed():
    assert (
        quiet_hours.opening(
            (), BOOK.rules_for("US", address_state="NY", number_state=""), instant("2026-11-24T17:00:00Z")
        )
        is None
    )
    assert quiet_hours.opening(NEW_YORK, (), instant("2026-11-24T17:00:00Z")) is None


def test_a_country_and_its_state_apply_together():
    assert codes("US", address="TX") == ["US", "US-TX"]
    assert codes("US", address="NY") == ["US"]
    assert codes("JE") == ["GB"]
    assert codes("") == ["*"]


def test_every_state_anything_points_to_applies():
    assert codes("US", address="TX", number="FL") == ["US", "US-FL", "US-TX"]
    assert codes("US", address="FL", number="FL") == ["US", "US-FL"]
    assert codes("CA", address="TX", number="") == ["CA"]


def test_a_us_number_whose_state_nobody_knows_has_the_strictest_hours():
    assert codes("US") == ["US", "US-simple"]


def test_a_chosen_profile_stands_for_the_whole_country():
    chosen = [dataclasses.replace(row, is_active=True) if row.replaces else row for row in BOOK.rows.values()]
    book = rule_book.book_of(chosen)
    assert codes("US", address="TX", book=book) == ["US-simple"]
    assert codes("FR", book=book) == ["FR-af2m2026"]
    assert codes("GB", book=book) == ["GB"]


def test_the_simple_profile_satisfies_every_us_row():
    simple = BOOK.rows["US-simple"]
    for row in BOOK.rows.values():
        if row.code == "US" or row.code.startswith("US-"):
            for own, others in zip(simple.windows, row.windows, strict=True):
                assert own is None or (others and others[0] <= own[0] and own[1] <= others[1]), row.code
            assert simple.closed_on_holidays >= row.closed_on_holidays
            assert row.daily_most is None or simple.daily_most <= row.daily_most


def test_a_day_closed_by_hand_is_closed_and_only_there():
    at = instant("2026-11-24T17:00:00Z")
    book = rule_book.book_of(rule_book.shipped(), closed=[("US-LA", date(2026, 11, 24))])
    louisiana = book.rules_for("US", address_state="LA", number_state="")
    texas = book.rules_for("US", address_state="TX", number_state="")
    assert quiet_hours.opening(("America/Chicago",), louisiana, at) == instant("2026-11-25T14:00:00Z")
    assert quiet_hours.opening(("America/Chicago",), texas, at) == at
    assert book.version != BOOK.version


def test_an_empty_book_never_opens():
    rules = rule_book.book_of([]).rules_for("US", address_state="NY", number_state="")
    assert quiet_hours.opening(NEW_YORK, rules, instant("2026-11-24T17:00:00Z")) is None


def test_around_the_clock_has_no_seam_at_midnight():
    book = rule_book.book_of([rule_book.Row("US", ((0, 86_400),) * 7)])
    at = instant("2026-11-25T04:55:00Z")  # 23:55 in New York
    assert quiet_hours.opening(NEW_YORK, book.rules_for("US", address_state="NY", number_state=""), at) == at


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
    book = rule_book.load()
    assert book.rows == BOOK.rows
    assert codes("FR", book=book) == ["FR"]  # a profile applies only where it is chosen


@pytest.mark.django_db
def test_an_edited_row_is_a_new_version():
    before = rule_book.load()
    QuietHoursRule.objects.filter(code="US").update(windows={"Mon": ["10:00", "11:00"]})
    rule_book.forget()
    after = rule_book.load()
    assert after.version != before.version
    at = instant("2026-11-24T17:00:00Z")  # a Tuesday
    assert quiet_hours.opening(
        NEW_YORK, after.rules_for("US", address_state="NY", number_state=""), at, margin=timedelta(0)
    ) == instant("2026-11-30T15:00:00Z")
    assert (
        quiet_hours.opening(
            NEW_YORK, before.rules_for("US", address_state="NY", number_state=""), at, margin=timedelta(0)
        )
        == at
    )


@pytest.mark.django_db
def test_a_table_that_was_emptied_is_the_shipped_one():
    QuietHoursRule.objects.all().delete()
    assert rule_book.load().rows == BOOK.rows


@pytest.mark.django_db
def test_a_table_that_was_switched_off_allows_nothing():
    QuietHoursRule.objects.update(is_active=False)
    rules = rule_book.load().rules_for("US", address_state="NY", number_state="")
    assert quiet_hours.opening(NEW_YORK, rules, instant("2026-11-24T17:00:00Z")) is None


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ({}, "Never"),
        ({"Mon": ["09:00", "20:00"], "Tue": ["09:00", "20:00"], "Wed": ["10:00", "11:00"]},
         "Mon–Tue 09:00–20:00, Wed 10:00–11:00"),
        ({"Mon": ["09:00", "20:00"], "Wed": ["09:00", "20:00"]}, "Mon 09:00–20:00, Wed 09:00–20:00"),
    ],
)  # fmt: skip
def test_a_week_is_told_in_few_words(windows, words):
    assert QuietHoursRule(code="X", windows=windows).week_in_words == words
