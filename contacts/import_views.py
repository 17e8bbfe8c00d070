"""The steps of an import: upload → columns → preview → progress and report."""

from collections.abc import Callable, Iterator
from functools import wraps
from itertools import chain
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from contacts import audit, dry_run, foreseeing, import_lease, importing, previewing, remembering, undoing, uploads
from contacts.import_forms import ColumnsForm, UploadForm
from contacts.models import ContactImport, ImportState, UndoStep
from smsdesk import spreadsheets
from smsdesk.errors import DomainError

View = Callable[..., HttpResponse]
SHOWN_PROBLEMS = 100
PILLS = {
    ImportState.UPLOADED: "pill-wait",
    ImportState.READY: "pill-wait",
    ImportState.CHECKING: "pill-busy",
    ImportState.RUNNING: "pill-busy",
    ImportState.FINISHED: "pill-ok",
    ImportState.CANCELLED: "pill-off",
    ImportState.FAILED: "pill-bad",
    ImportState.UNDOING: "pill-busy",
    ImportState.UNDONE: "pill-off",
}
_TRIED = (ImportState.READY, ImportState.CHECKING)
STEPS = ("File", "Columns and consent", "Dry run", "Import")


def importers_only(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.has_perm("contacts.import_contact"):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


@importers_only
def upload(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            made = uploads.store(file.chunks(), filename=file.name, by_id=request.user.pk)
        except DomainError as error:
            form.add_error("file", f"{error.message} {error.cure}")
        else:
            return redirect("admin:contacts_contactimport_columns", made.pk)
    return _render(request, "contacts/import_upload.html", step=0, context={"form": form})


@importers_only
def columns(request: HttpRequest, pk: int) -> HttpResponse:
    contact_import = _import(pk)
    if contact_import.state not in (ImportState.UPLOADED, *_TRIED):
        return redirect("admin:contacts_contactimport_change", pk)
    example = None if contact_import.brand_id else remembering.last_like(contact_import, by_id=request.user.pk)
    form = ColumnsForm(
        request.POST if request.method == "POST" else None,
        contact_import=contact_import,
        example=example,
        initial=_initial(contact_import, example),
    )
    if request.method == "POST" and form.is_valid() and _configure(contact_import, form):
        dry_run.start_and_wait(contact_import)
        return redirect("admin:contacts_contactimport_preview", pk)
    earlier = ContactImport.objects.filter(sha256=contact_import.sha256, started_at__isnull=False)
    context = {
        "import": contact_import,
        "form": form,
        "example": example,
        "earlier": earlier.order_by("-started_at").first(),
    }
    return _render(request, "contacts/import_columns.html", step=1, context=context)


@importers_only
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    contact_import = _import(pk)
    if contact_import.state not in _TRIED:
        return redirect("admin:contacts_contactimport_change", pk)
    context = {"preview": previewing.preview(contact_import, now=timezone.now()), **_forecast(contact_import)}
    return _render(request, "contacts/import_preview.html", step=2, context=context)


@importers_only
def forecast(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the preview that is fetched again while the dry run goes on."""
    return TemplateResponse(request, "contacts/_import_forecast.html", _forecast(_import(pk)))


@importers_only
def show(request: HttpRequest, pk: int) -> HttpResponse:
    contact_import = _import(pk)
    if contact_import.state == ImportState.UPLOADED:
        return redirect("admin:contacts_contactimport_columns", pk)
    if contact_import.state in _TRIED:
        return redirect("admin:contacts_contactimport_preview", pk)
    return _render(request, "contacts/import_report.html", step=3, context=_report(contact_import))


@importers_only
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the page that is fetched again while the import runs."""
    return TemplateResponse(request, "contacts/_import_progress.html", _report(_import(pk)))


@importers_only
@require_POST
def check(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, dry_run.start_and_wait, "Dry run started. Nothing is written.")


@importers_only
@require_POST
def stop_check(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, dry_run.cancel, "Dry run stopped.")


@importers_only
@require_POST
def start(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, lambda found: importing.start(found, now=timezone.now()), "Import started.")


@importers_only
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    said = "Import cancelled. What was imported before stays."
    return _act(request, pk, lambda found: importing.cancel(found, now=timezone.now()), said)


@importers_only
@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, importing.resume, "Import resumed behind the last rows that were taken.")


@importers_only
@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    said = "The import is being undone. What happened since stays."
    return _act(request, pk, lambda found: undoing.start(found, now=timezone.now()), said)


@importers_only
def errors_csv(request: HttpRequest, pk: int) -> HttpResponse:
    contact_import = _import(pk)
    response = StreamingHttpResponse(_problem_lines(contact_import), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="errors-{contact_import.ref}.csv"'
    return response  # type: ignore[return-value]


def _problem_lines(contact_import: ContactImport) -> Iterator[str]:
    problems = contact_import.problems.order_by("line", "column").values_list("line", "column", "value", "reason")
    found = problems.iterator(chunk_size=2_000)
    rows = ([line, *map(spreadsheets.defused, texts)] for line, *texts in found)
    return spreadsheets.lines(chain([["line", "column", "value", "reason"]], rows))


def _configure(contact_import: ContactImport, form: ColumnsForm) -> bool:
    try:
        importing.configure(
            contact_import,
            columns=form.mapping(),
            brand=form.cleaned_data["brand"],
            contact_list=form.chosen_list(),
            default_country=form.cleaned_data["default_country"],
            claim=form.claim(),
            now=timezone.now(),
        )
    except DomainError as error:
        form.add_error(None, error.sentence())
        return False
    return True


def _initial(contact_import: ContactImport, example: ContactImport | None) -> dict[str, Any]:
    """What was said of this file, or else of the last one like it, or else nothing."""
    said = example or contact_import
    brand = said.brand or ColumnsForm.base_fields["brand"].queryset.first()  # type: ignore[attr-defined]
    return {
        "brand": brand,
        "contact_list": said.list,
        "default_country": said.default_country or (brand.default_country if brand else ""),
        "purpose": said.purpose,
        "basis": said.basis,
        "obtained_at": contact_import.consent_obtained_at,  # other people, another moment
        "method": said.consent_method,
        "wording": said.consent_wording,
        "source": said.consent_source,
    }


def _act(request: HttpRequest, pk: int, verb: Callable[[ContactImport], None], said: str) -> HttpResponse:
    contact_import = _import(pk)
    try:
        verb(contact_import)
    except DomainError as error:
        messages.error(request, error.sentence())
    else:
        audit.note(contact_import, said, by=request.user)
        messages.success(request, said)
    return redirect("admin:contacts_contactimport_change", pk)


def _forecast(contact_import: ContactImport) -> dict[str, Any]:
    counts = contact_import.forecast
    taken = counts.get("created", 0) + counts.get("updated", 0)
    rows = taken + counts.get("duplicate", 0) + counts.get("invalid", 0)
    return {
        "import": contact_import,
        "is_checking": contact_import.state == ImportState.CHECKING,
        "rows": rows,
        "outcomes": [
            (word, previewing.OUTCOMES[name], counts.get(name, 0))
            for name, word in foreseeing.COUNTS.items()
            if name != "consents"
        ],
        "consents": counts.get("consents", 0),
        "without_consent": taken - counts.get("consents", 0),
        "problems": contact_import.problems.order_by("line", "column")[:SHOWN_PROBLEMS],
        "remarks": counts.get("remarks", 0),
    }


def _report(contact_import: ContactImport) -> dict[str, Any]:
    problems = list(contact_import.problems.order_by("line", "column")[: SHOWN_PROBLEMS + 1])
    return {
        "import": contact_import,
        "pill": PILLS[ImportState(contact_import.state)],
        "counters": [
            ("Created", contact_import.created),
            ("Updated", contact_import.updated),
            ("Duplicate", contact_import.duplicate),
            ("Not imported", contact_import.invalid),
            ("Still opted out", contact_import.suppressed),
            ("Consent recorded", contact_import.consents),
        ],
        "is_running": contact_import.state in import_lease.WORKING,
        "can_be_undone": undoing.is_possible(contact_import, now=timezone.now()),
        "taken_back": [(step.label, contact_import.undo_done.get(step, 0)) for step in UndoStep],
        "left": sorted(contact_import.undo_left.items()),
        "problems": problems[:SHOWN_PROBLEMS],
        "has_more_problems": len(problems) > SHOWN_PROBLEMS,
    }


def _import(pk: int) -> ContactImport:
    contact_import = get_object_or_404(ContactImport.objects.select_related("brand", "list"), pk=pk)
    if not contact_import.sha256:
        raise Http404("The upload of this file did not finish.")
    return contact_import


def _render(request: HttpRequest, template: str, *, step: int, context: dict[str, Any]) -> HttpResponse:
    steps = [(name, number == step, number < step) for number, name in enumerate(STEPS)]
    shared = {
        **admin.site.each_context(request),
        "opts": ContactImport._meta,
        "title": "Import contacts",
        "steps": steps,
    }
    return TemplateResponse(request, template, shared | context)
