"""Many rows, one statement: `… FROM unnest(…)` on PostgreSQL, `… FROM json_each(…)` on SQLite.

Updates were measured 25 to 80 times faster than `bulk_update`. Values travel as parameters, never as text of the
statement.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, models

_JSON_TYPES = (models.JSONField,)


def update_rows(
    model: type[models.Model],
    *,
    key: str = "id",
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    carried: Sequence[str] = (),
    also: str = "",
    where: str = "TRUE",
    parameters: Sequence[Any] = (),
) -> list[Any]:
    """Update each row named by its `key` with its own values, in one statement; the keys that were updated.

    `rows` holds (key, value of columns[0], …, value of carried[0], …); `carried` fields are not set but may be
    used in `also`, further SET text ("submit_no = o.submit_no + 1"), and in `where`, which narrows the target rows
    (alias `o`, new values `x.<field>`). `parameters` fill `%s` in also, then where.
    Field names are those of the model; the caller has locked the rows in id order where order matters.
    """
    if not rows:
        return []
    fields: list[Any] = [model._meta.get_field(name) for name in (key, *columns, *carried)]
    source, source_parameters = _source(fields, [list(column) for column in zip(*rows, strict=True)])
    assignments = [f"{_quoted(f.column)} = x.{_quoted(f.column)}" for f in fields[1 : len(columns) + 1]]
    if also:
        assignments.append(also)
    key_column = _quoted(fields[0].column)
    split = also.count("%s")
    # SQLite knows no alias in RETURNING, PostgreSQL finds the bare name ambiguous.
    returned = f"o.{key_column}" if connection.vendor == "postgresql" else key_column
    statement = (
        f"UPDATE {_quoted(model._meta.db_table)} AS o SET {', '.join(assignments)} FROM {source} "
        f"WHERE o.{key_column} = x.{key_column} AND ({where}) RETURNING {returned}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters[:split], *source_parameters, *parameters[split:]])
        return [row[0] for row in cursor.fetchall()]


def insert_rows(
    model: type[models.Model], *, columns: Sequence[str], rows: Sequence[Sequence[Any]], returning: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Insert rows that break no unique constraint, leave out the others; `returning` of those inserted.

    `rows` holds the values of `columns` (field names, all that have no default in the database); the values
    returned are as the database gives them. Several writers of the same rows must pass them in the same order.
    """
    if not rows:
        return []
    fields: list[Any] = [model._meta.get_field(name) for name in columns]
    names = ", ".join(_quoted(field.column) for field in fields)
    source, parameters = _source(fields, [list(column) for column in zip(*rows, strict=True)])
    chosen: list[Any] = [model._meta.get_field(name) for name in returning]
    wanted = ", ".join(_quoted(field.column) for field in chosen)
    statement = (
        f"INSERT INTO {_quoted(model._meta.db_table)} ({names}) SELECT {names} FROM {source} WHERE TRUE "
        f"ON CONFLICT DO NOTHING RETURNING {wanted}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _source(fields: Sequence[Any], columns: Sequence[list[Any]]) -> tuple[str, list[Any]]:
    names = ", ".join(_quoted(field.column) for field in fields)
    if connection.vendor == "postgresql":
        prepared = [
            [None if value is None else json.dumps(value) for value in column]
            if isinstance(field, _JSON_TYPES)
            else column
            for field, column in zip(fields, columns, strict=True)
        ]
        arrays = ", ".join(f"%s::{_postgres_type(field)}[]" for field in fields)
        return f"unnest({arrays}) AS x({names})", prepared
    prepared = [[_plain(field, value) for value in column] for field, column in zip(fields, columns, strict=True)]
    picks = ", ".join(
        f"json_extract(value, '$[{position}]') AS {_quoted(field.column)}" for position, field in enumerate(fields)
    )
    payload = json.dumps([list(row) for row in zip(*prepared, strict=True)])
    return f"(SELECT {picks} FROM json_each(%s)) AS x", [payload]


def _plain(field: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, _JSON_TYPES):
        return json.dumps(value)
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, Decimal):
        return str(value)
    return value


def _postgres_type(field: Any) -> str:
    target = getattr(field, "target_field", field)
    return str(target.rel_db_type(connection) if target is not field else field.db_type(connection)).replace(
        "bigint GENERATED BY DEFAULT AS IDENTITY", "bigint"
    )


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
