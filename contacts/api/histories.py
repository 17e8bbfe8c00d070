"""What happened to a contact, and the notes on it."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from contacts import belonging, notes, timeline
from contacts.models import Contact, ContactNote
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, Ref, StrictSerializer, Text
from smsdesk.api.problems import Problem
from smsdesk.models import ApiKey, Scope

_TALKS = ("inbound.view_conversation", "inbound.view_inboundmessage")
# Besides contacts themselves: what a scope opens, as the desk's permissions.
_OPENS = {
    Scope.CONVERSATIONS_READ: _TALKS,
    Scope.CONTACTS_DISCLOSE: (*_TALKS, "campaigns.view_outboundmessage", "campaigns.view_message_body"),
}
_PARAMETERS = ("kind", "cursor", "limit")


class EntryOut(StrictSerializer):
    at = Moment()
    kind = serializers.ChoiceField(choices=list(timeline.KINDS.items()))
    title = Text()
    detail = Text()
    state = Text(source="pill", help_text="In words; empty where there is none.")
    by = Text(source="who", help_text="The employee or key; empty: the person or a machine.")
    about = Text(source="ref", help_text="Id of the message, text, note, event or conversation; may be empty.")


class TimelinePage(StrictSerializer):
    data = EntryOut(many=True)  # type: ignore[assignment]
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(
        allow_null=True, help_text="Always null: the timeline is read from the newest on."
    )


class NoteIn(StrictSerializer):
    text = Text(max_length=notes.LONGEST)


class NoteOut(StrictSerializer):
    id = Ref(prefix="nte", source="public_id")
    text = Text()
    author = serializers.SerializerMethodField()
    created_at = Moment()

    def get_author(self, note: ContactNote) -> str:
        return note.author.get_username()


class Timelines(views.Endpoint):
    id_prefix = "con"
    scopes = {"list": Scope.CONTACTS_READ}
    queryset = Contact.objects.all()
    pagination_class = None

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "kind", str, many=True, enum=list(timeline.KINDS), description="Only these; repeat it."
            ),
            OpenApiParameter("cursor", str, description="From `next` of another page."),
            OpenApiParameter("limit", int, description=f"1 to {timeline.MOST}."),
        ],
        responses=TimelinePage,
        summary="What happened to a contact, newest first",
        operation_id="contacts_timeline_list",
    )
    def list(self, request: Request, id: str) -> Response:
        """With `conversations:read` also texts and conversations; with `contacts:disclose` messages too."""
        kinds, limit = _asked(request)
        contact = views.find(self.get_queryset(), id, prefix="con")
        page = timeline.read(
            contact,
            keys=belonging.keys_of(contact),
            may=_may(keys.of(request)),
            kinds=kinds,
            cursor=request.query_params.get("cursor", ""),
            limit=limit,
        )
        address = request.build_absolute_uri()
        older = replace_query_param(address, "cursor", page.older) if page.older else None
        return Response(TimelinePage({"data": page.entries, "next": older, "previous": None}).data)


class Notes(views.Endpoint):
    id_prefix = "con"
    scopes = {"list": Scope.CONTACTS_READ, "create": Scope.CONTACTS_WRITE}
    queryset = ContactNote.objects.select_related("author")

    @extend_schema(responses=NoteOut(many=True), summary="List the notes on a contact")
    def list(self, request: Request, id: str) -> Response:
        contact = views.find(Contact.objects.all(), id, prefix="con")
        return self.page(self.get_queryset().filter(contact=contact), NoteOut)

    @extend_schema(
        request=NoteIn,
        responses={201: NoteOut},
        summary="Write a note on a contact",
        examples=[OpenApiExample("A note", {"text": "Prefers mornings."}, request_only=True)],
    )
    @idempotency.once
    def create(self, request: Request, id: str) -> Response:
        """Notes are read by employees and never sent. The author is the key's owner."""
        contact = views.find(Contact.objects.all(), id, prefix="con")
        given = views.read(request, NoteIn)
        note = notes.add(contact, text=given["text"], author=keys.of(request).owner, now=timezone.now())
        return Response(NoteOut(note).data, status=201)


def _may(key: ApiKey) -> Callable[[str], bool]:
    opened = {"contacts.view_contact", "contacts.view_contactnote"}
    for scope, permissions in _OPENS.items():
        if scope in key.scopes:
            opened.update(permissions)
    return opened.__contains__


def _asked(request: Request) -> tuple[Any, int]:
    for name in request.query_params:
        if name not in _PARAMETERS:
            detail = f"There is no parameter of this name. Known are {', '.join(_PARAMETERS)}."
            raise Problem(400, "unknown_parameter", detail, pointer=f"?{name}")
    kinds = request.query_params.getlist("kind")
    for kind in kinds:
        if kind not in timeline.KINDS:
            raise Problem(400, "invalid_kind", f"Known are {', '.join(timeline.KINDS)}.", pointer="?kind")
    limit = request.query_params.get("limit", str(timeline.PAGE))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= timeline.MOST):
        raise Problem(
            400, "invalid_limit", f"`limit` is a whole number from 1 to {timeline.MOST}.", pointer="?limit"
        )
    return kinds, int(limit)
