"""How many requests a key may make: counted in the database, so every web process and host counts the same."""

import math
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from smsdesk.api.problems import Problem
from smsdesk.models import ApiKey, KeyUsage


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of the current minute after this request."""

    limit: int
    remaining: int
    reset: int  # seconds until the next minute
    is_exceeded: bool

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


def count(key: ApiKey, *, now: datetime) -> Allowance:
    """Count one request of this key. The minute never moves back, so hosts whose clocks differ lose no count."""
    seconds = now.timestamp()
    table = connection.ops.quote_name(KeyUsage._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS u (api_key_id, minute, used) VALUES (%s, %s, 1) "
            "ON CONFLICT (api_key_id) DO UPDATE SET "
            "used = CASE WHEN excluded.minute > u.minute THEN 1 ELSE u.used + 1 END, "
            "minute = CASE WHEN excluded.minute > u.minute THEN excluded.minute ELSE u.minute END "
            "RETURNING used",
            [key.pk, int(seconds // 60)],
        )
        used = cursor.fetchone()[0]
    return Allowance(
        limit=key.requests_per_minute,
        remaining=max(0, key.requests_per_minute - used),
        reset=math.ceil(60 - seconds % 60),
        is_exceeded=used > key.requests_per_minute,
    )


def exceeded(allowance: Allowance) -> Problem:
    return Problem(
        429,
        "rate_limited",
        f"This key may make {allowance.limit} requests a minute. Try again in {allowance.reset} s.",
        headers={"Retry-After": str(allowance.reset)},
    )
