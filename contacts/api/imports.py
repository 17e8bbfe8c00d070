"""Imports: a file, what is said of it, a dry run, the import itself, its report, its undo. One status URL."""

from collections.abc import Callable
from typing import Any

import django_filters
from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from contacts import audit, claims, dry_run, importing, mapping, undoing, uploads
from contacts.api.brands import brand_of
from contacts.api.import_bodies import FileIn, ImportOut, RemarkPage, SettingsIn
from contacts.models import ContactImport, ContactList, ImportProblem, ImportState
from smsdesk.api import idempotency, keys, parsing, views
from smsdesk.api.fields import Empty
from smsdesk.api.filters import ListFilters
from smsdesk.api.problems import Problem
from smsdesk.errors import Invalid
from smsdesk.models import Scope

_PAGE = 200  # remarks


class ImportFilters(ListFilters):
    state = django_filters.ChoiceFilter(choices=ImportState.choices, label="Where it stands.")


_IMPORTS = ContactImport.objects.exclude(sha256="").select_related("brand", "list")  # not those that broke off
_SETTINGS = OpenApiExample(
    "A list of sign-ups",
    {
        "columns": {"Mobile": "phone", "Full name": "name", "Town": "attributes.city"},
        "brand": "acme",
        "list": "Spring fair",
        "default_country": "US",
        "consent": {
            "purpose": "marketing",
            "basis": "express_written",
            "obtained_at": "2026-05-31T18:00:00Z",
            "method": "web_form",
            "wording": "Text me offers, up to 4 a month. Reply STOP to cancel.",
            "source": "Sign-up form, export of May",
        },
    },
    request_only=True,
)


class UploadParser(parsing.FileParser):
    most = uploads.MAX_BYTES


class ImportFiles(views.Endpoint):
    scopes = {"list": Scope.IMPORTS_READ, "create": Scope.IMPORTS_WRITE}
    queryset = _IMPORTS
    filterset_class = ImportFilters
    orderings = ("-created_at", "created_at")
    parser_classes = [UploadParser]

    @extend_schema(responses=ImportOut(many=True), summary="List imports", operation_id="imports_list")
    def list(self, request: Request) -> Response:
        return self.page(self.get_queryset(), ImportOut)

    @extend_schema(
        request={"multipart/form-data": FileIn},
        responses={201: ImportOut},
        summary="Upload a file",
        operation_id="imports_create",
    )
    @idempotency.once_apart
    def create(self, request: Request) -> Response:
        """Nothing is imported yet: say what it is with `PUT settings`, look at the dry run, then `start`."""
        file = views.read(request, FileIn)["file"]
        key = keys.of(request)
        made = uploads.store(file.chunks(), filename=file.name, by_id=key.owner_id)
        audit.note(made, f"Uploaded with the API key {key.prefix}.", by=key.owner)
        return Response(ImportOut(made).data, status=201)


