"""What campaigns put on the first page: what was sent, what is under way, what waits for a decision."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone

from campaigns import circuit, parking, report_views, reports, restoring
from campaigns.models import (
    Campaign,
    CampaignState,
    GatewayAccount,
    MessageInMotion,
    OutboundMessage,
    OutboundState,
)
from smsdesk import dashboard
from smsdesk.dashboard import Alarm, Figure, Lesson, Link, Moment, Need, Progress, Series

MONTH = timedelta(days=30)
KEPT = 30  # seconds a count over many days is shown before it is made again
MOST = 5
_ATTENTION = (CampaignState.SCHEDULED, CampaignState.PREPARING, CampaignState.SENDING, CampaignState.PAUSED)


@dashboard.figures.add(permission="campaigns.view_outboundmessage", order=10)
def sent(moment: Moment) -> Iterable[Figure]:
    today, month = _totals(moment.midnight()), _month(moment)
    yield Figure("Sent today", f"{today['taken']:,}", f"{month['taken']:,} in 30 days")
    yield Figure(
        "Delivered today",
        _percent(today["delivered"], today["taken"]),
        f"{today['delivered']:,} of {today['taken']:,} · 30 days: {_percent(month['delivered'], month['taken'])}",
    )
    yield Figure(
        "Opt-outs today",
        f"{today['opted_out']:,}",
        f"30 days: {month['opted_out']:,} of {month['delivered']:,} delivered",
    )


@dashboard.needs.add(permission="campaigns.view_outboundmessage", order=10)
def unsettled(moment: Moment) -> Iterable[Need]:
    messages = reverse("admin:campaigns_outboundmessage_changelist")
    parked = parking.open_rows()[:1000].count()
    yield Need("Parked: somebody must decide", parked, reverse("admin:campaigns_parked"), "bad")
    unknown = MessageInMotion.objects.filter(state=OutboundState.UNKNOWN)[:1000].count()
    yield Need("Outcomes being looked up", unknown, f"{messages}?state__exact=unknown", "wait")


@dashboard.needs.add(permission="campaigns.view_campaign", order=20)
def halted(moment: Moment) -> Iterable[Need]:
    campaigns = reverse("admin:campaigns_campaign_changelist")
    for state, label in (
        (CampaignState.AWAITING_APPROVAL, "Campaigns awaiting approval"),
        (CampaignState.PAUSED, "Paused campaigns"),
    ):
        yield Need(label, Campaign.objects.filter(state=state).count(), f"{campaigns}?state__exact={state}")


@dashboard.alarms.add(permission="campaigns.view_campaign", order=10)
def restored(moment: Moment) -> Iterable[Alarm]:
    instance = restoring.held()
    if instance is not None:
        url = reverse("admin:campaigns_held")
        yield Alarm("Nothing is sent: the desk is held.", instance.held_reason, url, "What to do")


@dashboard.alarms.add(permission="campaigns.change_gatewayaccount", order=20)
def accounts_stopped_by_machine(moment: Moment) -> Iterable[Alarm]:
    stopped = GatewayAccount.objects.filter(paused_at__isnull=False, paused_by=None).order_by("paused_at")
    for account in stopped[:MOST]:
        yield Alarm(
            f"Nothing is sent through {account.name}.",
            f"{account.paused_reason} Its messages wait; none is failed.",
            reverse("admin:campaigns_gatewayaccount_change", args=[account.pk]),
            "Open the account",
            "Let it send again",
            reverse("admin:campaigns_gatewayaccount_resume", args=[account.pk]),
        )


@dashboard.needs.add(permission="campaigns.view_gatewayaccount", order=5)
def stopped_accounts(moment: Moment) -> Iterable[Need]:
    stopped = GatewayAccount.objects.filter(paused_at__isnull=False).order_by("paused_at")
    may_resume = moment.may("campaigns.change_gatewayaccount")
    url = reverse("admin:campaigns_gatewayaccount_changelist")
    yield Need("Gateway accounts that are stopped", stopped.count(), url, "bad")
    for account in stopped[:MOST]:
        yield Need(
            account.name,
            1,
            reverse("admin:campaigns_gatewayaccount_change", args=[account.pk]),
            "bad",
            why=account.paused_reason,
            button="Let it send again" if may_resume else "",
            button_url=reverse("admin:campaigns_gatewayaccount_resume", args=[account.pk]),
        )


@dashboard.needs.add(permission="campaigns.view_gatewayaccount", order=6)
def silent_accounts(moment: Moment) -> Iterable[Need]:
    trying = GatewayAccount.objects.filter(circuit_until__isnull=False, paused_at=None).exclude(last_trouble="")
    for account in trying.order_by("circuit_since")[:MOST]:
        url = reverse("admin:campaigns_gatewayaccount_change", args=[account.pk])
        yield Need(
            f"{account.name} does not answer",
            1,
            url,
            why=circuit.sentence(account, now=moment.now),
            word="no answer",
        )


@dashboard.under_way.add(permission="campaigns.view_campaign")
def running(moment: Moment) -> Iterable[Progress]:
    campaigns = list(Campaign.objects.filter(state__in=_ATTENTION).order_by("send_at", "pk")[:MOST])
    totals = reports.totals([campaign.pk for campaign in campaigns])
    may_pause = moment.may("campaigns.pause_campaign")
    for campaign in campaigns:
        of = totals.get(campaign.pk, reports.NO_TOTALS)
        pause = reverse("admin:campaigns_campaign_do", args=[campaign.pk, "pause"])
        yield Progress(
            name=campaign.name,
            state=_state(campaign),
            colour=report_views.PILLS[CampaignState(campaign.state)],
            url=reverse("admin:campaigns_campaign_report", args=[campaign.pk]),
            done=of.settled,
            total=of.rows,
            pause_url=pause if may_pause and campaign.state != CampaignState.PAUSED else "",
        )


@dashboard.chart.add(permission="campaigns.view_outboundmessage", order=20)
def out(moment: Moment) -> Iterable[Series]:
    rows = OutboundMessage.objects.filter(state__in=reports.TAKEN)
    yield Series("Out", per_day(rows, "created_at", moment, name="out"))


@dashboard.quick_actions.add(permission="campaigns.add_campaign", order=10)
def begin(moment: Moment) -> Iterable[Link]:
    yield Link("New campaign", reverse("admin:campaigns_campaign_new"))


@dashboard.quick_actions.add(permission="contacts.view_contact", order=40)
def try_a_decision(moment: Moment) -> Iterable[Link]:
    if moment.may("campaigns.view_sender"):
        yield Link("Try a decision", reverse("decision"))


@dashboard.navigation.add(permission="campaigns.view_campaign", order=20)
def page(moment: Moment) -> Iterable[Link]:
    yield Link("Campaigns", reverse("admin:campaigns_campaign_changelist"))


@dashboard.navigation.add(permission="campaigns.view_outboundmessage", order=40)
def ledger(moment: Moment) -> Iterable[Link]:
    yield Link("Messages", reverse("admin:campaigns_outboundmessage_changelist"))


@dashboard.lessons.add(permission="campaigns.add_campaign", order=30)
def first_campaign(moment: Moment) -> Iterable[Lesson]:
    own = Campaign.objects.filter(launched_at__isnull=False, created_by_id=moment.user.pk)
    yield Lesson("Send a campaign to a list", own.exists(), reverse("admin:campaigns_campaign_new"))


def per_day(rows: Any, field: str, moment: Moment, *, name: str) -> list[int]:
    """Rows per day of the operator's zone over the chart's days, counted anew every half minute."""
    first = moment.midnight() - timedelta(days=dashboard.CHART_DAYS - 1)
    zone = timezone.get_current_timezone_name()

    def count() -> dict[int, int]:
        chosen = rows.filter(**{f"{field}__gte": first}).annotate(day=TruncDate(field))
        found = chosen.values_list("day").annotate(n=Count("pk")).order_by()
        return {(day - first.date()).days: n for day, n in found}

    counts = cache.get_or_set(f"dashboard:{name}:{first:%Y%m%d}:{zone}", count, KEPT) or {}
    return [counts.get(day, 0) for day in range(dashboard.CHART_DAYS)]


def _month(moment: Moment) -> dict[str, int]:
    since = moment.midnight() - MONTH
    zone = timezone.get_current_timezone_name()
    kept: dict[str, int] = cache.get_or_set(f"dashboard:month:{zone}", lambda: _totals(since), KEPT) or {}
    return kept


def _totals(since: datetime) -> dict[str, int]:
    return OutboundMessage.objects.filter(created_at__gte=since).aggregate(
        taken=Count("pk", filter=Q(state__in=reports.TAKEN)),
        delivered=Count("pk", filter=Q(state=OutboundState.DELIVERED)),
        opted_out=Count("opted_out_at"),
    )


def _percent(part: int, whole: int) -> str:
    return f"{reports.share(part, whole)} %" if whole else "—"


def _state(campaign: Campaign) -> str:
    if campaign.state == CampaignState.SCHEDULED and campaign.send_at:
        return f"Scheduled for {timezone.localtime(campaign.send_at):%Y-%m-%d %H:%M}"
    return CampaignState(campaign.state).label
