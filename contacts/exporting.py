"""People as CSV, read in ranges of ids, a few statements each: a million take no more memory than a thousand.

The columns are documented in `docs/exporting.md`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, QuerySet, TextField
from django.db.models.functions import Cast

from contacts import fields, lapsing
from contacts.models import (
    Brand,
    ConsentState,
    Contact,
    ContactList,
    ListMembership,
    Purpose,
    Suppression,
    Tag,
    Tagging,
)
from smsdesk import bulk_sql, phones, spreadsheets
from smsdesk.errors import Invalid

RANGE = 2_000  # contacts a statement looks at
_ROWS_SENT = 500  # rows handed on at a time
MOST_ATTRIBUTES = 50
PARTS = {
    "consent": "Consent for each brand and purpose, and whether an opt-out stands",
    "lists": "Lists",
    "tags": "Tags",
}
PURPOSES = (Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL)
_OWN = (
    "id", "phone", "name", "external_id", "language", "country", "region", "time_zone", "birth_date", "number_dead",
    "last_inbound_at", "created_at", "updated_at",
)  # fmt: skip
# Moments as the database writes them: read into objects and written again, they took half of the time.
_MOMENTS = tuple(Cast(name, TextField()) for name in ("dead_since", "last_inbound_at", "created_at", "updated_at"))
_READ: tuple[str | Cast, ...] = (
    "pk", "subscriber_key", "public_id", "phone", "name", "external_id", "language", "country", "region",
    "time_zone", "birth_date", "attributes", *_MOMENTS,
)  # fmt: skip
_ATTRIBUTES = _READ.index("attributes")
_NOTHING: Mapping[tuple[int, str], str] = {}
Row = tuple[Any, ...]  # the values of `_READ`


@dataclass(frozen=True, slots=True)
class Columns:
    """What the file holds besides the contact's own fields: `parts` of `PARTS`, and a column for each attribute."""

    parts: frozenset[str]
    attributes: tuple[str, ...]


def columns(*, parts: Collection[str], attributes: Iterable[str]) -> Columns:
    """Raises `Invalid` for a part nobody knows or a name no attribute can have."""
    for part in parts:
        if part not in PARTS:
            cure = f"Known are: {', '.join(PARTS)}."
            raise Invalid("unknown_part", "There is no such part.", field="parts", value=part[:60], cure=cure)
    names = tuple(dict.fromkeys(fields.attribute_name(name) for name in attributes if name.strip()))
    if len(names) > MOST_ATTRIBUTES:
        cure = f"Name at most {MOST_ATTRIBUTES}."
        raise Invalid("too_many", "These are too many attributes.", field="attributes", cure=cure)
    return Columns(frozenset(parts), names)


def as_csv(people: "QuerySet[Contact]", *, chosen: Columns, shows_phones: bool, now: datetime) -> Iterator[str]:
    """The file in pieces of some hundred lines; numbers are masked unless `shows_phones`."""
    shown = str if shows_phones else phones.mask
    writers = _writers(chosen, now=now)
    header = (*_OWN, *chain.from_iterable(writer.header for writer in writers))
    rows = (
        (*_own_cells(row, shown(row[3])), *chain.from_iterable(writer.cells(row) for writer in writers))
        for found in _ranges(people)
        for row in _read_for(writers, found)
    )
    lines = spreadsheets.lines(chain([tuple(map(spreadsheets.defused, header))], rows))
    while piece := "".join(islice(lines, _ROWS_SENT)):
        yield piece


def _ranges(people: "QuerySet[Contact]") -> Iterator[list[Row]]:
    """Those of `people` in each range of ids: no statement looks at more, however few of them fit."""
    ordered = people.prefetch_related(None).order_by("pk").values_list(*_READ)
    ahead = Contact.objects.order_by("pk").values_list("pk", flat=True)
    low, last = 0, ahead.reverse().first()
    while last is not None and low < last:
        end = ahead.filter(pk__gt=low)[RANGE - 1 : RANGE].first()
        high = last if end is None else min(end, last)
        yield list(ordered.filter(pk__gt=low, pk__lte=high))
        low = high


def _read_for(writers: "Sequence[_Writer]", found: list[Row]) -> list[Row]:
    for writer in writers:
        if found:
            writer.read(found)
    return found


