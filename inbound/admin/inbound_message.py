from django.contrib import admin
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
    search_fields = ("phone", "gateway_id")
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

    def get_readonly_fields(self, request: HttpRequest, obj: object | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="from", ordering="phone")
    def number(self, row: InboundMessage) -> str:
        return phones.mask(row.phone)

    @admin.display(description="text")
    def words(self, row: InboundMessage) -> SafeString:
        return format_html("<bdi>{}</bdi>", row.text[:160])
