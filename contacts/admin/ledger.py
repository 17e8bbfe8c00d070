"""What machines wrote about consent: to be read, never touched."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import suppression_views
from contacts.models import ConsentEvent, Contact, Suppression
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
    list_display = ["short_key", "contact_link", "brand_name", "purpose_name", "source", "since", "is_standing"]
    list_filter = ["source", "brand", ("lifted_by", admin.EmptyFieldListFilter)]
    list_select_related = ["brand"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        owner = Contact.objects.filter(subscriber_key=OuterRef("subscriber_key"))
        rows: QuerySet[Any] = super().get_queryset(request)
        found: QuerySet[Any] = rows.annotate(
            contact_pk=Subquery(owner.values("pk")[:1]), phone=Subquery(owner.values("phone")[:1])
        )
        return found

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.add_suppression")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return suppression_views.add(request)

    @admin.display(description="Contact")
    def contact_link(self, row: Any) -> SafeString | str:
        if row.contact_pk is None:
            return "none"
        address = reverse("admin:contacts_contact_change", args=[row.contact_pk])
        return format_html('<a href="{}">{}</a>', address, phones.mask(row.phone))

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
