"""The limit of the machine: the rows the import wrote, put into tables of the same shape by the database alone.

COPY of each table's rows on PostgreSQL, INSERT … SELECT on SQLite, with the same columns and indexes, without
foreign keys and triggers, one transaction for each table.
"""

import json
import tempfile
import time
from typing import IO, Any

import django

django.setup()

from django.db import connection, models, transaction  # noqa: E402

from contacts.models import (  # noqa: E402
    ConsentEvent,
    ConsentEvidence,
    ConsentState,
    Contact,
    ListMembership,
)
from tests.benchmarks import gauge  # noqa: E402

TABLES: tuple[type[models.Model], ...] = (Contact, ListMembership, ConsentEvent, ConsentEvidence, ConsentState)


def main() -> None:
    taken, database = gauge.Taken(), gauge.Backend()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")  # a million rows in one statement take longer than ours may
        spent = [_copied(model, database) for model in TABLES]
        what = "COPY"
    else:
        spent = [_selected(model, taken) for model in TABLES]
        what = "INSERT … SELECT"
    seconds, cpu_seconds = (sum(column) for column in zip(*spent, strict=True))
    print(json.dumps({"what": what, "seconds": seconds, "cpu_seconds": round(cpu_seconds, 2)}))


def _copied(model: type[models.Model], database: gauge.Backend) -> tuple[float, float]:
    table = model._meta.db_table
    with connection.cursor() as cursor, tempfile.TemporaryFile() as file:
        with cursor.copy(f"COPY {table} TO STDOUT") as rows:
            for piece in rows:
                file.write(piece)
        file.seek(0)
        cursor.execute(f"CREATE TABLE raw_{table} (LIKE {table} INCLUDING ALL)")
        begun, worked = time.monotonic(), database.cpu_seconds()
        with transaction.atomic():
            _copy_in(cursor, f"raw_{table}", file)
        spent = time.monotonic() - begun, database.cpu_seconds() - worked
        cursor.execute(f"DROP TABLE raw_{table}")
    return spent


def _copy_in(cursor: Any, table: str, file: IO[bytes]) -> None:
    with cursor.copy(f"COPY {table} FROM STDIN") as target:
        while piece := file.read(65_536):
            target.write(piece)


def _selected(model: type[models.Model], taken: gauge.Taken) -> tuple[float, float]:
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = %s AND type IN ('table', 'index')", [table])
        for (statement,) in cursor.fetchall():
            if statement:  # an index of a constraint has none of its own
                cursor.execute(_named_anew(statement, table))
        begun, worked = time.monotonic(), taken.cpu_seconds()
        with transaction.atomic():
            cursor.execute(f"INSERT INTO raw_{table} SELECT * FROM {table}")
        spent = time.monotonic() - begun, taken.cpu_seconds() - worked
        cursor.execute(f"DROP TABLE raw_{table}")
    return spent


def _named_anew(statement: str, table: str) -> str:
    renamed = statement.replace(f'"{table}"', f'"raw_{table}"')
    for kind in ("INDEX", "UNIQUE INDEX"):
        renamed = renamed.replace(f'CREATE {kind} "', f'CREATE {kind} "raw_')
    return renamed


if __name__ == "__main__":
    main()
