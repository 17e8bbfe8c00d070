from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet, Value
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from campaigns import held_views, parked_views, parking, recipients, report_views
from campaigns.models import OutboundMessage, OutboundState
from campaigns.of_state import IN_MOTION, of_state
from contacts.models import Contact
from smsdesk import phones
from smsdesk.admin import BoundedPaginator, ReadOnlyModelAdmin
from smsdesk.errors import DomainError
from smsdesk.gateways.errors import ErrorClass


class AttentionFilter(admin.SimpleListFilter):
    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Unknown or parked: nobody knows yet"), ("parked", "Parked: a person must decide")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        if self.value() == "open":
            return queryset.filter(motion__state__in=[OutboundState.UNKNOWN, OutboundState.PARKED])
        if self.value() == "parked":
            return queryset.filter(motion__state=OutboundState.PARKED, settlement=None)
        return queryset


class ErrorClassFilter(admin.SimpleListFilter):
    title = "error class"
    parameter_name = "error_class"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, kind.value) for kind in ErrorClass]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        return queryset.filter(error_class=self.value()) if self.value() in set(ErrorClass) else queryset


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in OutboundState]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        value = self.value()
        return of_state(queryset, value) if value in set(OutboundState.values) else queryset


# Filters no index answers look through so many of the newest messages. Older ones are found by number, gateway's id
# or campaign.
NEWEST = 100_000
_UNINDEXED = ("kind__exact", "purpose__exact", "error_class", "sender__id__exact")


@admin.register(OutboundMessage)
class OutboundMessageAdmin(ReadOnlyModelAdmin):
    """The ledger: every SMS that left or was kept from leaving, and why."""

    list_display = ["number", "pill", "reason", "kind", "campaign", "sender", "parts", "created_at"]
    list_filter = [AttentionFilter, StateFilter, "kind", "purpose", ErrorClassFilter, "sender"]
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
        ("Outcome", {"fields": ["failure", "evidence_words", "resend", "replied_at", "opted_out_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        # On the rows, not on this object: all requests share it.
        rows: QuerySet[Any] = super().get_queryset(request)
        rows = rows.annotate(
            shows_body=Value(request.user.has_perm("campaigns.view_message_body")),
        )
        return rows.filter(pk__gt=_oldest()) if _is_bounded(request) else rows

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if _is_bounded(request) and _oldest():
            messages.info(
                request,
                f"Filtered among the newest {NEWEST:,} messages. Look for older ones by their number, or in the "
                "report of their campaign.",
            )
        return super().changelist_view(request, extra_context)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("held/", wrap(held_views.held), name="campaigns_held"),
            path("parked/", wrap(parked_views.index), name="campaigns_parked"),
            path("<int:pk>/settle/", wrap(parked_views.one), name="campaigns_message_settle"),
            path("parked/of-campaign/<int:pk>/", wrap(parked_views.campaign), name="campaigns_campaign_settle"),
        ]
        return [*own, *super().get_urls()]

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
        if message.state not in (OutboundState.UNKNOWN, OutboundState.PARKED):
            return "none needed"
        facts = parking.evidence(message, gateway=message.sender.account.kind)
        said = format_html('<dl class="facts">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", facts))
        if message.state != OutboundState.PARKED:
            return said
        url = reverse("admin:campaigns_message_settle", args=[message.pk])
        return format_html('{}<a class="button quiet" href="{}">Decide what becomes of it</a>', said, url)

    @admin.display(description="Sent again")
    def resend(self, message: OutboundMessage) -> SafeString | str:
        again = OutboundMessage.objects.filter(resend_of=message).first()
        for words, other in (("as", again), ("may be a second copy of", message.resend_of)):
            if other is not None:
                url = reverse("admin:campaigns_outboundmessage_change", args=[other.pk])
                return format_html('{} <a href="{}">{}</a>', words, url, other.ref)
        return "no"

    @admin.display(description="Timeline")
    def timeline(self, message: OutboundMessage) -> SafeString:
        entries = [(_when(moment), words) for moment, words in recipients.timeline(message)]
        return format_html('<ul class="timeline">{}</ul>', format_html_join("", "<li>{} {}</li>", entries))


def _is_bounded(request: HttpRequest) -> bool:
    """Whether the list is narrowed by what has no index, and not searched."""
    match = request.resolver_match
    if match is None or not str(match.url_name).endswith("changelist") or request.GET.get("q"):
        return False
    if request.GET.get("attention") or request.GET.get("state__exact") in IN_MOTION:
        return False
    return any(request.GET.get(name) for name in (*_UNINDEXED, "state__exact"))


def _oldest() -> int:
    """The id above which the newest messages are."""
    newest = OutboundMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return max(0, newest - NEWEST)


def _when(moment: Any) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")
