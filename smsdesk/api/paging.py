"""Cursor paging: `{data, next, previous}`, `?cursor=&limit=&ordering=`. Keyset, so a far page costs no more."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, DateTimeField, F, Func, Model, QuerySet, Value
from django.db.models.fields import BigIntegerField
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from smsdesk.api.problems import Problem

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
PARAMETERS = ("cursor", "limit", "ordering")


class After(Func):
    """`(a, b) > (x, y)`: compared as rows, which an index on (a, b) answers even where a million share one a."""

    template = "(%(expressions)s)"
    output_field = BooleanField()
    sign = ">"

    def as_sql(self, compiler, connection, **extra_context):  # type: ignore[no-untyped-def, override]
        parts = [compiler.compile(expression) for expression in self.source_expressions]
        a, b, x, y = (sql for sql, _ in parts)
        return f"(({a}, {b}) {self.sign} ({x}, {y}))", [value for _, values in parts for value in values]


class Before(After):
    sign = "<"


def following(
    rows: QuerySet[Any], *, field: str, moment: datetime, row_id: int, side: type[After]
) -> QuerySet[Any]:
    """Those of `rows` on this side of the place (moment, id) in a list sorted by `field`, then id."""
    place = (Value(moment, output_field=DateTimeField()), Value(row_id, output_field=BigIntegerField()))
    return rows.filter(side(F(field), F("pk"), *place))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: the row it stands at, and whether the page lies before it."""

    ordering: str
    is_backward: bool
    moment: datetime
    row_id: int

    def text(self) -> str:
        parts = [self.ordering, int(self.is_backward), self.moment.isoformat(), self.row_id]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


class CursorPaging(BasePagination):
    """Views name their sortings in `orderings`, the first being the default; all are times, made unique by id."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.ordering = _ordering(request, view.orderings)
        self.cursor = _cursor(request, self.ordering)
        limit = _limit(request)
        is_backward = self.cursor is not None and self.cursor.is_backward
        rows = _window(queryset, ordering=self.ordering, cursor=self.cursor)[: limit + 1]
        found = list(rows)
        self.has_more = len(found) > limit
        page = found[:limit]
        if is_backward:
            page.reverse()
        self.page = page
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, "next": self._next(), "previous": self._previous()})

    def _next(self) -> str | None:
        if self.cursor is not None and self.cursor.is_backward:
            return self._link(self.page[-1], is_backward=False) if self.page else None
        return self._link(self.page[-1], is_backward=False) if self.has_more else None

    def _previous(self) -> str | None:
        if self.cursor is None or not self.page:
            return None
        if self.cursor.is_backward and not self.has_more:
            return None
        return self._link(self.page[0], is_backward=True)

    def _link(self, row: Model, *, is_backward: bool) -> str:
        cursor = Cursor(
            ordering=self.ordering,
            is_backward=is_backward,
            moment=getattr(row, self.ordering.lstrip("-")),
            row_id=row.pk,
        )
        address = remove_query_param(self.request.build_absolute_uri(), "cursor")
        return replace_query_param(address, "cursor", cursor.text())

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["data", "next", "previous"],
            "properties": {"data": schema, "next": link, "previous": link},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        orderings = list(getattr(view, "orderings", ("created_at",)))
        return [
            _parameter("cursor", "From `next` or `previous` of another page.", {"type": "string"}),
            _parameter("limit", "Rows a page.", limit),
            _parameter("ordering", "", {"type": "string", "enum": orderings, "default": orderings[0]}),
        ]


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _window(queryset: QuerySet[Any], *, ordering: str, cursor: Cursor | None) -> QuerySet[Any]:
    field = ordering.lstrip("-")
    is_backward = cursor is not None and cursor.is_backward
    is_descending = ordering.startswith("-") != is_backward
    if cursor is not None:
        side = Before if is_descending else After
        queryset = following(queryset, field=field, moment=cursor.moment, row_id=cursor.row_id, side=side)
    sign = "-" if is_descending else ""
    return queryset.order_by(f"{sign}{field}", f"{sign}pk")


def _ordering(request: Request, orderings: Sequence[str]) -> str:
    asked = request.query_params.get("ordering", "")
    if not asked:
        return orderings[0]
    if asked not in orderings:
        raise _refused("ordering", "invalid_ordering", f"Sort by one of {', '.join(orderings)}.")
    return asked


def _limit(request: Request) -> int:
    asked = request.query_params.get("limit", "")
    if not asked:
        return DEFAULT_LIMIT
    if len(asked) <= 4 and asked.isascii() and asked.isdigit() and 1 <= int(asked) <= MAX_LIMIT:
        return int(asked)
    raise _refused("limit", "invalid_limit", f"`limit` is a whole number from 1 to {MAX_LIMIT}.")


def _cursor(request: Request, ordering: str) -> Cursor | None:
    asked = request.query_params.get("cursor", "")
    if not asked:
        return None
    try:
        raw = base64.b64decode(asked.encode("ascii") + b"=" * (-len(asked) % 4), altchars=b"-_", validate=True)
        made_for, is_backward, moment, row_id = json.loads(raw)
        cursor = Cursor(made_for, bool(is_backward), datetime.fromisoformat(moment), row_id)
        is_sound = type(row_id) is int and 0 <= row_id < 2**63 and cursor.moment.tzinfo is not None
        is_sound = is_sound and 1970 < cursor.moment.year < 9999
    except (ValueError, TypeError, RecursionError, binascii.Error):
        is_sound = False
    if not is_sound or cursor.ordering != ordering:
        raise _refused(
            "cursor", "invalid_cursor", "Take the cursor from `next` or `previous`, with the same ordering."
        )
    return cursor


def _refused(name: str, code: str, detail: str) -> Problem:
    return Problem(400, code, detail, pointer=f"?{name}")
