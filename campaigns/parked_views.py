"""The parked messages, inside the admin: what is known of each, and the three answers a person may give."""

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from campaigns import parking, recipients, views
from campaigns.models import Answer, Campaign, OutboundMessage
from smsdesk import phones
from smsdesk.errors import DomainError

MAY_SETTLE = "campaigns.settle_parked"
PER_PAGE = 50
MOST_CAMPAIGNS = 10


def index(request: HttpRequest) -> HttpResponse:
    """Messages nobody has decided on, the oldest first; campaigns that have several can be answered at once."""
    views.require(request, "campaigns.view_outboundmessage", MAY_SETTLE)
    rows = parking.open_rows().select_related("campaign", "sender__account").order_by("pk")
    paging = Paginator(rows[: PER_PAGE * 200], PER_PAGE).get_page(request.GET.get("page"))
    shown = [(row, phones.mask(row.phone), recipients.why(row, gateway=row.sender.account.kind)) for row in paging]
    campaigns = {row.campaign_id: row.campaign for row in paging if row.campaign is not None}
    counts = [
        (campaign, parking.open_rows().filter(campaign=campaign)[:10_000].count())
        for campaign in list(campaigns.values())[:MOST_CAMPAIGNS]
    ]
    context = {
        "paging": paging,
        "rows": shown,
        "campaigns": counts,
        "may_settle": request.user.has_perm(MAY_SETTLE),
    }
    return render(request, "campaigns/parked.html", views.page(request, title="Parked messages", **context))


def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One message with its evidence; POST decides."""
    views.require(request, "campaigns.view_outboundmessage", MAY_SETTLE)
    found = OutboundMessage.objects.select_related("campaign", "contact", "sender__account", "settlement")
    message = get_object_or_404(found, pk=pk)
    if request.method == "POST":
        return _settle(request, message)
    gateway = message.sender.account.kind
    context = {
        "message": message,
        "masked": phones.mask(message.phone),
        "why": recipients.why(message, gateway=gateway),
        "evidence": list(parking.evidence(message, gateway=gateway)),
        "steps": recipients.timeline(message),
        "is_open": parking.open_rows().filter(pk=pk).exists(),
        "may_settle": request.user.has_perm(MAY_SETTLE),
        "again": OutboundMessage.objects.filter(resend_of=message).first(),
        "shows_body": request.user.has_perm("campaigns.view_message_body"),
        "reason": request.GET.get("reason", ""),
        "longest": parking.LONGEST,
    }
    title = f"Was {message.ref} sent?"
    return render(request, "campaigns/parked_message.html", views.page(request, title=title, **context))


def _settle(request: HttpRequest, message: OutboundMessage) -> HttpResponse:
    views.require(request, MAY_SETTLE)
    given, reason = request.POST.get("answer", ""), request.POST.get("reason", "")
    if given not in Answer.values:
        messages.error(request, "Nothing was done: choose one of the three answers.")
        return redirect("admin:campaigns_message_settle", message.pk)
    answer = Answer(given)
    try:
        again = parking.settle(message, answer, reason=reason, by=views.operator(request), now=timezone.now())
    except DomainError as error:
        messages.error(request, error.sentence())
        return redirect("admin:campaigns_message_settle", message.pk)
    _log(request, message, f"{answer.label}: {reason}")
    said = f"It is sent again as {again.ref}, if it may be." if again else f"{answer.label}: noted."
    messages.success(request, said)
    return redirect("admin:campaigns_parked")


@require_POST
def campaign(request: HttpRequest, pk: int) -> HttpResponse:
    """Treat all parked messages of one campaign as sent."""
    views.require(request, MAY_SETTLE)
    chosen = get_object_or_404(Campaign, pk=pk)
    reason = request.POST.get("reason", "")
    try:
        count = parking.treat_all_as_sent(chosen, reason=reason, by=views.operator(request), now=timezone.now())
    except DomainError as error:
        messages.error(request, error.sentence())
    else:
        views.record(request, chosen, f"Treated {count:,} parked messages as sent: {reason}")
        messages.success(request, f"{count:,} messages of {chosen.name} count as sent.")
    return redirect("admin:campaigns_parked")


def _log(request: HttpRequest, message: OutboundMessage, words: str) -> None:
    LogEntry.objects.log_actions(
        views.operator(request).pk, [message], CHANGE, change_message=words, single_object=True
    )
