"""Two clocks: the database's for leases and due times that several hosts compare, the process's for deadlines."""

import time
from datetime import datetime

from django.db import connection
from django.utils import timezone


def database_now() -> datetime:
    """What the database's clock says. SQLite lives on this host, so there it is this host's clock."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


class Elapsed:
    """Seconds since it was made: by the boot clock, which counts suspend, or the wall clock, the larger."""

    def __init__(self) -> None:
        self._boot = _boot_seconds()
        self._wall = time.time()

    def seconds(self) -> float:
        return max(_boot_seconds() - self._boot, time.time() - self._wall)


def _boot_seconds() -> float:
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()
