"""Conditions on the contact's own row and the lists it is on."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import CharField, Exists, OuterRef, Q, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, IContains, IExact, IStartsWith

from contacts import fields
from contacts.models import ContactList, ListMembership
from contacts.segments import values
from contacts.segments.kinds import Kind, Operator, Values
from contacts.segments.values import Param

_TEXT = Param("value", "Text", "text", values.text)


def _texts(of: Callable[[Values], Combinable]) -> dict[str, Operator]:
    """Operators on a text that is never NULL; letters count the same in either case."""

    def has(lookup: Any, given: Values) -> Q:
        return Q(lookup(of(given), given["value"]))

    return {
        "is": Operator("is", lambda given, at: has(IExact, given), (_TEXT,)),
        "is_not": Operator("is not", lambda given, at: ~has(IExact, given), (_TEXT,)),
        "contains": Operator("contains", lambda given, at: has(IContains, given), (_TEXT,)),
        "begins_with": Operator("begins with", lambda given, at: has(IStartsWith, given), (_TEXT,)),
        "is_empty": Operator("is empty", lambda given, at: Q(Exact(of(given), Value("")))),
        "is_not_empty": Operator("is not empty", lambda given, at: ~Q(Exact(of(given), Value("")))),
    }


def _column(name: str) -> Callable[[Values], Combinable]:
    return lambda given: Coalesce(name, Value(""), output_field=CharField())


def attribute_of(given: Values) -> Combinable:
    """The attribute's text; "" for a contact that has none of this name."""
    found = KeyTextTransform(given["attribute"], "attributes")
    return Coalesce(found, Value(""), output_field=TextField())


def _codes(column: str, param: Param, *, unknown: str) -> dict[str, Operator]:
    def among(given: Values) -> Q:
        return Q(**{f"{column}__in": given["values"]})

    empty = Q(**{column: ""})
    return {
        "is_any_of": Operator("is one of", lambda given, at: among(given), (param,)),
        "is_none_of": Operator("is none of", lambda given, at: ~among(given), (param,)),
        "is_unknown": Operator(unknown, lambda given, at: empty),
    }


def _speaks(given: Values) -> Q:
    """`en` stands for every English; `en-GB` for itself."""
    q = Q()
    for one in given["values"]:
        q |= Q(language__iexact=one) | Q(language__istartswith=f"{one}-")
    return q


_COUNTRIES = Param(
    "values", "Countries", "texts", values.each(values.by(fields.country)), hint="Two letters each: US, CA"
)
_STATES = Param(
    "values",
    "States",
    "texts",
    values.each(values.by(lambda value: fields.clean("region", value))),
    hint="Two letters each: NY, TX",
)
_ZONES = Param(
    "values", "Time zones", "texts", values.each(values.by(fields.time_zone)), hint="Like America/Chicago"
)
_LANGUAGES = Param(
    "values",
    "Languages",
    "texts",
    values.each(values.by(lambda value: fields.clean("language", value))),
    hint="Codes like en, pt-BR; en includes en-GB",
)
ATTRIBUTE = Param(
    "attribute", "Attribute", "attribute", values.by(fields.attribute_name), hint="Its name, like city"
)


def _list_options() -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in ContactList.objects.order_by("name").values_list("pk", "name")]


def _list_names(keys: Any) -> Any:
    names: Mapping[int, str] = dict(ContactList.objects.filter(pk__in=keys).values_list("pk", "name"))
    return [names.get(key, "") for key in keys]


def _list_keys(given: Any, field: str) -> Any:
    if not isinstance(given, list):
        return given
    asked = [name for name in given if isinstance(name, str) and name.isprintable()][: values.MOST_VALUES]
    keys = dict(ContactList.objects.filter(name__in=asked).values_list("name", "pk"))
    for place, name in enumerate(given):
        if not isinstance(name, str) or name not in keys:
            cure = "Make it in the desk or by an import first."
            raise values.refuse(
                "unknown_list", "There is no list of this name.", field=f"{field}.{place}", value=name, cure=cure
            )
    return [keys[name] for name in given]


_LISTS = Param(
    "lists",
    "Lists",
    "choices",
    values.each(values.row_id),
    options=_list_options,
    outward=_list_names,
    inward=_list_keys,
    what="names of lists",
)


def _is_listed(given: Values) -> Q:
    return Q(Exists(ListMembership.objects.filter(contact=OuterRef("pk"), list__in=given["lists"])))


KINDS = (
    Kind("name", "Name", "Person", _texts(_column("name"))),
    Kind(
        "language",
        "Language",
        "Person",
        {
            "is_any_of": Operator("is one of", lambda given, at: _speaks(given), (_LANGUAGES,)),
            "is_none_of": Operator("is none of", lambda given, at: ~_speaks(given), (_LANGUAGES,)),
            "is_unknown": Operator("is not known", lambda given, at: Q(language="")),
        },
    ),
    Kind("external_id", "External id", "Person", _texts(_column("external_id"))),
    Kind("attribute", "Attribute", "Person", _texts(attribute_of), (ATTRIBUTE,)),
    Kind(
        "list",
        "List",
        "Person",
        {
            "on_any_of": Operator("is on one of", lambda given, at: _is_listed(given), (_LISTS,)),
            "on_none_of": Operator("is on none of", lambda given, at: ~_is_listed(given), (_LISTS,)),
        },
    ),
    Kind("country", "Country of the number", "Place", _codes("country", _COUNTRIES, unknown="is not known")),
    Kind("region", "US state of the address", "Place", _codes("region", _STATES, unknown="is not known")),
    Kind(
        "time_zone",
        "Time zone on record",
        "Place",
        _codes("time_zone", _ZONES, unknown="is what the number suggests"),
    ),
)
