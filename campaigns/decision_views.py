"""Try a decision: phone, purpose, sender, moment → may it be sent, why, and when it would be."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone

from campaigns import trials
from campaigns.forms import SenderField
from campaigns.models import Sender
from contacts.models import Contact, Purpose
from smsdesk import phones, sms_text

_YEAR = timedelta(days=366)
# A confirmation is judged by what it answers, which nobody can type in.
_PURPOSES = (Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL)


class DecisionForm(forms.Form):
    """Asked by GET: it changes nothing, and its address can be handed to a colleague."""

    phone = forms.CharField(
        max_length=60, required=False, help_text="With + and country code, or as dialled in the sender's country."
    )
    contact = forms.UUIDField(required=False, widget=forms.HiddenInput)
    sender = SenderField(queryset=Sender.objects.select_related("brand").order_by("brand__name", "value"))
    purpose = forms.ChoiceField(choices=[(purpose.value, purpose.label) for purpose in _PURPOSES])
    at = forms.DateTimeField(
        label="At",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="In your time zone; empty is now.",
    )
    text = forms.CharField(
        required=False,
        max_length=1_600,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="As it would leave; empty: its content is not looked at.",
    )

    def clean_at(self) -> datetime:
        now = timezone.now()
        moment: datetime = self.cleaned_data["at"] or now
        if abs(moment - now) > _YEAR:
            raise forms.ValidationError("Choose a moment within a year from now.")
        return moment

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("phone") and not cleaned.get("contact"):
            self.add_error("phone", "Type the number the message would go to.")
        return cleaned


def page(request: HttpRequest) -> HttpResponse:
    if not (request.user.has_perm("contacts.view_contact") and request.user.has_perm("campaigns.view_sender")):
        raise PermissionDenied
    is_asked = bool({"sender", "purpose"} & request.GET.keys())
    first = Sender.objects.filter(is_default=True).first()
    form = DecisionForm(request.GET if is_asked else None, initial={**request.GET.dict(), "sender": first})
    contact = _named(request)
    trial = None
    if is_asked and form.is_valid():
        given = form.cleaned_data
        trial = trials.decide(
            contact.phone if contact and not given["phone"] else given["phone"],
            sender=given["sender"],
            purpose=given["purpose"],
            at=given["at"],
            body=sms_text.clean(given["text"]).strip() or None,
        )
    context = {
        **admin.site.each_context(request),
        "title": "Try a decision",
        "form": form,
        "trial": trial,
        "contact": contact,
        "number": phones.mask(contact.phone) if contact else "",
        "at": form.cleaned_data["at"] if trial else None,
    }
    return TemplateResponse(request, "campaigns/decision.html", context)


def _named(request: HttpRequest) -> Contact | None:
    """The contact whose page led here: asked about without showing the number."""
    ref = request.GET.get("contact", "")
    if not ref:
        return None
    try:
        public_id = forms.UUIDField().clean(ref)
    except forms.ValidationError:
        return None
    return get_object_or_404(Contact, public_id=public_id)
