"""What machines wrote about consent: to be read, never touched."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from contacts.models import ConsentEvent, Suppression
from smsdesk import phones
from smsdesk.admin import ReadOnlyModelAdmin
from smsdesk.errors import DomainError


class _ByPhone(ReadOnlyModelAdmin):
    """Rows that know a phone by its key only: found by the number, which they do not contain."""

    search_fields = ["subscriber_key"]
    change_list_template = "contacts/ledger_list.html"
    list_per_page = 50

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            key = phones.parse(term, default_region="").subscriber_key
        except DomainError:
            key = term  # a key copied from a report
        return queryset.filter(subscriber_key=key), False

    @admin.display(description="Phone key")
    def short_key(self, row: Any) -> str:
        return f"{row.subscriber_key[:12]}…"


@admin.register(Suppression)
class SuppressionAdmin(_ByPhone):
    list_display = ["short_key", "brand_name", "purpose_name", "source", "since", "is_standing"]
    list_filter = ["source", "brand", ("lifted_by", admin.EmptyFieldListFilter)]
    list_select_related = ["brand"]
    ordering = ["-id"]

    @admin.display(description="Brand")
    def brand_name(self, suppression: Suppression) -> str:
        return str(suppression.brand) if suppression.brand else "Every brand"

    @admin.display(description="Purpose")
    def purpose_name(self, suppression: Suppression) -> str:
        return "Every purpose" if suppression.purpose == "*" else suppression.purpose

    @admin.display(description="Stands", boolean=True)
    def is_standing(self, suppression: Suppression) -> bool:
        return suppression.lifted_by_id is None


@admin.register(ConsentEvent)
class ConsentEventAdmin(_ByPhone):
    list_display = ["seq", "kind", "short_key", "brand", "purpose_names", "basis", "source", "occurred_at", "actor"]
    list_filter = ["kind", "source", "brand"]
    list_select_related = ["brand"]
    ordering = ["-seq"]

    @admin.display(description="Purposes")
    def purpose_names(self, event: ConsentEvent) -> str:
        return ", ".join("every purpose" if one == "*" else one for one in event.purposes)
