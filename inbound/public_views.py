"""Pages for the people we text: no signing in, and no difference that tells who is known here.

GET changes nothing, since mail programs and link scanners open every address they see.
"""

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from inbound import form_pages, signing_up
from inbound.models import OptInForm
from inbound.public_forms import SignUpForm
from smsdesk import phones, public_ids, visitors
from smsdesk.errors import DomainError, Invalid
from smsdesk.sms_text import clean


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, ref: str) -> HttpResponse:
    form = _open_form(ref)
    wording = form.wording() if form else None
    if form is None or wording is None:
        return render(request, "public/closed.html", status=404)
    if request.method != "POST":
        return _ask(request, form, SignUpForm(default_region=form.brand.default_country))
    filled = SignUpForm(request.POST, default_region=form.brand.default_country)
    if not filled.is_valid():
        return _ask(request, form, filled, status=422)
    started = time.monotonic()
    try:
        _submit(request, form, filled)
    except DomainError as refusal:
        notice = f"{refusal.message} {refusal.cure}".strip()
        return _ask(request, form, _again(form, filled), notice=notice, status=refusal.status)
    _answer_no_sooner(started)
    return redirect("joined", form.ref)


@never_cache
@require_safe
def joined(request: HttpRequest, ref: str) -> HttpResponse:
    """The same for everybody, whoever's number it was."""
    form = _open_form(ref)
    if form is None:
        return render(request, "public/closed.html", status=404)
    number = form.sender.value
    context = {
        "form": form,
        "number": phones.display(number) if number.startswith("+") else number,
        "hours": settings.SIGN_UP["answer_hours"],
    }
    return render(request, "public/joined.html", context)


def preview(request: HttpRequest, form: OptInForm) -> HttpResponse:
    """For the admin: the page as it is, and nothing on it can be sent."""
    context = {
        "form": form,
        "wording": form.wording(),
        "filled": SignUpForm(default_region=form.brand.default_country),
        "is_preview": True,
    }
    return render(request, "public/join.html", context)


def _open_form(ref: str) -> OptInForm | None:
    try:
        public_id = public_ids.parse(ref, prefix=OptInForm.prefix)
    except Invalid:
        return None
    forms = OptInForm.objects.select_related("brand", "sender").filter(is_active=True)
    return forms.filter(public_id=public_id).first()


def _submit(request: HttpRequest, form: OptInForm, filled: SignUpForm) -> None:
    now = timezone.now()
    sent_in = signing_up.Filled(
        page=form_pages.read(filled.cleaned_data["page"], form=form, now=now),
        phone=filled.cleaned_data["phone"],
        url=signing_up.form_url(form),
        ip=visitors.address(request),
        user_agent=request.headers.get("User-Agent", ""),
    )
    signing_up.submit(form, sent_in, now=now)


def _answer_no_sooner(started: float) -> None:
    """A text that is queued takes twice the time of one that is not: whoever waits must not be able to tell."""
    time.sleep(max(0.0, started + settings.SIGN_UP["answer_after_ms"] / 1_000 - time.monotonic()))


def _again(form: OptInForm, filled: SignUpForm) -> SignUpForm:
    """What was typed, but with the box unticked and a page of its own: what is agreed to is read anew."""
    typed = {"phone": clean(filled.data.get("phone", ""))}
    return SignUpForm(initial=typed, default_region=form.brand.default_country)


def _ask(
    request: HttpRequest, form: OptInForm, filled: SignUpForm, *, notice: str = "", status: int = 200
) -> HttpResponse:
    wording = form.wording()
    assert wording is not None  # `join` has seen to it, and wordings never go
    context: dict[str, Any] = {
        "form": form,
        "wording": wording,
        "filled": filled,
        "page": form_pages.issue(wording, now=timezone.now()),
        "notice": notice,
    }
    return render(request, "public/join.html", context, status=status)
