"""What may be handed out about a person: the proof of consent, and everything held on them.

Each download is written into the log.
"""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from contacts import admission, audit, holdings, personal_export, proof_pack, proof_pages
from contacts.models import Contact


@require_GET
def proof_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    contact = _disclosed(request, pk, what="Made a proof pack (PDF).")
    content = proof_pages.as_pdf(_pack(request, contact))
    return _download(HttpResponse(content, content_type="application/pdf"), name=f"proof-{contact.ref}.pdf")


@require_GET
def proof_json(request: HttpRequest, pk: int) -> HttpResponse:
    contact = _disclosed(request, pk, what="Made a proof pack (JSON).")
    content = proof_pack.as_json(_pack(request, contact))
    response = JsonResponse(content, json_dumps_params={"indent": 2, "ensure_ascii": False})
    return _download(response, name=f"proof-{contact.ref}.json")


@require_GET
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """What a person may ask to see: everything held on them."""
    contact = _disclosed(request, pk, what="Exported everything held on this person.")
    content = personal_export.as_zip(contact, now=timezone.now())
    return _download(HttpResponse(content, content_type="application/zip"), name=f"person-{contact.ref}.zip")


def _disclosed(request: HttpRequest, pk: int, *, what: str) -> Contact:
    contact = admission.visible(request, str(pk))
    if not holdings.may_disclose(request.user):
        raise PermissionDenied
    audit.note(contact, what, by=request.user)
    return contact


def _pack(request: HttpRequest, contact: Contact) -> proof_pack.Pack:
    return proof_pack.assemble(contact, by=request.user.get_username(), now=timezone.now())


def _download(response: HttpResponse, *, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
