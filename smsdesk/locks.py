"""How long a transaction waits for a row that somebody else has; by default two seconds (`smsdesk/settings.py`)."""

from django.db import connection


def wait_longer(seconds: int) -> None:
    """In this transaction, so long for each lock: whoever asks would rather wait than be refused."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{seconds}s'")
