"""State changes are conditional updates: the WHERE names the allowed origins, 0 rows means somebody was faster."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Model, QuerySet


def move(rows: "QuerySet[Any]", *, origins: Collection[str], to: str, changes: Mapping[str, Any]) -> int:
    """Set `state` to `to` on those of `rows` whose state is in `origins`, with `changes`; how many moved."""
    return rows.filter(state__in=list(origins)).update(state=to, **changes)


def move_one(row: Model, *, origins: Collection[str], to: str, changes: Mapping[str, Any]) -> bool:
    """Move one row and refresh it; False when it was not in one of `origins` any more."""
    moved = move(type(row)._default_manager.filter(pk=row.pk), origins=origins, to=to, changes=changes)
    row.refresh_from_db()
    return bool(moved)
