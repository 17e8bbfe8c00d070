"""Tags: which there are, and putting them on a contact."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import tagging
from contacts.api.contacts import ContactOut
from contacts.models import Contact, Tag
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, StrictSerializer, Text
from smsdesk.models import Scope


class TagOut(StrictSerializer):
    name = Text()
    created_at = Moment()


class TagsIn(StrictSerializer):
    add = serializers.ListField(child=Text(max_length=200), required=False, max_length=tagging.MOST_AT_ONCE)
    remove = serializers.ListField(child=Text(max_length=200), required=False, max_length=tagging.MOST_AT_ONCE)


class Tags(views.Endpoint):
    scopes = {"list": Scope.CONTACTS_READ, "change": Scope.CONTACTS_WRITE}
    queryset = Tag.objects.all()

    @extend_schema(responses=TagOut(many=True), summary="List tags")
    def list(self, request: Request) -> Response:
        return self.page(self.get_queryset(), TagOut)

    @extend_schema(
        request=TagsIn,
        responses={200: ContactOut},
        summary="Put tags on a contact and take others off",
        operation_id="contacts_tags_change",
        examples=[OpenApiExample("One on, one off", {"add": ["vip"], "remove": ["trial"]}, request_only=True)],
    )
    @idempotency.once
    def change(self, request: Request, id: str) -> Response:
        """Names count the same in either case; one nobody had yet is made. Tags you do not name stay."""
        contact = views.find(Contact.objects.all(), id, prefix="con")
        given, by = views.read(request, TagsIn), keys.of(request).owner
        tagging.put(contact, given.get("add", ()), by=by, now=timezone.now())
        tagging.take_off(contact, given.get("remove", ()), by=by)
        return Response(ContactOut(contact).data)
