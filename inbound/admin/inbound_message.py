from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Value
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inbound.models import InboundMessage
from smsdesk import phones
from smsdesk.admin import ReadOnlyModelAdmin


@admin.register(InboundMessage)
class InboundMessageAdmin(ReadOnlyModelAdmin):
    """What people wrote, how it was read, and which rule said so."""

    list_display = ("received_at", "number", "words", "sender", "intent", "confidence", "rule", "keyword")
    list_filter = ("intent", "confidence", "keyword")
    list_select_related = ("sender", "keyword")
    search_fields = ("=phone", "=gateway_id")
    search_help_text = "A whole number like +12125550123, or the gateway's id."
    date_hierarchy = "received_at"
    fields = (
        "number",
        "words",
        "sender",
        "intent",
        "confidence",
        "rule",
        "keyword",
        "occurred_at",
        "received_at",
        "account",
        "gateway_id",
        "event_key",
    )

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        # On the rows, not on this object: all requests share it.
        rows: QuerySet[Any] = super().get_queryset(request)
        rows = rows.annotate(shows_text=Value(request.user.has_perm("campaigns.view_message_body")))
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: object | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="from")
    def number(self, row: InboundMessage) -> str:
        return phones.mask(row.phone)

    @admin.display(description="text")
    def words(self, row: Any) -> SafeString | str:
        if not row.shows_text:
            return "Shown with the permission “Can read message texts”."
        return format_html("<bdi>{}</bdi>", row.text[:160])
