"""Suppressing phones by hand: one that is typed, many that are pasted or uploaded, each with the evidence."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from contacts import admission, fields, number_lists, suppressing
from contacts.models import Brand, ConsentSource, Purpose, Suppression
from contacts.standing import EVERY
from smsdesk import sms_text
from smsdesk.errors import DomainError

MOST_SHOWN = 200  # problems on the page
# What an employee may report. None of these is lifted by a START: the person must be asked by other means.
SOURCES = {
    ConsentSource.COMPLAINT: "Complaint",
    ConsentSource.VERBAL: "Told to an employee",
    ConsentSource.ADMIN: "Do not contact: a legal or house decision",
}


class SuppressForm(forms.Form):
    numbers = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="One to a line, with + and country code. What else stands on the line does not matter.",
    )
    file = forms.FileField(required=False, label="… or a CSV or text file", help_text="One number to a line; 5 MB.")
    default_country = forms.CharField(
        required=False, max_length=2, help_text="Two letters, for numbers without +. Empty: those are refused."
    )
    brand = forms.ModelChoiceField(Brand.objects.order_by("name"), required=False, empty_label="Every brand")
    purposes = forms.MultipleChoiceField(
        required=False,
        choices=[
            (one.value, one.label) for one in (Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL)
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: every purpose.",
    )
    source = forms.ChoiceField(label="How you know", choices=[(one.value, words) for one, words in SOURCES.items()])
    note = forms.CharField(
        label="Evidence",
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For example: letter of 4 May, ticket 118. It stands in the ledger for each of them.",
    )

    def clean_default_country(self) -> str:
        given = self.cleaned_data["default_country"].strip()
        return _checked(lambda: fields.country(given)) if given else ""

    def clean_note(self) -> str:
        said = sms_text.clean(self.cleaned_data["note"]).strip()
        if not said:
            raise forms.ValidationError("Write a few words; this is the evidence.")
        return said

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        file = given.get("file")
        text = given.get("numbers", "")
        if file is not None:
            text += "\n" + _checked(lambda: number_lists.decoded(file.read(number_lists.MOST_BYTES + 1)))
        if "default_country" in given:
            read = _checked(lambda: number_lists.read(text, default_region=given["default_country"]))
            if not (read.found or read.problems):
                raise forms.ValidationError("Type, paste or upload at least one number.")
            given["read"] = read
        return given


def add(request: HttpRequest) -> HttpResponse:
    admission.require(request, "contacts.add_suppression")
    form = SuppressForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "opts": Suppression._meta,
        "title": "Suppress phones",
        "form": form,
    }
    if request.method == "POST" and form.is_valid():
        read = form.cleaned_data["read"]
        result = _suppress(form.cleaned_data, by=request.user.get_username())
        context |= {
            "result": result,
            "read": read,
            "problems": read.problems[:MOST_SHOWN],
            "form": SuppressForm(),
        }
    return TemplateResponse(request, "contacts/suppress.html", context)


def _suppress(given: dict[str, Any], *, by: str) -> suppressing.Suppressed:
    now = timezone.now()
    refusal = suppressing.Refusal(
        brand=given["brand"],
        source=ConsentSource(given["source"]),
        note=given["note"],
        purposes=tuple(given["purposes"]) or (EVERY,),
    )
    return suppressing.suppress(given["read"].found, refusal=refusal, occurred_at=now, now=now, by=by)


def _checked(rule: Any) -> Any:
    try:
        return rule()
    except DomainError as error:
        raise forms.ValidationError(f"{error.message} {error.cure}".strip()) from error
