"""Campaigns: draft one, launch it, stop it, and read how it went. The verbs are those of the admin."""

from collections.abc import Callable
from typing import Any

import django_filters
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import allowances, budgets, lifecycle, reports, sender_choice
from campaigns.api import drafts
from campaigns.api.senders import refuse_real_senders
from campaigns.models import Campaign, CampaignState
from contacts.models import Purpose
from smsdesk import clock
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Empty, Moment, Ref, StrictSerializer, Text
from smsdesk.api.filters import ListFilters, MomentFilter
from smsdesk.models import Scope


class FurtherSenderOut(StrictSerializer):
    """A sender and the countries whose people it serves."""

    sender = Text(source="sender.value")
    countries = serializers.ListField(child=serializers.CharField())


class CampaignOut(StrictSerializer):
    id = Ref(prefix="cmp", source="public_id")
    name = Text()
    state = serializers.ChoiceField(choices=CampaignState.choices)
    brand = Text(source="brand.slug", default=None, allow_null=True)
    sender = Text(source="sender.value", default=None, allow_null=True)
    further_senders = FurtherSenderOut(
        many=True, read_only=True, help_text="Who serves which countries; `sender` serves all others."
    )
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    body = Text()
    include = serializers.SerializerMethodField()
    exclude = serializers.SerializerMethodField()
    include_segments = serializers.SerializerMethodField(help_text="Ids.")
    exclude_segments = serializers.SerializerMethodField(help_text="Ids.")
    send_at = Moment(allow_null=True)
    latest_start = Moment(allow_null=True)
    send_by = Moment(allow_null=True)
    when_capped = Text(help_text="wait, skip, or empty: as each frequency cap says.")
    budget = serializers.IntegerField(allow_null=True, help_text="Parts it may use in all; null: no budget.")
    restricted = Text(help_text="Declared category of restricted content.")
    min_age = serializers.IntegerField(allow_null=True)
    paused_reason = Text()
    audience_size = serializers.IntegerField(help_text="People in the audience, counted at launch.")
    created_at = Moment()
    updated_at = Moment()
    launched_at = Moment(allow_null=True)
    finished_at = Moment(allow_null=True)

    def get_include(self, campaign: Campaign) -> list[str]:
        return sorted(one.name for one in campaign.include.all())

    def get_exclude(self, campaign: Campaign) -> list[str]:
        return sorted(one.name for one in campaign.exclude.all())

    def get_include_segments(self, campaign: Campaign) -> list[str]:
        return [one.ref for one in campaign.include_segments.all()]

    def get_exclude_segments(self, campaign: Campaign) -> list[str]:
        return [one.ref for one in campaign.exclude_segments.all()]


class BudgetIn(StrictSerializer):
    parts = serializers.IntegerField(
        allow_null=True,
        min_value=1,
        max_value=2_147_483_647,
        help_text="In all, not on top; null lifts the budget.",
    )


class LineOut(StrictSerializer):
    code = Text()
    sentence = Text()
    count = serializers.IntegerField()
    of = serializers.IntegerField(help_text="Denominator.")


class ReportOut(StrictSerializer):
    campaign = Ref(prefix="cmp")
    state = serializers.ChoiceField(choices=CampaignState.choices, source="campaign.state")
    targeted = serializers.IntegerField(source="figures.targeted", help_text="People the audience had at launch.")
    queued = serializers.IntegerField(source="figures.queued")
    submitting = serializers.IntegerField(source="figures.submitting")
    accepted = serializers.IntegerField(source="figures.taken", help_text="Taken by the gateway.")
    delivered = serializers.IntegerField(source="figures.delivered")
    failed = serializers.IntegerField(source="figures.failed")
    unknown = serializers.IntegerField(source="figures.unknown", help_text="May have been sent.")
    parked = serializers.IntegerField(source="figures.parked", help_text="Wait for a person to settle them.")
    skipped = serializers.IntegerField(source="figures.skipped")
    cancelled = serializers.IntegerField(source="figures.cancelled")
    replied = serializers.IntegerField(source="figures.replied")
    opted_out = serializers.IntegerField(source="figures.opted_out")
    parts = serializers.IntegerField(source="figures.parts", help_text="Of the accepted ones: what is billed.")
    budget = serializers.IntegerField(source="campaign.budget", allow_null=True, help_text="In parts.")
    budget_used = serializers.IntegerField(
        allow_null=True, help_text="Parts that left, or may have, counted against the budget."
    )
    waits_for_tomorrow = Text(help_text="Which daily cap is reached, and until when; empty where none is.")
    duplicates = serializers.IntegerField(source="campaign.duplicates")
    waiting = LineOut(many=True, source="figures.waiting", help_text="Why queued ones wait.")
    skips = LineOut(many=True, source="figures.skips", help_text="Why some were skipped or cancelled.")
    failures = LineOut(many=True, source="figures.failures", help_text="Why some failed.")


class CampaignFilters(ListFilters):
    state = django_filters.ChoiceFilter(choices=CampaignState.choices)
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt", label="Changed after this time.")


_EXAMPLE = OpenApiExample(
    "Spring sale",
    {
        "name": "Spring sale",
        "brand": "acme",
        "sender": "+12125550100",
        "body": "{{ brand }}: {{ first_name | default: 'Hi' }}, 10 % off until Sunday. Reply STOP to opt out",
        "include": ["Newsletter"],
        "exclude": ["Bought this week"],
        "further_senders": [{"sender": "+447400123456", "countries": ["GB", "IE"]}],
        "send_at": "2027-03-21T15:00:00Z",
        "send_by": "2027-03-22T02:00:00Z",
    },
    request_only=True,
)
_IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="The ETag you have read.")


