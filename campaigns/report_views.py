"""The campaign's report: a live header, the recipients, and their CSV."""

import hashlib
import json
from typing import Any

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import quote_etag
from django.views.decorators.http import require_POST

from campaigns import allowances, budgets, recipients, reports, sender_choice, views
from campaigns.models import Campaign, CampaignState, OutboundMessage, OutboundState, Sender
from smsdesk import phones
from smsdesk.admin import BoundedPaginator
from smsdesk.errors import DomainError

PER_PAGE = 50
LARGE = 50_000  # rows from which on the figures are counted at most every few seconds, for all who look
COUNT_AGAIN = 5  # seconds
DRAW_AGAIN = 60  # the same for the chart
MAY_GIVE = "campaigns.send_campaign"  # parts
S = CampaignState
# What may be pressed in which state.
BUTTONS = {
    S.AWAITING_APPROVAL: ("approve", "cancel"),
    S.SCHEDULED: ("pause", "cancel"),
    S.PREPARING: ("pause", "cancel"),
    S.SENDING: ("pause", "cancel"),
    S.PAUSED: ("resume", "cancel"),
}
LABELS = {"approve": "Approve and launch", "pause": "Pause", "resume": "Resume", "cancel": "Cancel the rest"}
PILLS = {
    S.DRAFT: "off",
    S.AWAITING_APPROVAL: "wait",
    S.SCHEDULED: "wait",
    S.PREPARING: "busy",
    S.SENDING: "busy",
    S.PAUSED: "bad",
    S.FINISHED: "ok",
    S.CANCELLED: "off",
}
MESSAGE_PILLS = {
    OutboundState.QUEUED: "wait",
    OutboundState.SUBMITTING: "busy",
    OutboundState.UNKNOWN: "bad",
    OutboundState.PARKED: "bad",
    OutboundState.ACCEPTED: "busy",
    OutboundState.SENT: "busy",
    OutboundState.DELIVERED: "ok",
    OutboundState.UNDELIVERED: "bad",
    OutboundState.EXPIRED: "bad",
    OutboundState.REJECTED: "bad",
}


