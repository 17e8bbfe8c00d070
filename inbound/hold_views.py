"""The hold queue: one click says whether a text was an opt-out."""

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from contacts.models import Hold
from inbound import hold_queue, holds, sidebar
from smsdesk import public_ids
from smsdesk.errors import DomainError, Invalid

_READS = ("inbound.view_conversation", "campaigns.view_message_body")  # either shows texts


@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    user, now = _reviewer(request), timezone.now()
    may_read = _may_read(user)
    context = {
        **admin.site.each_context(request),
        "is_nav_sidebar_enabled": False,
        "title": "Hold queue",
        "rows": [(one, _number(one.phone, user)) for one in hold_queue.read(now=now)],
        "total": hold_queue.count(),
        "may_read": may_read,
        "may_read_ours": user.has_perm("campaigns.view_message_body"),
        "has_decided": "decided" in request.GET,
    }
    return render(request, "inbound/holds.html", context)


@require_POST
def decide(request: HttpRequest, hold: str, verb: str) -> HttpResponse:
    """`opt-out` or `not-opt-out`; only by somebody who may read the text they decide on."""
    user = _reviewer(request)
    if not _may_read(user):
        raise PermissionDenied
    found = _hold(hold)
    try:
        said = _decide(found, verb, by=user, shown=_number(holds.phones_of([found])[found.pk], user))
    except DomainError as problem:
        messages.error(request, problem.sentence())
    else:
        messages.success(request, said)
    return redirect(f"{reverse('inbox_holds')}?decided=1")


def _decide(hold: Hold, verb: str, *, by: User, shown: str) -> str:
    now = timezone.now()
    if verb == "opt-out":
        return f"{shown}: {holds.opt_out(hold, by=by.get_username(), note='read by a person', now=now).sentence}"
    if verb == "not-opt-out":
        holds.release(hold, by=by.get_username(), now=now)
        return f"{shown}: read as no opt-out. What was waiting may be sent."
    raise Http404


def _number(phone: str, user: User) -> str:
    return sidebar.shown_phone(phone, reader=user) if phone else "A number that is gone"


def _hold(ref: str) -> Hold:
    try:
        public_id = public_ids.parse(ref, prefix=Hold.prefix)
    except Invalid as problem:
        raise Http404 from problem
    found = Hold.objects.select_related("brand").filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _reviewer(request: HttpRequest) -> User:
    if not isinstance(request.user, User) or not request.user.has_perm("inbound.review_hold"):
        raise PermissionDenied
    return request.user


def _may_read(user: User) -> bool:
    return any(user.has_perm(one) for one in _READS)