class Campaigns(views.Endpoint):
    id_prefix = "cmp"
    scopes = {
        "list": Scope.CAMPAIGNS_READ,
        "retrieve": Scope.CAMPAIGNS_READ,
        "create": Scope.CAMPAIGNS_WRITE,
        "partial_update": Scope.CAMPAIGNS_WRITE,
        "launch": Scope.CAMPAIGNS_LAUNCH,
        "pause": Scope.CAMPAIGNS_LAUNCH,
        "resume": Scope.CAMPAIGNS_LAUNCH,
        "cancel": Scope.CAMPAIGNS_LAUNCH,
        "budget": Scope.CAMPAIGNS_LAUNCH,
        "report": Scope.CAMPAIGNS_READ,
    }
    queryset = Campaign.objects.select_related("brand", "sender__account").prefetch_related(
        "include", "exclude", "include_segments", "exclude_segments", sender_choice.rows()
    )
    filterset_class = CampaignFilters

    @extend_schema(responses=CampaignOut(many=True), summary="List campaigns")
    def list(self, request: Request) -> Response:
        return self.page(self.get_queryset(), CampaignOut)

    @extend_schema(
        request=drafts.CampaignIn, responses={201: CampaignOut}, summary="Draft a campaign", examples=[_EXAMPLE]
    )
    @idempotency.once
    def create(self, request: Request) -> Response:
        given = views.read(request, drafts.CampaignIn)
        campaign = drafts.create(given, key=keys.of(request), by=keys.of(request).owner)
        return self._answer(campaign, status=201)

    @extend_schema(responses=CampaignOut, summary="Read a campaign")
    def retrieve(self, request: Request, id: str) -> Response:
        return self._answer(self._row(id))

    @extend_schema(
        request=drafts.CampaignIn, responses=CampaignOut, parameters=[_IF_MATCH], summary="Change a draft"
    )
    def partial_update(self, request: Request, id: str) -> Response:
        """With `If-Match`, only the campaign you have read: 412 where somebody has changed it since."""
        campaign = self._row(id)
        given = views.read_some(request, drafts.CampaignIn)
        seen = request.headers.get("If-Match")
        return self._answer(drafts.change(campaign, given, key=keys.of(request), seen=seen, now=timezone.now()))

    @extend_schema(request=Empty, responses=CampaignOut, summary="Launch a draft")
    @action(detail=True, methods=["post"])
    @idempotency.once
    def launch(self, request: Request, id: str) -> Response:
        """From here on its text and audience are frozen; it begins at `send_at`, or at once."""
        refuse_real_senders(self._row(id), key=keys.of(request))
        return self._move(request, id, lifecycle.launch)

    @extend_schema(request=Empty, responses=CampaignOut, summary="Pause")
    @action(detail=True, methods=["post"])
    @idempotency.once
    def pause(self, request: Request, id: str) -> Response:
        return self._move(request, id, lifecycle.pause)

    @extend_schema(request=Empty, responses=CampaignOut, summary="Resume")
    @action(detail=True, methods=["post"])
    @idempotency.once
    def resume(self, request: Request, id: str) -> Response:
        refuse_real_senders(self._row(id), key=keys.of(request))
        return self._move(request, id, lifecycle.resume)

    @extend_schema(request=Empty, responses=CampaignOut, summary="Cancel")
    @action(detail=True, methods=["post"])
    @idempotency.once
    def cancel(self, request: Request, id: str) -> Response:
        """Cannot be undone; what has left stays sent."""
        return self._move(request, id, lifecycle.cancel)

    @extend_schema(request=BudgetIn, responses=CampaignOut, summary="Change the budget")
    @action(detail=True, methods=["post"])
    @idempotency.once
    def budget(self, request: Request, id: str) -> Response:
        """Of a campaign that has one. Where it paused because the budget was used up, resume it to go on."""
        campaign = self._row(id)
        given = views.read(request, BudgetIn)
        budgets.change(campaign, given["parts"], by=keys.of(request).owner, now=timezone.now())
        return self._answer(campaign)

    @extend_schema(responses=ReportOut, summary="How it goes, or went")
    @action(detail=True, methods=["get"])
    def report(self, request: Request, id: str) -> Response:
        """Figures of the ledger at this moment. The messages themselves: `/messages/?campaign=…`."""
        campaign = self._row(id)
        now = timezone.now()
        is_sending = campaign.state == CampaignState.SENDING
        told = {
            "campaign": campaign,
            "figures": reports.figures(campaign, now=now),
            "budget_used": None if campaign.budget is None else budgets.used_by(campaign),
            "waits_for_tomorrow": allowances.waits_for_tomorrow(campaign, at=now) if is_sending else "",
        }
        return Response(ReportOut(told).data)

    def _row(self, ref: str) -> Campaign:
        campaign: Campaign = views.find(self.get_queryset(), ref, prefix="cmp")
        return campaign

    def _move(self, request: Request, ref: str, verb: Callable[..., Any]) -> Response:
        views.read(request, Empty)
        campaign = self._row(ref)
        # What begins by the database's clock is launched by it.
        verb(campaign, by=keys.of(request).owner, now=clock.database_now())
        return self._answer(campaign)

    def _answer(self, campaign: Campaign, *, status: int = 200) -> Response:
        return Response(CampaignOut(campaign).data, status=status, headers={"ETag": drafts.etag(campaign)})
