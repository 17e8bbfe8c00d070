"""Hand-made lists: which there are, making one, and putting a contact on them."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import placing
from contacts.api.contacts import ContactOut
from contacts.models import Contact, ContactList
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, StrictSerializer, Text
from smsdesk.models import Scope


class ListIn(StrictSerializer):
    name = Text(max_length=placing.LONGEST_NAME)
    description = Text(required=False, allow_blank=True, max_length=placing.LONGEST_DESCRIPTION)


class ListOut(StrictSerializer):
    name = Text()
    description = Text()
    created_at = Moment()


class PlacesIn(StrictSerializer):
    add = serializers.ListField(child=Text(max_length=200), required=False, max_length=placing.MOST_AT_ONCE)
    remove = serializers.ListField(child=Text(max_length=200), required=False, max_length=placing.MOST_AT_ONCE)


class Lists(views.Endpoint):
    scopes = {"list": Scope.CONTACTS_READ, "create": Scope.CONTACTS_WRITE, "change": Scope.CONTACTS_WRITE}
    queryset = ContactList.objects.all()

    @extend_schema(responses=ListOut(many=True), summary="List the hand-made lists")
    def list(self, request: Request) -> Response:
        """Who is on one: `GET /contacts/?list=` with its name."""
        return self.page(self.get_queryset(), ListOut)

    @extend_schema(request=ListIn, responses={201: ListOut}, summary="Make a list")
    @idempotency.once
    def create(self, request: Request) -> Response:
        given = views.read(request, ListIn)
        made = placing.make(name=given["name"], description=given.get("description", ""))
        return Response(ListOut(made).data, status=201)

    @extend_schema(
        request=PlacesIn,
        responses={200: ContactOut},
        summary="Put a contact on lists and take it off others",
        operation_id="contacts_lists_change",
        examples=[OpenApiExample("One on, one off", {"add": ["VIP"], "remove": ["Trial"]}, request_only=True)],
    )
    @idempotency.once
    def change(self, request: Request, id: str) -> Response:
        """Lists that are not named stay as they are; a name there is no list of is refused."""
        contact = views.find(Contact.objects.all(), id, prefix="con")
        given, by = views.read(request, PlacesIn), keys.of(request).owner
        placing.put(contact, given.get("add", ()), by=by)
        placing.take_off(contact, given.get("remove", ()), by=by)
        return Response(ContactOut(contact).data)
