"""The clock of doubtful texts: Monday to Friday without public holidays, counted from the day after receipt."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import business_days

NEW_YORK, UTC_ONLY = ("America/New_York",), ("UTC",)


def local(text, zone="America/New_York"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def clock(received, now, *, zones=NEW_YORK, country="US"):
    return business_days.clock(received, now=now, zones=zones, country=country)


# received, now (both New York), country → age
AGES = [
    ("2026-06-01 09:00", "2026-06-01 23:59", "US", 0),  # the day itself does not count
    ("2026-06-01 09:00", "2026-06-02 00:00", "US", 1),
    ("2026-06-05 09:00", "2026-06-07 23:59", "US", 0),  # Friday, over the weekend
    ("2026-06-05 09:00", "2026-06-08 00:00", "US", 1),
    ("2026-06-06 09:00", "2026-06-08 12:00", "US", 1),  # Saturday
    ("2026-06-18 09:00", "2026-06-22 12:00", "US", 1),  # Juneteenth is a Friday
    ("2026-06-18 09:00", "2026-06-22 12:00", "GB", 2),  # not in Britain
    ("2026-07-02 09:00", "2026-07-06 12:00", "US", 1),  # 4 July is a Saturday, observed on Friday
    ("2026-12-24 09:00", "2026-12-28 12:00", "US", 1),
    ("2026-12-24 09:00", "2026-12-29 12:00", "GB", 1),  # Boxing Day is made up for on the 28th
    ("2026-12-31 09:00", "2027-01-04 12:00", "US", 1),  # over New Year
    ("2026-06-01 09:00", "2026-06-15 12:00", "US", 10),
    ("2026-06-01 09:00", "2026-06-16 00:00", "US", 11),
    ("2026-06-01 09:00", "2026-05-30 12:00", "US", 0),  # a clock that went back
    ("2026-06-18 09:00", "2026-06-22 12:00", "ZZ", 2),  # a country nobody knows has no holidays
]


@pytest.mark.parametrize(("received", "now", "country", "age"), AGES)
def test_ages(received, now, country, age):
    assert clock(local(received), local(now), country=country).age == age


# received (New York), country → the end of the last day allowed (New York)
ENDS = [
    ("2026-06-01 09:00", "US", "2026-06-16 00:00"),  # Mondays to Fridays: the tenth is the Monday after next
    ("2026-06-01 23:59", "US", "2026-06-16 00:00"),
    ("2026-06-06 12:00", "US", "2026-06-23 00:00"),  # Saturday; Juneteenth on the way
    ("2026-12-18 12:00", "US", "2027-01-06 00:00"),  # Christmas and New Year on the way
    ("2026-06-01 09:00", "AU", "2026-06-09 00:00"),  # five: the King's Birthday is no holiday of all states
    ("2026-10-28 09:00", "US", "2026-11-13 00:00"),  # clocks go back and Veterans Day on the way
]


@pytest.mark.parametrize(("received", "country", "end"), ENDS)
def test_ends(received, country, end):
    assert clock(local(received), local(received), country=country).due_at == local(end)


def test_the_day_is_that_of_the_person_not_of_utc():
    evening = local("2026-06-01 21:00")  # Tuesday in UTC
    assert evening.astimezone(UTC).date() == date(2026, 6, 2)
    assert clock(evening, evening).due_at == local("2026-06-16 00:00")


def test_of_several_zones_the_earliest_end_counts():
    both = ("Australia/Perth", "Australia/Sydney")
    received = datetime(2026, 6, 1, 15, 30, tzinfo=UTC)  # still Monday in Perth, already Tuesday in Sydney
    due = clock(received, received, zones=both, country="US").due_at
    assert due == min(clock(received, received, zones=(z,), country="US").due_at for z in both)


def test_without_a_zone_it_is_utc():
    received = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert clock(received, received, zones=()) == clock(received, received, zones=UTC_ONLY)


@pytest.mark.parametrize(("now", "left", "alarms", "over"), [
    ("2026-06-10 12:00", 3, False, False),
    ("2026-06-11 00:00", 2, True, False),  # the eighth business day
    ("2026-06-15 22:59", 0, True, False),
    ("2026-06-15 23:00", 0, True, True),  # an hour before the end of the tenth, so that it is never late
    ("2026-07-15 12:00", 0, True, True),
])  # fmt: skip
def test_alarm_from_the_eighth_day_and_over_before_the_tenth_ends(now, left, alarms, over):
    found = clock(local("2026-06-01 09:00"), local(now))
    assert (found.left, found.is_alarming, found.has_run_out(local(now))) == (left, alarms, over)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1)),
    st.sampled_from(["US", "GB", "CA", "AU", "DE", "ZZ", ""]),
    st.sampled_from([NEW_YORK, UTC_ONLY, ("Pacific/Kiritimati",), ("America/Los_Angeles", "America/New_York")]),
)
def test_the_age_never_falls_and_has_reached_what_is_allowed_when_the_time_ends(received, country, zones):
    received = received.replace(tzinfo=UTC)
    due = clock(received, received, zones=zones, country=country).due_at
    ages = [
        clock(received, received + timedelta(days=day), zones=zones, country=country).age for day in range(0, 32, 3)
    ]
    assert ages == sorted(ages)
    last = clock(received, due - timedelta(seconds=1), zones=zones, country=country)
    assert last.age == last.allowed
