"""What the database alone takes for the same rows: the limit a part is compared with."""

import time

from django.db import connection


def read_seconds(columns: str) -> float:
    """Every contact, these columns: COPY … TO on PostgreSQL, SELECT on SQLite; nothing is kept."""
    begun = time.monotonic()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")
            with cursor.copy(f"COPY (SELECT {columns} FROM contacts_contact ORDER BY id) TO STDOUT") as rows:
                for _ in rows:
                    pass
        else:
            cursor.execute(f"SELECT {columns} FROM contacts_contact ORDER BY id")
            while cursor.fetchmany(2_000):
                pass
    return time.monotonic() - begun


def best_seconds(statement: str, *, times: int = 5) -> float:
    """The fastest of some runs of one statement."""
    found = []
    with connection.cursor() as cursor:
        for _ in range(times):
            begun = time.monotonic()
            cursor.execute(statement)
            cursor.fetchall()
            found.append(time.monotonic() - begun)
    return min(found)
