"""Everything that happened to one person, newest first: a merge of what each app knows, a page at a time.

Apps register sources in their own `timeline_sources` module, found when Django starts; so nothing here imports
upward. However long the history, a page takes a fixed number of queries: each source is asked once, for no more
entries than the page may show.
"""

import base64
import binascii
import heapq
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from contacts.models import Contact
from smsdesk.api.paging import Before, following
from smsdesk.errors import Invalid

PAGE = 30
MOST = 100
_LAST_ID = 2**62

# What a reader may choose; each source belongs to one.
KINDS = {
    "messages": "Messages",
    "texts": "Texts from them",
    "consent": "Consent and opt-outs",
    "holds": "Reviews",
    "notes": "Notes",
    "edits": "What employees did",
    "imports": "How they came",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `id` is the row's, which orders what happened at the same instant."""

    at: datetime
    id: int
    title: str
    detail: str = ""
    who: str = ""  # the employee or key; "" for the person or a machine
    pill: str = ""  # word of a state
    colour: str = ""  # of its pill: ok, busy, wait, bad, off
    url: str = ""  # page in the admin
    ref: str = ""  # public id of what it is about
    kind: str = ""  # set by the register


@dataclass(frozen=True, slots=True)
class Place:
    """Entries before it are asked for: earlier, or at the same instant with a smaller id."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Asked:
    """About whom, from where on, and what the reader may see."""

    contact: Contact
    keys: Sequence[str]  # subscriber keys of the person: the contact's own first
    before: Place | None
    limit: int
    may: Callable[[str], bool]  # by permission

    def page(self, rows: "QuerySet[Any]", *, at: str) -> "QuerySet[Any]":
        """The newest of `rows` by the time in the column `at` that stand before the place."""
        if self.before is not None:
            rows = following(rows, field=at, moment=self.before.at, row_id=self.before.id, side=Before)
        return rows.order_by(f"-{at}", "-pk")[: self.limit]


Told = Callable[[Asked], Iterable[Entry]]


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    kind: str
    permissions: Sequence[str]  # one of them is enough
    tell: Told


_SOURCES: list[_Source] = []


def source(*, kind: str, permission: Sequence[str]) -> Callable[[Told], Told]:
    """Register a function that gives its newest entries, ordered as `Asked.page` does.

    It is asked only for readers who have one of the permissions.
    """
    assert kind in KINDS, kind

    def keep(tell: Told) -> Told:
        _SOURCES.append(_Source(f"{tell.__module__}.{tell.__name__}", kind, permission, tell))
        _SOURCES.sort(key=lambda one: one.name)  # whatever is loaded first, an old cursor means the same place
        return tell

    return keep


@dataclass(frozen=True, slots=True)
class Page:
    entries: Sequence[Entry]
    older: str  # cursor of the next page; "" on the last


def read(
    contact: Contact,
    *,
    keys: Sequence[str],
    may: Callable[[str], bool],
    kinds: Collection[str] = (),
    cursor: str = "",
    limit: int = PAGE,
) -> Page:
    """The entries of these kinds (none: every kind) behind the cursor. Raises `Invalid` for a bad cursor."""
    after = _place(cursor) if cursor else None
    told = [
        _told(one, order, Asked(contact, keys, _before(order, after), limit + 1, may))
        for order, one in enumerate(_SOURCES)
        if (not kinds or one.kind in kinds) and _is_open(one, may)
    ]
    # Every source is sorted by itself; the heap looks only at the first of each.
    found = list(islice(heapq.merge(*told, key=_newest_first), limit + 1))
    page = found[:limit]
    older = _cursor(*page[-1]) if len(found) > limit else ""
    return Page([entry for _, entry in page], older)


def known_kinds(may: Callable[[str], bool]) -> dict[str, str]:
    """The kinds of which this reader may see something."""
    seen = {one.kind for one in _SOURCES if _is_open(one, may)}
    return {kind: label for kind, label in KINDS.items() if kind in seen}


def _is_open(one: _Source, may: Callable[[str], bool]) -> bool:
    return any(may(permission) for permission in one.permissions)


_Ordered = tuple[int, Entry]  # place of the source in the register, entry


def _told(one: _Source, order: int, asked: Asked) -> list[_Ordered]:
    return [(order, replace(entry, kind=one.kind)) for entry in one.tell(asked)]


def _newest_first(ordered: _Ordered) -> tuple[float, int, int]:
    order, entry = ordered
    return -entry.at.timestamp(), order, -entry.id


def _before(order: int, after: tuple[datetime, int, int] | None) -> Place | None:
    """Where this source goes on: of what happened at the cursor's instant, later sources are still to come."""
    if after is None:
        return None
    at, last_order, last_id = after
    if order == last_order:
        return Place(at, last_id)
    return Place(at, _LAST_ID if order > last_order else -1)


def _cursor(order: int, entry: Entry) -> str:
    text = json.dumps([entry.at.isoformat(), _SOURCES[order].name, entry.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, int, int]:
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        moment, name, row_id = json.loads(raw)
        at = datetime.fromisoformat(moment)
        order = [one.name for one in _SOURCES].index(name)
        is_sound = (
            at.tzinfo is not None and 1970 < at.year < 9999 and type(row_id) is int and 0 <= row_id < _LAST_ID
        )
    except (ValueError, TypeError, RecursionError, binascii.Error):
        is_sound = False
    if not is_sound:
        cure = "Begin with the first page."
        raise Invalid("invalid_cursor", "This is no place in the timeline.", field="cursor", cure=cure)
    return at, order, row_id
