"""What the list of contacts can be narrowed by. None of it joins another table, so no row comes twice."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest

from contacts import searching
from contacts.models import Contact, ContactList, ListMembership, Tag, Tagging


class _Filter(admin.SimpleListFilter):
    def has_output(self) -> bool:
        """Who asks for what is not offered gets nobody; with the filter left out, everybody would be exported."""
        return super().has_output() or self.value() is not None


class CountryFilter(_Filter):
    title = "country"
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code or "-", code or "Unknown") for code in searching.countries()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        if self.value() is None:
            return queryset
        return queryset.filter(country="" if self.value() == "-" else self.value())


class _PlaceFilter(_Filter):
    """Who has a place on one of the desk's rows; its address is that of Django's own filter on the relation."""

    places: ClassVar[type[Model]]
    owner: ClassVar[str]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        chosen = self.value()
        if chosen is None:
            return queryset
        if not (chosen.isascii() and chosen.isdigit()):
            raise IncorrectLookupParameters
        places = self.places._default_manager.filter(**{self.owner: int(chosen)}, contact=OuterRef("pk"))
        return queryset.filter(Exists(places))


class ListFilter(_PlaceFilter):
    title = "list"
    parameter_name = "lists__id__exact"
    places = ListMembership
    owner = "list_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in ContactList.objects.order_by("name").values_list("pk", "name")]


class TagFilter(_PlaceFilter):
    title = "tag"
    parameter_name = "tags__id__exact"
    places = Tagging
    owner = "tag_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Tag.objects.order_by("folded_name").values_list("pk", "name")]
