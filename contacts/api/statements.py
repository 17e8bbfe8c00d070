"""What is learned about a person's number and place: a new owner, a time zone they stated."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import consent, statements
from contacts.api.contacts import ContactOut
from contacts.models import ConsentSource, Contact
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import StrictSerializer, Text
from smsdesk.models import Scope


class StatedZoneIn(StrictSerializer):
    time_zone = Text(max_length=64, help_text="For example America/Chicago.")
    quote = Text(max_length=2_000, help_text="What the person said, and where: it is kept as evidence.")


class ReassignmentIn(StrictSerializer):
    note = Text(max_length=2_000, help_text="How you know: for example the Reassigned Numbers Database, and when.")


class Statements(views.Endpoint):
    id_prefix = "con"
    scopes = {"state_zone": Scope.CONTACTS_WRITE, "reassign": Scope.CONTACTS_WRITE}
    queryset = Contact.objects.all()

    @extend_schema(
        request=StatedZoneIn,
        responses=ContactOut,
        summary="Record the time zone a person stated",
        operation_id="contacts_state_time_zone",
    )
    @idempotency.once
    def state_zone(self, request: Request, id: str) -> Response:
        """Their own word replaces the zones their number suggests, and is an entry of the consent ledger."""
        contact, given = views.find(Contact.objects.all(), id, prefix="con"), views.read(request, StatedZoneIn)
        by = keys.of(request).prefix
        statements.time_zone(contact, zone=given["time_zone"], quote=given["quote"], by=by, now=timezone.now())
        contact.refresh_from_db()
        return Response(ContactOut(contact).data)

    @extend_schema(
        request=ReassignmentIn,
        responses=ContactOut,
        summary="Record that a number has a new owner",
        operation_id="contacts_reassign",
    )
    @idempotency.once
    def reassign(self, request: Request, id: str) -> Response:
        """All consent of this phone ends. It is no opt-out: the new owner may opt in."""
        contact, given = views.find(Contact.objects.all(), id, prefix="con"), views.read(request, ReassignmentIn)
        by = keys.of(request).prefix
        consent.reassign(contact, source=ConsentSource.API, now=timezone.now(), by=by, note=given["note"])
        return Response(ContactOut(contact).data)
