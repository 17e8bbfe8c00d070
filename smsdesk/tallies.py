"""Counting what outsiders do: in the database, so every web process and host counts the same."""

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils.crypto import salted_hmac

from smsdesk.models import Tally

_DAY = timedelta(days=1)


def count(name: str, *, of: str, per: timedelta, now: datetime) -> int:
    """Count one more of `name` by `of` in the present span, and say the how-manieth it is.

    Spans lie side by side (each hour, each day): around the edge of two, twice as many fit. Call it outside a
    transaction that may be undone, or the count is undone with it.
    """
    seconds = int(per.total_seconds())
    span = int(now.timestamp()) // seconds
    ends_at = datetime.fromtimestamp((span + 1) * seconds, UTC)
    key = salted_hmac("smsdesk.tallies", of, algorithm="sha256").hexdigest()
    table = connection.ops.quote_name(Tally._meta.db_table)
    row = (f"{name}/{seconds}", key, span, 1, connection.ops.adapt_datetimefield_value(ends_at))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS t (name, key, span, count, ends_at) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (name, key, span) DO UPDATE SET count = t.count + 1 RETURNING count",
            row,
        )
        return int(cursor.fetchone()[0])


def count_today(name: str, *, now: datetime) -> None:
    """Count a rare event of the desk itself, of nobody in particular."""
    count(name, of="", per=_DAY, now=now)


def today(name: str, *, now: datetime) -> int:
    """How often `count_today` has counted `name` since midnight (UTC)."""
    span = int(now.timestamp()) // int(_DAY.total_seconds())
    own = Tally.objects.filter(name=f"{name}/{int(_DAY.total_seconds())}", span=span)
    return own.values_list("count", flat=True).first() or 0


def drop_old(*, now: datetime) -> int:
    """Drop the counts of spans that are over; safe at any time. How many went."""
    return Tally.objects.filter(ends_at__lt=now).delete()[0]
