"""How long a transaction waits for a row that somebody else has; by default two seconds (`smsdesk/settings.py`).
And who is the only one to do something, where two would only be in each other's way."""

import contextlib
from collections.abc import Iterator

from django.db import Error, connection


def wait_longer(seconds: int) -> None:
    """In this transaction, so long for each lock: whoever asks would rather wait than be refused."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{seconds}s'")


@contextlib.contextmanager
def only_here(work: int, number: int) -> Iterator[bool]:
    """Whether no other session of PostgreSQL is inside with this kind of `work` and `number`; on SQLite always.

    For what is right however many do it at once: the lock ends with the connection, and is then anybody's. The
    connection ends when nothing is asked of it for half a minute, as where the host is frozen or cut off.
    """
    if connection.vendor != "postgresql":
        yield True
        return
    key = [work, number % 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        is_mine = bool(cursor.fetchone()[0])
        if is_mine:
            cursor.execute("SET idle_session_timeout = '30s'")
    try:
        yield is_mine
    finally:
        if is_mine:
            with contextlib.suppress(Error), connection.cursor() as cursor:
                cursor.execute("RESET idle_session_timeout; SELECT pg_advisory_unlock(%s, %s)", key)
