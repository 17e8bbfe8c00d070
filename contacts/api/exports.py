"""All contacts, or those that filters or a segment fit, as one streamed CSV file."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from contacts import audit, exporting
from contacts.api.filters import ContactFilters
from contacts.models import Contact, Segment
from contacts.segments import rules
from smsdesk.api import keys, views
from smsdesk.api.filters import RefField
from smsdesk.api.problems import Problem
from smsdesk.models import Scope


class SegmentFilter(django_filters.Filter):  # type: ignore[misc]
    field_class = RefField

    def filter(self, rows: "QuerySet[Contact]", value: Any) -> "QuerySet[Contact]":
        if value is None:
            return rows
        segment = Segment.objects.filter(public_id=value).first()
        if segment is None:
            raise Problem(400, "unknown_segment", "There is no segment of this id.", pointer="?segment")
        return rows.filter(rules.where(segment.rule, at=timezone.now()))


class _Option(django_filters.CharFilter):  # type: ignore[misc]
    """Says what stands in the file, not who."""

    def filter(self, rows: "QuerySet[Contact]", value: str) -> "QuerySet[Contact]":
        return rows


class ExportFilters(ContactFilters):
    segment = SegmentFilter(prefix="seg", label="Whom this segment fits now.")
    parts = _Option(label="Some of consent,lists,tags; all if left out.")
    attributes = _Option(label="Names of attributes, separated by commas: a column for each.")


class Exports(views.Endpoint):
    scopes = {"export": Scope.CONTACTS_EXPORT}
    queryset = Contact.objects.all()
    filterset_class = ExportFilters

    @extend_schema(
        responses={(200, "text/csv"): OpenApiTypes.STR},
        summary="Export contacts as CSV",
        operation_id="contacts_export_all",
    )
    def export(self, request: Request) -> StreamingHttpResponse:
        """Streamed, however many there are. Numbers are masked unless the key's owner may see them.

        Each call is written into the desk's log.
        """
        found, asked = self.filter_queryset(self.get_queryset()), request.query_params
        parts = asked["parts"].split(",") if asked.get("parts") else list(exporting.PARTS)
        chosen = exporting.columns(parts=parts, attributes=asked.get("attributes", "").split(","))
        key, now = keys.of(request), timezone.now()
        shows_phones = key.owner.has_perm("contacts.view_full_phone")
        what = f"contacts with the API key {key.prefix}"
        audit.note_export(what, count=found.order_by().count(), shows_phones=shows_phones, by=key.owner)
        file = exporting.as_csv(found, chosen=chosen, shows_phones=shows_phones, now=now)
        return StreamingHttpResponse(file, content_type="text/csv; charset=utf-8")
