"""What may be handed out about a person: proof of consent, everything held; and their erasure."""

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import audit, erasure, personal_export, proof_pack, proof_pages
from contacts.models import Contact
from smsdesk import phones
from smsdesk.api import keys, views
from smsdesk.api.fields import Moment, StrictSerializer, Text
from smsdesk.api.problems import Problem
from smsdesk.models import Scope

_AS = OpenApiParameter("as", str, enum=["json", "pdf"], default="json", description="The form of the answer.")


class ErasureIn(StrictSerializer):
    phone = Text(max_length=40, help_text="The contact's number, against a mistake in the id.")
    reason = Text(max_length=300, help_text="Stands in the desk's log.")


class ErasureOut(StrictSerializer):
    erased_at = Moment()
    event = Text(help_text="The erasure's entry in the ledger of consent.")


class Disclosures(views.Endpoint):
    id_prefix = "con"
    scopes = {
        "proof": Scope.CONTACTS_DISCLOSE,
        "export": Scope.CONTACTS_DISCLOSE,
        "erase": Scope.CONTACTS_ERASE,
    }
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

    @extend_schema(
        responses=OpenApiTypes.OBJECT, summary="Everything held on a contact", operation_id="contacts_export"
    )
    def export(self, request: Request, id: str) -> Response:
        """For a request of access: the contact, consents with evidence, messages, texts, notes, log."""
        contact = views.find(Contact.objects.all(), id, prefix="con")
        key = keys.of(request)
        audit.note(contact, f"Exported everything held with the API key {key.prefix}.", by=key.owner)
        return Response(personal_export.gather(contact, now=timezone.now()))

    @extend_schema(
        request=ErasureIn, responses={200: ErasureOut}, summary="Erase a contact", operation_id="contacts_erase"
    )
    def erase(self, request: Request, id: str) -> Response:
        """Everything personal goes for good. The number stays suppressed until the person opts in themselves."""
        contact = views.find(Contact.objects.all(), id, prefix="con")
        given, key = views.read(request, ErasureIn), keys.of(request)
        if phones.parse(given["phone"], default_region="").subscriber_key != contact.subscriber_key:
            raise Problem(409, "phone_differs", "This is not the number of the contact. Nothing was erased.")
        event = erasure.erase(contact, by=key.owner, actor=key.prefix, reason=given["reason"], now=timezone.now())
        return Response(ErasureOut({"erased_at": event.recorded_at, "event": f"evt_{event.hash[:32]}"}).data)


def _form(request: Request) -> str:
    unknown = [name for name in request.query_params if name != "as"]
    form = request.query_params.get("as", "json")
    if unknown or form not in ("json", "pdf"):
        raise Problem(400, "invalid_parameter", "Only `as` is known here: json (as if left out) or pdf.")
    return form
