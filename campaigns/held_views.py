"""The page of a desk that is held because its database was restored: what is known, and the way to release it."""

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from campaigns import parking, restoring, views
from campaigns.models import Campaign, CampaignState, Instance, MessageInMotion, OutboundState
from smsdesk.errors import DomainError

MAY_RELEASE = "campaigns.release_desk"


def held(request: HttpRequest) -> HttpResponse:
    views.require(request, "campaigns.view_campaign", MAY_RELEASE)
    if request.method == "POST":
        return _release(request)
    unknown = MessageInMotion.objects.filter(state=OutboundState.UNKNOWN)
    context = {
        "instance": restoring.held(),
        "may_release": request.user.has_perm(MAY_RELEASE),
        "unknown": unknown[:100_000].count(),
        "parked": parking.open_rows()[:100_000].count(),
        "campaigns": Campaign.objects.filter(state=CampaignState.PAUSED).order_by("-updated_at")[:20],
    }
    return render(request, "campaigns/held.html", views.page(request, title="The desk is held", **context))


def _release(request: HttpRequest) -> HttpResponse:
    views.require(request, MAY_RELEASE)
    by = views.operator(request)
    try:
        restoring.release(by=str(by), now=timezone.now())
    except DomainError as error:
        messages.error(request, error.sentence())
        return redirect("admin:campaigns_held")
    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(Instance),
        object_id=str(restoring.THE_ONE),
        object_repr="The desk",
        action_flag=CHANGE,
        change_message="Released after its database was restored.",
    )
    messages.success(request, "The desk is released: it sends again.")
    return redirect("admin:index")
