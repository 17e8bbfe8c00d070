"""Many values in one cell: `json_agg` on PostgreSQL, `json_group_array` on SQLite.

A driver makes an object of each cell and waits for the network every few rows; a hundred thousand values in one
cell are read at once.
"""

import json
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Aggregate, Func, TextField
from django.db.models.sql.compiler import SQLCompiler


class Packed(Aggregate):
    """All values of a group as the text of a JSON array, for `unpacked`; in no order, but in the same one for all
    `Packed` of a query."""

    function = "JSON_AGG"
    template = "%(function)s(%(expressions)s)::text"
    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return super().as_sql(
            compiler, connection, function="JSON_GROUP_ARRAY", template="%(function)s(%(expressions)s)", **context
        )


class Member(Func):
    """PostgreSQL only: one member of a JSON object as JSON text, NULL where there is none."""

    template = "(%(expressions)s)::text"
    arg_joiner = " -> "
    arity = 2
    output_field = TextField()


def unpacked(cell: str) -> list[Any]:
    found: list[Any] = json.loads(cell)
    return found
