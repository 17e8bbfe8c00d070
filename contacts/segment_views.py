"""Pages of segments inside the admin: the builder, its live count, and saving."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from contacts import segment_forms
from contacts.models import Segment
from contacts.segments import counting, keeping
from smsdesk import phones, sms_text
from smsdesk.errors import DomainError, Invalid

MAY_SEE = ("contacts.view_segment", "contacts.change_segment")


def edit(request: HttpRequest, pk: int | None) -> HttpResponse:
    """One page for new and known segments. A button of the builder only changes rows; Save keeps them."""
    _require(request, *(MAY_SEE if pk else ("contacts.add_segment",)))
    segment = get_object_or_404(Segment, pk=pk) if pk else Segment()
    if request.method != "POST":
        return _page(request, segment, rows=segment_forms.of_rule(segment.rule))
    _require(request, "contacts.change_segment" if pk else "contacts.add_segment")
    rows = segment_forms.of_post(request.POST)
    segment.name = sms_text.clean(request.POST.get("name", ""))
    segment.description = sms_text.clean(request.POST.get("description", ""))
    if "do" not in request.POST:
        return _save(request, segment, rows)
    rows = segment_forms.act(rows, request.POST["do"])
    if request.headers.get("HX-Request"):
        row = segment_forms.refreshed(rows, request.POST["do"])
        if row is not None:  # only this one changes, so nothing is lost that is being typed in another
            context = {**_builder(segment, rows), "row": row, "is_alone": True}
            return TemplateResponse(request, "contacts/_segment_row.html", context)
        return TemplateResponse(request, "contacts/_segment_builder.html", _builder(segment, rows))
    return _page(request, segment, rows=rows, **_counted(rows))


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Fragment: how many people the rows fit now, and ten of them. Nothing is saved."""
    _require(request, *MAY_SEE, "contacts.add_segment")
    rows = segment_forms.of_post(request.POST)
    return TemplateResponse(request, "contacts/_segment_preview.html", _counted(rows))


def _save(request: HttpRequest, segment: Segment, rows: segment_forms.Rows) -> HttpResponse:
    if not segment_forms.check(rows):
        return _page(request, segment, rows=rows, error="Not saved: some conditions are not complete.")
    rule, name, description = rows.as_rule(), segment.name, segment.description
    try:
        if segment.pk:
            saved = keeping.change(segment, values={"name": name, "description": description, "rule": rule})
        else:
            saved = keeping.add(name=name, description=description, rule=rule, by=request.user)  # type: ignore[arg-type]
    except DomainError as error:
        return _page(request, segment, rows=rows, error=f"Not saved. {error.sentence()}")
    LogEntry.objects.log_actions(
        user_id=request.user.pk or 0,  # the admin lets nobody in who is not logged in
        queryset=Segment.objects.filter(pk=saved.pk),
        action_flag=CHANGE if segment.pk else ADDITION,
        change_message="Rule saved.",
        single_object=True,
    )
    messages.success(request, f"Saved: {saved}. It is asked anew each time a campaign begins.")
    return redirect("admin:contacts_segment_change", saved.pk)


def _page(request: HttpRequest, segment: Segment, *, rows: segment_forms.Rows, **own: Any) -> HttpResponse:
    may_change = request.user.has_perm("contacts.change_segment" if segment.pk else "contacts.add_segment")
    context = {
        **admin.site.each_context(request),
        **_builder(segment, rows),
        "title": str(Segment.objects.get(pk=segment.pk)) if segment.pk else "New segment",
        "opts": Segment._meta,
        "may_change": may_change,
        "may_delete": segment.pk and request.user.has_perm("contacts.delete_segment"),
        **own,
    }
    return TemplateResponse(request, "contacts/segment.html", context)


def _builder(segment: Segment, rows: segment_forms.Rows) -> dict[str, Any]:
    return {"segment": segment, "top": rows, "kinds": segment_forms.groups_of_kinds()}


def _counted(rows: segment_forms.Rows) -> dict[str, Any]:
    """The estimate, or what is missing for one."""
    rule, at = rows.as_rule(), timezone.now()
    try:
        estimate = counting.estimate(rule, at=at)
        people = counting.examples(rule, at=at)
    except Invalid:
        return {"is_incomplete": True}
    shown = [(person.pk, person.name or "No name", phones.mask(person.phone), person.country) for person in people]
    return {"estimate": estimate, "examples": shown}


def _require(request: HttpRequest, *permissions: str) -> None:
    """One of them is enough."""
    if not any(request.user.has_perm(permission) for permission in permissions):
        raise PermissionDenied