def _own_cells(row: Row, phone: str) -> tuple[object, ...]:
    _, _, public_id, _, name, external_id, language, country, region, zone, born, _, dead, wrote, made, changed = (
        row
    )
    return (
        f"{Contact.prefix}_{public_id.hex}", phone, spreadsheets.defused(name),
        spreadsheets.defused(external_id or ""), language, country, region, zone, born or "",
        "yes" if dead else "no", _moment(wrote), _moment(made), _moment(changed),
    )  # fmt: skip


def _moment(written: str | None) -> str:
    """`2026-11-25 16:37:23.123+00`, always UTC, as ISO 8601 in whole seconds."""
    return f"{written[:10]}T{written[11:19]}+00:00" if written else ""


class _Writer:
    """Some columns: what they read for a range of people, and the cells of each."""

    header: tuple[str, ...] = ()

    def read(self, found: Sequence[Row]) -> None:
        """What the cells need, for all of them at once."""

    def cells(self, row: Row) -> Sequence[str]:
        raise NotImplementedError


class _Consents(_Writer):
    def __init__(self, *, now: datetime) -> None:
        brands = list(Brand.objects.order_by("slug"))
        self._scopes = [(brand.pk, purpose.value) for brand in brands for purpose in PURPOSES]
        self.header = (
            "suppressed", *(f"consent.{brand.slug}.{purpose}" for brand in brands for purpose in PURPOSES)
        )  # fmt: skip
        is_over = ExpressionWrapper(lapsing.is_over(now), output_field=BooleanField())
        self._states = ConsentState.objects.annotate(is_over=is_over).values_list(
            "subscriber_key", "brand_id", "purpose", "is_active", "is_over"
        )
        self._words: Mapping[str, Mapping[tuple[int, str], str]] = {}
        self._suppressed: Collection[str] = ()

    def read(self, found: Sequence[Row]) -> None:
        is_one_of_them = bulk_sql.among("subscriber_key", [row[1] for row in found])
        words: defaultdict[str, dict[tuple[int, str], str]] = defaultdict(dict)
        for key, brand, purpose, is_active, is_over in self._states.filter(is_one_of_them):
            words[key][brand, purpose] = ("run out" if is_over else "given") if is_active else "ended"
        self._words = words
        standing = Suppression.objects.filter(is_one_of_them, lifted_by=None)
        self._suppressed = set(standing.values_list("subscriber_key", flat=True))

    def cells(self, row: Row) -> Sequence[str]:
        words = self._words.get(row[1], _NOTHING)
        return (
            "yes" if row[1] in self._suppressed else "no",
            *(words.get(scope, "") for scope in self._scopes),
        )


class _Places(_Writer):
    """Names of the lists a contact is on, or of its tags, in one cell."""

    def __init__(self, header: str, *, names: Mapping[int, str], places: "QuerySet[Any]", owner: str) -> None:
        self.header = (header,)
        self._names = names
        self._places = places.values_list("contact_id", owner)
        self._of: Mapping[int, list[str]] = {}

    def read(self, found: Sequence[Row]) -> None:
        of: defaultdict[int, list[str]] = defaultdict(list)
        for contact, owner in self._places.filter(contact_id__gte=found[0][0], contact_id__lte=found[-1][0]):
            if owner in self._names:  # else it was made after the export began
                of[contact].append(self._names[owner])
        self._of = of

    def cells(self, row: Row) -> Sequence[str]:
        names = self._of.get(row[0])
        return (spreadsheets.defused("; ".join(sorted(names))),) if names else ("",)


class _Attributes(_Writer):
    def __init__(self, names: tuple[str, ...]) -> None:
        self.header = tuple(f"attributes.{name}" for name in names)
        self._names = names

    def cells(self, row: Row) -> Sequence[str]:
        values = row[_ATTRIBUTES] if isinstance(row[_ATTRIBUTES], dict) else {}
        return [spreadsheets.defused(str(values[name])) if name in values else "" for name in self._names]


def _writers(chosen: Columns, *, now: datetime) -> list[_Writer]:
    writers: list[_Writer] = []
    if "consent" in chosen.parts:
        writers.append(_Consents(now=now))
    if "lists" in chosen.parts:
        names = dict(ContactList.objects.values_list("pk", "name"))
        writers.append(_Places("lists", names=names, places=ListMembership.objects.all(), owner="list_id"))
    if "tags" in chosen.parts:
        names = dict(Tag.objects.values_list("pk", "name"))
        writers.append(_Places("tags", names=names, places=Tagging.objects.all(), owner="tag_id"))
    return [*writers, _Attributes(chosen.attributes)]
