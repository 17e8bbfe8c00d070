"""What may be handed out about a person: the proof of their consent."""

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import audit, proof_pack, proof_pages
from contacts.models import Contact
from smsdesk.api import keys, views
from smsdesk.api.problems import Problem
from smsdesk.models import Scope

_AS = OpenApiParameter("as", str, enum=["json", "pdf"], default="json", description="The form of the answer.")


class Disclosures(views.Endpoint):
    id_prefix = "con"
    scopes = {"proof": Scope.CONTACTS_DISCLOSE}
    queryset = Contact.objects.all()

    @extend_schema(
        parameters=[_AS],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
        summary="The proof pack of a contact",
        operation_id="contacts_proof",
    )
    def proof(self, request: Request, id: str) -> HttpResponse:
        """Consent with the wording shown, opt-outs, every decision, and the proof that the ledger is unbroken.

        With `as=pdf`, the same as pages for people. Each call is written into the desk's log.
        """
        form = _form(request)
        contact = views.find(Contact.objects.all(), id, prefix="con")
        key = keys.of(request)
        audit.note(contact, f"Made a proof pack with the API key {key.prefix}.", by=key.owner)
        pack = proof_pack.assemble(contact, by=f"API key {key.prefix}", now=timezone.now())
        if form == "pdf":
            return HttpResponse(proof_pages.as_pdf(pack), content_type="application/pdf")
        return Response(proof_pack.as_json(pack))


def _form(request: Request) -> str:
    unknown = [name for name in request.query_params if name != "as"]
    form = request.query_params.get("as", "json")
    if unknown or form not in ("json", "pdf"):
        raise Problem(400, "invalid_parameter", "Only `as` is known here: json (as if left out) or pdf.")
    return form
