"""What waits to leave for one person, for the contact's page: each message can be taken back."""

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from campaigns import recipients, sending, views
from campaigns.models import OutboundMessage, OutboundState
from smsdesk.errors import DomainError

MAY_CANCEL = "campaigns.pause_campaign"
MOST = 50


def of_contact(request: HttpRequest, pk: int) -> HttpResponse:
    """Fragment: what is queued for this person, the next to leave first."""
    views.require(request, "campaigns.view_outboundmessage")
    return _show(request, pk)


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    views.require(request, MAY_CANCEL)
    message = get_object_or_404(OutboundMessage, pk=pk)
    said = ""
    try:
        sending.cancel(message, now=timezone.now())
        LogEntry.objects.log_actions(
            views.operator(request).pk, [message], CHANGE, change_message="Cancelled.", single_object=True
        )
    except DomainError as error:
        said = error.sentence()
    if request.headers.get("HX-Request"):
        return _show(request, message.contact_id or 0, error=said)
    if said:
        messages.error(request, said)
    return redirect("admin:contacts_contact_change", message.contact_id or 0)


def _show(request: HttpRequest, contact_id: int, *, error: str = "") -> HttpResponse:
    waiting = OutboundMessage.objects.filter(contact_id=contact_id, state=OutboundState.QUEUED)
    found = list(waiting.select_related("campaign", "sender__account").order_by("due_at", "pk")[: MOST + 1])
    context = {
        "contact_id": contact_id,
        "rows": [(one, recipients.why(one, gateway=one.sender.account.kind)) for one in found[:MOST]],
        "has_more": len(found) > MOST,
        "shows_bodies": request.user.has_perm("campaigns.view_message_body"),
        "may_cancel": request.user.has_perm(MAY_CANCEL),
        "cancel_error": error,
    }
    return render(request, "campaigns/_waiting.html", context)
