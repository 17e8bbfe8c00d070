from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Value
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from campaigns import recipients, report_views
from campaigns.models import OutboundMessage, OutboundState
from contacts.models import Contact
from smsdesk import phones
from smsdesk.admin import BoundedPaginator, ReadOnlyModelAdmin
from smsdesk.errors import DomainError


class AttentionFilter(admin.SimpleListFilter):
    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Unknown or parked: nobody knows yet"), ("parked", "Parked: a person must decide")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        if self.value() == "open":
            return queryset.filter(state__in=[OutboundState.UNKNOWN, OutboundState.PARKED])
        if self.value() == "parked":
            return queryset.filter(state=OutboundState.PARKED)
        return queryset


class ErrorClassFilter(admin.AllValuesFieldListFilter):
    """Without the messages that had no error: their choice would have no name."""

    def choices(self, changelist: Any) -> Any:
        return (choice for choice in super().choices(changelist) if choice["display"] != "")


@admin.register(OutboundMessage)
class OutboundMessageAdmin(ReadOnlyModelAdmin):
    """The ledger: every SMS that left or was kept from leaving, and why."""

    list_display = ["number", "pill", "reason", "kind", "campaign", "sender", "parts", "created_at"]
    list_filter = [AttentionFilter, "state", "kind", "purpose", ("error_class", ErrorClassFilter), "sender"]
    list_select_related = ["campaign", "sender__account"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["gateway_id__exact"]  # and by phone, in `get_search_results`
    search_help_text = "A whole number like +12125550123, or the gateway's id."
    ordering = ["-created_at", "-id"]
    fieldsets = [
        (None, {"fields": ["reference", "pill", "verdict_sentence", "number", "contact_link", "campaign", "kind"]}),
        ("Text", {"fields": ["shown_body", "encoding", "parts"]}),
        ("Way", {"fields": ["sender", "purpose", "brand", "due_at", "submitted_at", "gateway_id", "timeline"]}),
        ("Outcome", {"fields": ["failure", "evidence_words", "replied_at", "opted_out_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        # On the rows, not on this object: all requests share it.
        rows: QuerySet[Any] = super().get_queryset(request)
        rows = rows.annotate(
            shows_body=Value(request.user.has_perm("campaigns.view_message_body")),
        )
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        """A phone in any of its alias forms is asked for by its key, for which there is an index."""
        try:
            key = phones.parse(search_term, default_region="").subscriber_key
        except DomainError:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(subscriber_key=key), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [str(name) for _, options in self.fieldsets for name in options["fields"]]

    @admin.display(description="Number")
    def number(self, message: Any) -> str:
        return phones.mask(message.phone)

    @admin.display(description="State", ordering="state")
    def pill(self, message: OutboundMessage) -> SafeString:
        colour = report_views.MESSAGE_PILLS.get(OutboundState(message.state), "off")
        return format_html('<span class="pill pill-{}">{}</span>', colour, message.get_state_display())

    @admin.display(description="Why")
    def reason(self, message: OutboundMessage) -> str:
        return recipients.why(message, gateway=message.sender.account.kind)

    @admin.display(description="Decision")
    def verdict_sentence(self, message: OutboundMessage) -> str:
        return recipients.decision(message, gateway=message.sender.account.kind) or "Not decided yet."

    @admin.display(description="Id")
    def reference(self, message: OutboundMessage) -> str:
        return message.ref

    @admin.display(description="Contact")
    def contact_link(self, message: OutboundMessage) -> str:
        person = Contact.objects.filter(pk=message.contact_id or 0).first()
        return (person.name or person.ref) if person else "deleted since"

    @admin.display(description="Text")
    def shown_body(self, message: Any) -> str:
        if not message.shows_body:
            return "Shown with the permission “Can read message texts”."
        return message.shown_text or "Made when it leaves."

    @admin.display(description="Failure")
    def failure(self, message: OutboundMessage) -> str:
        if not message.error_code and not message.error_class:
            return "none"
        return f"{recipients.why(message, gateway=message.sender.account.kind)} ({message.error_code or 'no code'})"

    @admin.display(description="Evidence")
    def evidence_words(self, message: OutboundMessage) -> SafeString | str:
        if not isinstance(message.evidence, dict):
            return "none"
        return format_html(
            '<dl class="facts">{}</dl>',
            format_html_join(
                "", "<dt>{}</dt><dd>{}</dd>", [(key, value) for key, value in message.evidence.items()]
            ),
        )

    @admin.display(description="Timeline")
    def timeline(self, message: OutboundMessage) -> SafeString:
        entries = [(_when(moment), words) for moment, words in recipients.timeline(message)]
        return format_html('<ul class="timeline">{}</ul>', format_html_join("", "<li>{} {}</li>", entries))


def _when(moment: Any) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")
