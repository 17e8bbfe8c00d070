"""Filters of lists: django-filter, plus one rule of ours: a parameter nobody knows is refused, not ignored."""

from collections.abc import Sequence
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request

from smsdesk import public_ids
from smsdesk.api.fields import read_moment
from smsdesk.api.paging import PARAMETERS
from smsdesk.api.problems import Problem
from smsdesk.errors import Invalid


class StrictFilterBackend(DjangoFilterBackend):  # type: ignore[misc]
    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        known = [*(filterset.filters if filterset is not None else ()), *PARAMETERS]
        for name in request.query_params:
            if name not in known:
                detail = f"There is no parameter of this name. Known are {', '.join(known)}."
                raise Problem(400, "unknown_parameter", detail, pointer=f"?{name}")
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise _refused(filterset.form.errors.get_json_data())
        found: QuerySet[Any] = filterset.qs
        return found


class MomentField(forms.Field):
    def clean(self, value: Any) -> Any:
        if value in (None, ""):
            return None
        moment = read_moment(str(value).replace(" ", "+"))  # a bare + in a query string arrives as a blank
        if moment is None:
            raise forms.ValidationError("Write a time as 2026-11-23T18:00:00Z, with its offset.", code="moment")
        return moment


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentFilter(django_filters.Filter):  # type: ignore[misc]
    field_class = MomentField


class RefField(forms.Field):
    """A public id, read into its UUID."""

    def __init__(self, *, prefix: str, **options: Any) -> None:
        super().__init__(**options)
        self.prefix = prefix

    def clean(self, value: Any) -> Any:
        if value in (None, ""):
            return None
        try:
            return public_ids.parse(str(value), prefix=self.prefix)
        except Invalid as error:
            raise forms.ValidationError(error.sentence(), code=error.code) from None


@extend_schema_field({"type": "string"})
class RefFilter(django_filters.Filter):  # type: ignore[misc]
    """Rows that belong to another row: `RefFilter(field_name="campaign__public_id", prefix="cmp")`."""

    field_class = RefField


class ListFilters(django_filters.FilterSet):  # type: ignore[misc]
    """What every list can be narrowed by."""

    created_after = MomentFilter(field_name="created_at", lookup_expr="gt", label="Later than this time.")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt", label="Earlier than this time.")


def _refused(errors: dict[str, Sequence[dict[str, str]]]) -> Problem:
    faults = [
        {"pointer": f"?{name}", "code": error["code"] or "invalid", "detail": error["message"]}
        for name, found in errors.items()
        for error in found
    ]
    return Problem(400, "invalid", "The request has errors; see `errors`.", faults=faults)