class Imports(views.Endpoint):
    id_prefix = "imp"
    scopes = {
        "retrieve": Scope.IMPORTS_READ,
        "problems": Scope.IMPORTS_READ,
        "configure": Scope.IMPORTS_WRITE,
        "dry_run": Scope.IMPORTS_WRITE,
        "start": Scope.IMPORTS_WRITE,
        "cancel": Scope.IMPORTS_WRITE,
        "resume": Scope.IMPORTS_WRITE,
        "undo": Scope.IMPORTS_WRITE,
    }
    queryset = _IMPORTS

    @extend_schema(responses=ImportOut, summary="Where an import stands", operation_id="imports_retrieve")
    def retrieve(self, request: Request, id: str) -> Response:
        return Response(ImportOut(self._row(id)).data)

    @extend_schema(
        request=SettingsIn,
        responses={202: ImportOut},
        summary="Say what the file is",
        operation_id="imports_configure",
        examples=[_SETTINGS],
    )
    def configure(self, request: Request, id: str) -> Response:
        """Columns, brand, list and consent, all of them each time. The dry run begins with it."""
        given = views.read(request, SettingsIn)
        row = self._row(id)
        importing.configure(
            row,
            columns=_columns(given["columns"], row),
            brand=brand_of(given["brand"]),
            contact_list=ContactList.objects.get_or_create(name=given["list"])[0] if given.get("list") else None,
            default_country=given["default_country"],
            claim=_claim(given.get("consent")),
            now=timezone.now(),
        )
        dry_run.start_and_wait(row)
        return self._answer(row, status=202)

    @extend_schema(
        request=Empty, responses={202: ImportOut}, summary="Try it again", operation_id="imports_dry_run"
    )
    @idempotency.once
    def dry_run(self, request: Request, id: str) -> Response:
        """Counts by outcome over the whole file; nothing is written. Read `forecast` of the import."""
        return self._move(request, id, dry_run.start, "Dry run started")

    @extend_schema(request=Empty, responses={202: ImportOut}, summary="Start it", operation_id="imports_start")
    @idempotency.once
    def start(self, request: Request, id: str) -> Response:
        return self._move(request, id, lambda row: importing.start(row, now=timezone.now()), "Import started")

    @extend_schema(request=Empty, responses={202: ImportOut}, summary="Cancel it", operation_id="imports_cancel")
    @idempotency.once
    def cancel(self, request: Request, id: str) -> Response:
        """It stops within one batch. What was imported stays, and can be undone."""
        return self._move(request, id, lambda row: importing.cancel(row, now=timezone.now()), "Import cancelled")

    @extend_schema(request=Empty, responses={202: ImportOut}, summary="Resume it", operation_id="imports_resume")
    @idempotency.once
    def resume(self, request: Request, id: str) -> Response:
        """After a failure, behind the last rows that were taken."""
        return self._move(request, id, importing.resume, "Import resumed")

    @extend_schema(request=Empty, responses={202: ImportOut}, summary="Undo it", operation_id="imports_undo")
    @idempotency.once
    def undo(self, request: Request, id: str) -> Response:
        """Within a day of its end: what it made is taken back, nothing that happened since. Read `undo`."""
        return self._move(request, id, lambda row: undoing.start(row, now=timezone.now()), "Undo started")

    @extend_schema(
        parameters=[OpenApiParameter("cursor", str, description="From `next` of another page.")],
        responses=RemarkPage,
        summary="Rows with a remark",
        operation_id="imports_problems",
    )
    def problems(self, request: Request, id: str) -> Response:
        """By line. Before the start: the first 1,000 that the dry run foresees."""
        row = self._row(id)
        found = _remarks(row, after=_read_up_to(request, row))
        page, following = found[:_PAGE], None
        if len(found) > _PAGE:
            following = replace_query_param(request.build_absolute_uri(), "cursor", str(page[-1].pk))
        return Response(RemarkPage({"data": page, "next": following, "previous": None}).data)

    def _row(self, ref: str) -> ContactImport:
        row: ContactImport = views.find(self.get_queryset(), ref, prefix="imp")
        return row

    def _move(self, request: Request, ref: str, verb: Callable[[ContactImport], None], said: str) -> Response:
        views.read(request, Empty)
        row, key = self._row(ref), keys.of(request)
        verb(row)
        audit.note(row, f"{said} with the API key {key.prefix}.", by=key.owner)
        return self._answer(row, status=202)

    def _answer(self, row: ContactImport, *, status: int) -> Response:
        return Response(ImportOut(self.get_queryset().get(pk=row.pk)).data, status=status)


def _columns(columns: dict[str, str], row: ContactImport) -> dict[str, str]:
    """Checked here already, so that what is wrong is looked for in `columns`."""
    try:
        return mapping.check(columns, header=row.header)
    except Invalid as error:
        raise Problem(400, error.code, error.sentence(), pointer="/columns") from error


def _claim(given: dict[str, Any] | None) -> claims.Claim | None:
    if given is None:
        return None
    claim = claims.Claim(**given)
    try:
        claims.recorded(claim, now=timezone.now())
    except Invalid as error:
        pointer = f"/consent/{error.field.removeprefix('consent_')}"
        raise Problem(400, error.code, error.sentence(), pointer=pointer) from error
    return claim


def _remarks(row: ContactImport, *, after: ImportProblem | None) -> "list[ImportProblem]":
    """In the order of the report, one more than a page."""
    rows = row.problems.order_by("line", "column")
    if after is not None:
        rows = rows.filter(Q(line__gt=after.line) | Q(line=after.line, column__gt=after.column))
    return list(rows[: _PAGE + 1])


def _read_up_to(request: Request, row: ContactImport) -> ImportProblem | None:
    """The remark at which the page before ended."""
    for name in request.query_params:
        if name != "cursor":
            detail = "There is no parameter of this name. Known is cursor."
            raise Problem(400, "unknown_parameter", detail, pointer=f"?{name}")
    asked = request.query_params.get("cursor", "")
    if not asked:
        return None
    is_sound = asked.isascii() and asked.isdigit() and len(asked) < 19
    found = row.problems.filter(pk=int(asked)).first() if is_sound else None
    if found is None:
        raise Problem(400, "invalid_cursor", "Take the cursor from `next` of this report.", pointer="?cursor")
    return found
