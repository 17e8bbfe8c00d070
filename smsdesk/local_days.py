"""Days as they are counted in a zone: which one it is, and when it ends."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError


def at(moment: datetime, *, zone: str) -> tuple[date, datetime]:
    """The day of this moment there, and the midnight at which it ends, in UTC."""
    place = ZoneInfo(zone)
    day = moment.astimezone(place).date()
    following = day + timedelta(days=1)
    return day, datetime(following.year, following.month, following.day, tzinfo=place).astimezone(UTC)


def check_zone(value: str) -> None:
    """A validator of fields that name a zone."""
    if value not in _names():
        raise ValidationError("Give a time zone by its name, like UTC or America/Los_Angeles.")


@cache
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
