"""Downloading people as CSV: from the list of contacts as it is narrowed, or a segment."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters, ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from contacts import admission, audit, exporting, people
from contacts.models import Contact, Segment
from contacts.segments import rules
from smsdesk.errors import DomainError

MAY_EXPORT = "contacts.export_contact"


class ColumnsForm(forms.Form):
    parts = forms.MultipleChoiceField(
        label="Besides the contact's own fields",
        choices=list(exporting.PARTS.items()),
        initial=list(exporting.PARTS),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    attributes = forms.CharField(
        required=False, max_length=2_000, help_text="A column for each; names separated by commas."
    )

    def chosen(self) -> exporting.Columns:
        given = self.cleaned_data
        return exporting.columns(parts=given["parts"], attributes=given["attributes"].split(","))


def of_list(request: HttpRequest, contact_admin: "ModelAdmin[Contact]") -> HttpResponse:
    """Everybody the list of contacts shows with this search and these filters, on all its pages."""
    _require(request)
    try:
        shown = contact_admin.get_changelist_instance(request)
    except IncorrectLookupParameters:
        messages.error(request, "Nothing was exported: choose the filters of the list again.")
        return redirect("admin:contacts_contact_changelist")
    narrowed = [name for name in shown.get_filters_params() if name] + (["a search"] if shown.query else [])
    what = f"contacts by {', '.join(narrowed)}" if narrowed else "all contacts"
    back = reverse("admin:contacts_contact_changelist") + shown.get_query_string()
    return _answer(request, shown.queryset, what=what, back=back)


def of_segment(request: HttpRequest, pk: int) -> HttpResponse:
    """Whom the segment fits now."""
    _require(request)
    admission.require(request, "contacts.view_segment")
    segment = get_object_or_404(Segment, pk=pk)
    try:
        found = rules.people(segment.rule, at=timezone.now())
    except DomainError as error:
        messages.error(request, error.sentence())
        return redirect("admin:contacts_segment_change", pk)
    back = reverse("admin:contacts_segment_change", args=[pk])
    return _answer(request, found, what=f"the segment “{segment}”", back=back)


def _answer(request: HttpRequest, found: "QuerySet[Contact]", *, what: str, back: str) -> HttpResponse:
    offered = {"attributes": ", ".join(people.attributes_in_use())}
    form = ColumnsForm(request.POST if request.method == "POST" else None, initial=offered)
    if form.is_valid():
        try:
            chosen = form.chosen()
        except DomainError as error:
            form.add_error("attributes", f"{error.message} {error.cure}")
        else:
            return _stream(request, found, chosen=chosen, what=what)
    shows_phones = request.user.has_perm("contacts.view_full_phone")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Export contacts",
        "opts": Contact._meta,
        "form": form,
        "what": what,
        "count": found.order_by().count(),
        "shows_phones": shows_phones,
        "back": back,
    }
    return TemplateResponse(request, "contacts/export.html", context)


def _stream(
    request: HttpRequest, found: "QuerySet[Contact]", *, chosen: exporting.Columns, what: str
) -> HttpResponse:
    shows_phones, now = request.user.has_perm("contacts.view_full_phone"), timezone.now()
    audit.note_export(what, count=found.order_by().count(), shows_phones=shows_phones, by=request.user)
    file = exporting.as_csv(found, chosen=chosen, shows_phones=shows_phones, now=now)
    response = StreamingHttpResponse(file, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="contacts-{now:%Y-%m-%d}.csv"'
    return response  # type: ignore[return-value]


def _require(request: HttpRequest) -> None:
    admission.require(request, "contacts.view_contact")
    admission.require(request, MAY_EXPORT)