def report(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole page; what moves is polled by `live`."""
    views.require(request, *views.MAY_SEE)
    campaign = _campaign(pk)
    unit, buckets = _over_time(campaign)
    is_budgeted = campaign.budget is not None and campaign.state not in budgets.OVER
    context = views.page(request, title=campaign.name, **_live_context(request, campaign))
    context |= {
        "reaches": sender_choice.reaches(campaign),
        "zone": timezone.get_current_timezone_name(),
        "unit": unit,
        "may_change_budget": is_budgeted and request.user.has_perm(MAY_GIVE),
        "chart_title": f"Messages sent and delivered per {unit}, {timezone.get_current_timezone_name()}",
        "bars": [
            (timezone.localtime(b.start).strftime("%Y-%m-%d %H:%M"), {"sent": b.sent, "delivered": b.delivered})
            for b in buckets
        ],
        **_recipients_context(request, campaign),
    }
    return render(request, "campaigns/report.html", context)


def live(request: HttpRequest, pk: int) -> HttpResponse:
    """Fragment: progress, funnel, reasons. 304 while nothing has changed."""
    views.require(request, *views.MAY_SEE)
    campaign = _campaign(pk)
    context = _live_context(request, campaign)
    # The forms in it carry a token of this login: another login must not be shown the old page.
    login = request.META.get("CSRF_COOKIE", "")
    told = f"{context['figures']}{context['waits']}{context['budget']}"
    seen = f"{campaign.state}{campaign.paused_reason}{told}{request.user.pk}{login}"
    etag = quote_etag(hashlib.sha256(seen.encode()).hexdigest()[:32])
    if request.headers.get("If-None-Match") == etag:
        # The word keeps htmx from swapping in the empty body.
        return HttpResponseNotModified(headers={"ETag": etag, "HX-Reswap": "none"})
    # No browser keeps the page, so the next poll says itself what is shown.
    context["poll_headers"] = json.dumps({"If-None-Match": etag})
    response = render(request, "campaigns/_live.html", context)
    response["ETag"] = etag
    return response


@require_POST
def change_budget(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a campaign more parts, or fewer; it goes on when somebody resumes it."""
    views.require(request, MAY_GIVE)
    campaign = _campaign(pk)
    given = forms.IntegerField(min_value=1, max_value=2_147_483_647)
    try:
        parts = given.clean(request.POST.get("parts"))
        budgets.change(campaign, parts, by=views.operator(request), now=timezone.now())
    except forms.ValidationError as refused:
        messages.error(request, f"Budget: {' '.join(refused.messages)}")
    except DomainError as error:
        messages.error(request, error.sentence())
    else:
        views.record(request, campaign, f"Budget: {parts:,} parts.")
        further = " Resume it to go on." if campaign.state == S.PAUSED else ""
        messages.success(request, f"{campaign}: its budget is {parts:,} parts.{further}")
    return redirect("admin:campaigns_campaign_report", pk)


def export(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The recipients as CSV, filtered as on the page."""
    views.require(request, *views.MAY_SEE)
    campaign = _campaign(pk)
    rows = recipients.of(campaign, reason=request.GET.get("reason", ""))
    lines = recipients.csv_lines(
        rows,
        gateways=sender_choice.gateways(campaign),
        shows_phones=request.user.has_perm("contacts.view_full_phone"),
    )
    views.record(request, campaign, "Exported the recipients.")
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{campaign.ref}.csv"'
    return response


def of_segment(request: HttpRequest, pk: int) -> HttpResponse:
    """Fragment for a segment's page: the latest campaigns that use it."""
    views.require(request, *views.MAY_SEE)
    uses: dict[Campaign, list[str]] = {}
    for name, words in (("include_segments", "sent to it"), ("exclude_segments", "leaves it out")):
        for campaign in Campaign.objects.filter(**{name: pk}).order_by("-pk")[:20]:
            uses.setdefault(campaign, []).append(words)
    rows = [(campaign, " and ".join(words)) for campaign, words in uses.items()]
    return render(request, "campaigns/_of_segment.html", {"rows": rows})


def _campaign(pk: int) -> Campaign:
    return views.campaign_or_404(pk)


def _live_context(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    figures = _figures(campaign)
    verbs = BUTTONS.get(CampaignState(campaign.state), ())
    return {
        "campaign": campaign,
        "figures": figures,
        "pill": PILLS[CampaignState(campaign.state)],
        "waits": allowances.waits_for_tomorrow(campaign, at=timezone.now()) if campaign.state == S.SENDING else "",
        "budget": budgets.sentence(campaign),
        "is_moving": campaign.state in reports.MOVING or bool(figures.taken - figures.delivered - figures.failed),
        "buttons": [(verb, LABELS[verb]) for verb in verbs if request.user.has_perm(views.VERBS[verb][0])],
        "settled_percent": reports.share(figures.settled, figures.targeted),
        "minutes_left": _spell(figures.seconds_left),
        "funnel": [(name, count, of, reports.share(count, of)) for name, count, of in figures.funnel],
    }


def _figures(campaign: Campaign) -> reports.Figures:
    if campaign.audience_size <= LARGE:
        return reports.figures(campaign, now=timezone.now())
    key = f"figures-{campaign.pk}"
    kept: reports.Figures | None = cache.get(key)
    if kept is None:
        kept = reports.figures(campaign, now=timezone.now())
        cache.set(key, kept, COUNT_AGAIN)
    return kept


def _over_time(campaign: Campaign) -> tuple[str, list[reports.Bucket]]:
    if campaign.audience_size <= LARGE:
        return reports.over_time(campaign)
    key = f"over-time-{campaign.pk}"
    kept: tuple[str, list[reports.Bucket]] | None = cache.get(key)
    if kept is None:
        kept = reports.over_time(campaign)
        cache.set(key, kept, DRAW_AGAIN)
    return kept


def _spell(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds} s"
    return f"{round(seconds / 60)} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"


def _recipients_context(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    reason = request.GET.get("reason", "")
    rows = recipients.of(campaign, reason=reason).select_related("contact")
    paging = BoundedPaginator(rows, PER_PAGE)
    shown = paging.get_page(request.GET.get("page"))
    senders = {sender.pk: sender for sender in sender_choice.senders(campaign)}
    return {
        "reason": reason,
        "paging": shown,
        "rows": [_row(message, sender=senders.get(message.sender_id)) for message in shown],
        "has_several_senders": len(senders) > 1,
        "states": OutboundState.choices,
    }


def _row(message: OutboundMessage, *, sender: Sender | None) -> dict[str, Any]:
    return {
        "message": message,
        "pill": MESSAGE_PILLS.get(OutboundState(message.state), "off"),
        "masked": phones.mask(message.phone),
        "why": recipients.why(message, gateway=sender.account.kind if sender else ""),
        "sender": sender,
    }
