from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns import report_views, reports, views, waiting_views
from campaigns.models import Campaign, CampaignSender, CampaignState, Sender
from smsdesk.admin import BaseModelAdmin


class CampaignList(ChangeList):
    """The page's rows with their figures: one grouped query for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        totals = reports.totals([row.pk for row in rows])
        for row in rows:
            row.totals = totals.get(row.pk, reports.NO_TOTALS)
        self.result_list = rows


class SenderFilter(admin.SimpleListFilter):
    """Its own sender or one of the further ones."""

    title = "sender"
    parameter_name = "sender"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), value) for pk, value in Sender.objects.order_by("value").values_list("pk", "value")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Campaign]") -> "QuerySet[Campaign]":
        chosen = next((int(pk) for pk, _ in self.lookup_choices if pk == self.value()), None)
        if chosen is None:
            return queryset
        serving = CampaignSender.objects.filter(sender=chosen).values("campaign")
        return queryset.filter(Q(sender=chosen) | Q(pk__in=serving))


@admin.register(Campaign)
class CampaignAdmin(BaseModelAdmin):
    """The list; a draft opens in the wizard, everything else as its report."""

    list_display = ["name", "pill", "audience", "progress", "delivered", "scheduled", "created_by"]
    list_filter = ["state", "brand", SenderFilter, "created_by"]
    list_select_related = ["created_by"]
    list_per_page = 25
    search_fields = ["name"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    actions = None

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return CampaignList

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("new/", wrap(views.new), name="campaigns_campaign_new"),
            path("<int:pk>/step/<slug:slug>/", wrap(views.step), name="campaigns_campaign_step"),
            path("<int:pk>/preview/", wrap(views.preview_text), name="campaigns_campaign_preview"),
            path("<int:pk>/waterfall/", wrap(views.preview_waterfall), name="campaigns_campaign_waterfall"),
            path("<int:pk>/do/<slug:verb>/", wrap(views.do), name="campaigns_campaign_do"),
            path("<int:pk>/report/", wrap(report_views.report), name="campaigns_campaign_report"),
            path("<int:pk>/budget/", wrap(report_views.change_budget), name="campaigns_campaign_budget"),
            path("<int:pk>/live/", wrap(report_views.live, cacheable=True), name="campaigns_campaign_live"),
            path("<int:pk>/recipients.csv", wrap(report_views.export), name="campaigns_campaign_export"),
            path("of-contact/<int:pk>/", wrap(waiting_views.of_contact), name="campaigns_contact_messages"),
            path("message/<int:pk>/cancel/", wrap(waiting_views.cancel), name="campaigns_message_cancel"),
            path("of-segment/<int:pk>/", wrap(report_views.of_segment), name="campaigns_of_segment"),
        ]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return redirect("admin:campaigns_campaign_new")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        campaign = self.get_object(request, object_id)
        if campaign is None:  # which the page of the base class says
            return super().change_view(request, object_id, form_url, extra_context)
        if campaign.state == CampaignState.DRAFT and self.has_change_permission(request, campaign):
            return redirect("admin:campaigns_campaign_step", campaign.pk, _first_open_step(campaign))
        return redirect("admin:campaigns_campaign_report", campaign.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Only a draft: everything else is what somebody was told."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.state == CampaignState.DRAFT)

    @admin.display(description="State", ordering="state")
    def pill(self, campaign: Campaign) -> SafeString:
        colour = report_views.PILLS[CampaignState(campaign.state)]
        return format_html('<span class="pill pill-{}">{}</span>', colour, campaign.get_state_display())

    @admin.display(description="Audience", ordering="audience_size")
    def audience(self, campaign: Campaign) -> str:
        return f"{campaign.audience_size:,}" if campaign.launched_at else "—"

    @admin.display(description="Progress")
    def progress(self, campaign: Any) -> SafeString | str:
        totals = campaign.totals
        if not totals.rows:
            return "—"
        percent = reports.share(totals.settled, totals.rows)
        return format_html(
            '<progress max="100" value="{}" aria-label="Progress">{} %</progress> {} of {}',
            percent,
            percent,
            f"{totals.settled:,}",
            f"{totals.rows:,}",
        )

    @admin.display(description="Delivered")
    def delivered(self, campaign: Any) -> str:
        totals = campaign.totals
        return f"{reports.share(totals.delivered, totals.taken)} % of {totals.taken:,}" if totals.taken else "—"

    @admin.display(description="Scheduled", ordering="send_at")
    def scheduled(self, campaign: Campaign) -> str:
        if campaign.send_at is None:
            return "at once"
        return timezone.localtime(campaign.send_at).strftime("%Y-%m-%d %H:%M %Z")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Campaign]":
        return super().get_queryset(request).defer("body")


def _first_open_step(campaign: Campaign) -> str:
    if campaign.brand_id is None or campaign.sender_id is None:
        return "audience"
    return "review" if campaign.body.strip() else "message"
