"""Contacts that may be one person: the same e-mail address or customer number, the same name at the same place.

Suggestions only, asked for when somebody looks: a grouped query for each sign, whatever the number of contacts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower, Trim

from contacts.models import Contact

SIGNS = {"email": "the same e-mail address", "customer_id": "the same customer number"}  # by attribute
MOST = 50


@dataclass(frozen=True, slots=True)
class Pair:
    """The oldest and the newest contact of a group that shares a sign."""

    first: Contact
    second: Contact
    sign: str
    count: int


def of(contact: Contact) -> list[tuple[Contact, str]]:
    """Whom this contact may be too, with the sign; one query."""
    wanted, signs = Q(), []
    people = _with_signs(Contact.objects.exclude(pk=contact.pk))
    for name, words in SIGNS.items():
        value = _plain(contact.attributes.get(name, ""))
        if value:
            wanted |= Q(**{f"sign_{name}": value})
            signs.append((name, value, words))
    if contact.name and contact.region:
        wanted |= Q(name=contact.name, region=contact.region)
    if not wanted:
        return []
    found = list(people.filter(wanted).order_by("pk")[:MOST])
    return [(one, next((words for name, value, words in signs if _is(one, name, value)), _NAME)) for one in found]


def pairs() -> list[Pair]:
    """Up to 50 groups for each sign."""
    groups = [*_groups()]
    rows = Contact.objects.in_bulk([pk for _, first, last, _ in groups for pk in (first, last)])
    return [
        Pair(rows[first], rows[last], words, count)
        for words, first, last, count in groups
        if first in rows and last in rows
    ]


_NAME = "the same name in the same state"


def _groups() -> Iterator[tuple[str, int, int, int]]:
    """(sign in words, first id, last id, how many)"""
    for name, words in SIGNS.items():
        people = _with_signs(Contact.objects.all()).exclude(**{f"sign_{name}": ""})
        yield from _shared(people, f"sign_{name}", words=words)
    yield from _shared(Contact.objects.exclude(name="").exclude(region=""), "name", "region", words=_NAME)


def _shared(people: "QuerySet[Any]", *columns: str, words: str) -> Iterator[tuple[str, int, int, int]]:
    groups = people.order_by().values(*columns).annotate(count=Count("pk"), first=Min("pk"), last=Max("pk"))
    for group in groups.filter(count__gt=1).order_by("-last")[:MOST]:
        yield words, group["first"], group["last"], group["count"]


def _with_signs(people: "QuerySet[Contact]") -> "QuerySet[Any]":
    empty = Value("")
    return people.annotate(
        **{
            f"sign_{name}": Lower(
                Trim(Coalesce(KeyTextTransform(name, "attributes"), empty, output_field=TextField()))
            )
            for name in SIGNS
        }
    )


def _is(contact: Contact, name: str, value: str) -> bool:
    return _plain(contact.attributes.get(name, "")) == value


def _plain(value: str) -> str:
    return value.strip().lower()
