from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from campaigns.models import DeliveryEvent
from smsdesk.admin import BoundedPaginator, ReadOnlyModelAdmin

FIELDS: list[Any] = [
    "received_at",
    "occurred_at",
    "account",
    "word",
    "state",
    "code",
    "error_class",
    "gateway_id",
    "message",
]


@admin.register(DeliveryEvent)
class DeliveryEventAdmin(ReadOnlyModelAdmin):
    """Receipts as they came, once each."""

    list_display = ["received_at", "account", "word", "state", "code", "gateway_id", "message"]
    list_filter = ["account", "state", "error_class"]
    list_select_related = ["account", "message"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["gateway_id__exact"]
    ordering = ["-pk"]
    fields = FIELDS

    def get_readonly_fields(self, request: HttpRequest, obj: DeliveryEvent | None = None) -> list[str]:
        return FIELDS
