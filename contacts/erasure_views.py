"""Erasing a person, and the legal hold that forbids it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from contacts import admission, erasure, legal_hold
from contacts.models import Contact
from smsdesk import phones
from smsdesk.errors import DomainError


class EraseForm(forms.Form):
    last_digits = forms.CharField(
        label="Last four digits of the number", max_length=4, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    reason = forms.CharField(
        label="Why", max_length=300, help_text="Stands in the log, for example: request by e-mail of 24 November."
    )

    def __init__(self, *args: Any, contact: Contact, **named: Any) -> None:
        super().__init__(*args, **named)
        self._expected = contact.phone[-4:]

    def clean_last_digits(self) -> str:
        given: str = self.cleaned_data["last_digits"]
        if given != self._expected:
            raise forms.ValidationError("These are not the last four digits of this person's number.")
        return given


def erase(request: HttpRequest, pk: int) -> HttpResponse:
    """What would go, and the form that makes it go."""
    contact = admission.visible(request, str(pk))
    admission.require(request, "contacts.erase_contact")
    form = EraseForm(request.POST or None, contact=contact)
    if request.method == "POST" and form.is_valid() and _erased(request, contact, form):
        messages.success(request, "Erased. The number stays suppressed until the person themselves opts in again.")
        return redirect("admin:contacts_contact_changelist")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "opts": Contact._meta,
        "title": "Erase a person",
        "contact": contact,
        "number": phones.mask(contact.phone),
        "doomed": erasure.preview(contact),
        "form": form,
    }
    return TemplateResponse(request, "contacts/erase.html", context)


@require_POST
def hold(request: HttpRequest, pk: int) -> HttpResponse:
    """Places the hold with the given reason; without one, ends the hold."""
    contact = admission.visible(request, str(pk))
    admission.require(request, "contacts.hold_contact")
    try:
        if "end" in request.POST:
            legal_hold.end(contact, by=_user(request))
        else:
            legal_hold.place(contact, reason=request.POST.get("reason", ""), by=_user(request))
    except DomainError as problem:
        messages.error(request, problem.sentence())
    return redirect("admin:contacts_contact_change", contact.pk)


def _erased(request: HttpRequest, contact: Contact, form: EraseForm) -> bool:
    user = _user(request)
    reason = form.cleaned_data["reason"]
    try:
        erasure.erase(contact, by=user, actor=user.get_username(), reason=reason, now=timezone.now())
    except DomainError as problem:
        form.add_error(None, problem.sentence())
        return False
    return True


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin lets nobody else come this far
    return request.user
