"""The page behind a preference link. GET only shows; one POST does one thing."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from campaigns import preference_links
from campaigns.preference_links import Opened
from inbound import form_pages, preferences
from inbound.models import OptInForm
from smsdesk import phones, visitors
from smsdesk.errors import DomainError, Invalid
from smsdesk.sms_text import clean


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    try:
        opened = preference_links.read(token, now=timezone.now())
    except Invalid as problem:
        return render(request, "public/no_link.html", {"problem": problem}, status=404)
    if request.method != "POST":
        return _show(request, opened)
    try:
        return _show(request, opened, done=_do(request, opened))
    except DomainError as refusal:
        notice = f"{refusal.message} {refusal.cure}".strip()
        return _show(request, opened, notice=notice, status=refusal.status)


def _do(request: HttpRequest, opened: Opened) -> str:
    """Do what the form asks; what has happened, in words."""
    now = timezone.now()
    visit = preferences.Visit(
        opened=opened,
        ip=visitors.address(request),
        user_agent=clean(request.headers.get("User-Agent", ""))[:300],
        url=f"{settings.PUBLIC_URL}/p/",
    )
    match request.POST.get("do"):
        case "stop":
            return f"Done: nothing more is sent to this number. {_cancelled(preferences.stop_all(visit, now=now))}"
        case "save":
            shown, kept = request.POST.getlist("shown"), request.POST.getlist("keep")
            return f"Saved. {_cancelled(preferences.lower(visit, shown=shown, kept=kept, now=now))}"
        case "join":
            return _join(request, visit)
    raise Invalid("unknown_wish", "Nothing was changed.", cure="Use the buttons of this page.")


def _join(request: HttpRequest, visit: preferences.Visit) -> str:
    now = timezone.now()
    wanted = request.POST.get("form", "")
    offered = {offer.form.ref: offer.form for offer in preferences.offers(visit.opened, now=now)}
    form: OptInForm | None = offered.get(wanted)
    if form is None:
        raise Invalid("not_offered", "This cannot be agreed to here.", cure="Text START from your phone instead.")
    if request.POST.get("agree") != "on":
        raise Invalid("not_ticked", "Tick the box if you agree.", cure="Nothing was changed.")
    read = form_pages.read(request.POST.get("page", ""), form=form, now=now)
    if preferences.come_back(visit, form, page=read, now=now):
        return f"Welcome back: {form.brand.name} may text you again. A text confirms it."
    return "We noted your wish, but an opt-out that was made another way still stands. Please write to us."


def _cancelled(count: int) -> str:
    if not count:
        return "No message was waiting."
    return f"{count} pending message{'s were' if count > 1 else ' was'} cancelled."


def _show(
    request: HttpRequest, opened: Opened, *, done: str = "", notice: str = "", status: int = 200
) -> HttpResponse:
    now = timezone.now()
    context: dict[str, Any] = {
        "number": phones.mask(opened.contact.phone),
        "choices": preferences.choices(opened.contact, now=now),
        "offers": [
            {"form": offer.form, "wording": offer.wording, "page": form_pages.issue(offer.wording, now=now)}
            for offer in preferences.offers(opened, now=now)
        ],
        "was_texted": opened.was_texted,
        "done": done,
        "notice": notice,
    }
    return render(request, "public/preferences.html", context, status=status)
