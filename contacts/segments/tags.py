"""Conditions on the tags of a contact."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q

from contacts import tagging
from contacts.models import Tag, Tagging
from contacts.segments import values
from contacts.segments.kinds import Kind, Operator, Values
from contacts.segments.values import Param


def _options() -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in Tag.objects.order_by("folded_name").values_list("pk", "name")]


def _names(keys: Any) -> Any:
    names: Mapping[int, str] = dict(Tag.objects.filter(pk__in=keys).values_list("pk", "name"))
    return [names.get(key, "") for key in keys]


def _keys(given: Any, field: str) -> Any:
    if not isinstance(given, list):
        return given
    asked = [tagging.folded(name) for name in given if isinstance(name, str) and name.isprintable()]
    known = Tag.objects.filter(folded_name__in=asked[: values.MOST_VALUES])
    keys = dict(known.values_list("folded_name", "pk"))
    for place, name in enumerate(given):
        if not isinstance(name, str) or tagging.folded(name) not in keys:
            cure = "Put it on a contact first."
            raise values.refuse(
                "unknown_tag", "There is no tag of this name.", field=f"{field}.{place}", value=name, cure=cure
            )
    return [keys[tagging.folded(name)] for name in given]


_TAGS = Param(
    "tags",
    "Tags",
    "choices",
    values.each(values.row_id),
    options=_options,
    outward=_names,
    inward=_keys,
    what="names of tags",
)


def _is_tagged(given: Values) -> Q:
    return Q(Exists(Tagging.objects.filter(contact=OuterRef("pk"), tag__in=given["tags"])))


KINDS = (
    Kind(
        "tag",
        "Tag",
        "Person",
        {
            "has_any_of": Operator("is one of", lambda given, at: _is_tagged(given), (_TAGS,)),
            "has_none_of": Operator("is none of", lambda given, at: ~_is_tagged(given), (_TAGS,)),
        },
    ),
)
