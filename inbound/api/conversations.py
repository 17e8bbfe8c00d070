"""Conversations: what people wrote, what we wrote, and an answer in the name of the key's owner."""

import uuid
from collections.abc import Sequence
from typing import Any

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.messages import MessageOut
from campaigns.api.senders import refuse_real
from campaigns.models import OutboundMessage
from contacts.api.filters import PhoneFilter
from inbound import replies
from inbound.models import Conversation, ConversationState, InboundMessage, Intent
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, Ref, StrictSerializer, Text
from smsdesk.api.filters import ListFilters, MomentFilter, RefFilter
from smsdesk.models import Scope

NEWEST = 100  # messages of a thread that are shown
_REPLIES = uuid.UUID("5e0d7a52-8c53-4d63-9f0e-6b9a5b6d1c1f")  # name space of form tokens made from idempotency keys


class ConversationOut(StrictSerializer):
    id = Ref(prefix="cnv", source="public_id")
    contact = Ref(prefix="con")
    phone = Text(source="contact.phone")
    sender = Text(source="sender.value")
    state = serializers.ChoiceField(choices=ConversationState.choices)
    assigned_to = Text(source="assigned_to.username", default=None, allow_null=True)
    is_unread = serializers.BooleanField()
    created_at = Moment()
    last_inbound_at = Moment(allow_null=True)
    last_activity_at = Moment()
    resolved_at = Moment(allow_null=True)


class ThreadMessage(StrictSerializer):
    id = Text(help_text="inb_… from the person, msg_… from us.")
    direction = serializers.ChoiceField(choices=["inbound", "outbound"])
    text = Text()
    state = Text(help_text="Of our message; empty for theirs.")
    intent = Text(help_text="What we took their text for: opt_out, opt_in, help, none; empty for ours.")
    at = Moment()


class ConversationWithThread(ConversationOut):
    last_seen = Text(help_text="Send this back with a reply: it says what you have read.")
    thread = ThreadMessage(many=True, help_text=f"The newest {NEWEST} messages, oldest first.")


class ReplyIn(StrictSerializer):
    text = Text(max_length=1600)
    last_seen = Text(max_length=80, allow_blank=True, help_text="From the conversation as you have read it.")


class ConversationFilters(ListFilters):
    state = django_filters.ChoiceFilter(choices=ConversationState.choices)
    contact = RefFilter(field_name="contact__public_id", prefix="con", label="Of this contact.")
    phone = PhoneFilter(field_name="contact__subscriber_key", label="E.164.")
    active_after = MomentFilter(field_name="last_activity_at", lookup_expr="gt", label="Active after this time.")


class Conversations(views.Endpoint):
    id_prefix = "cnv"
    scopes = {
        "list": Scope.CONVERSATIONS_READ,
        "retrieve": Scope.CONVERSATIONS_READ,
        "reply": Scope.CONVERSATIONS_WRITE,
    }
    orderings = ("-last_activity_at", "last_activity_at")
    queryset = Conversation.objects.select_related("contact", "sender__account", "assigned_to")
    filterset_class = ConversationFilters

    @extend_schema(responses=ConversationOut(many=True), summary="List conversations")
    def list(self, request: Request) -> Response:
        """Latest activity first."""
        return self.page(self._rows(request), ConversationOut)

    @extend_schema(responses=ConversationWithThread, summary="Read a conversation")
    def retrieve(self, request: Request, id: str) -> Response:
        """Reading over the API does not mark it as read in the inbox. Private notes stay in the inbox."""
        conversation = self._row(request, id)
        thread = {
            "last_seen": replies.newest(conversation),
            "thread": ThreadMessage(_thread(conversation), many=True).data,
        }
        return Response({**ConversationOut(conversation).data, **thread})

    @extend_schema(request=ReplyIn, responses={202: MessageOut}, summary="Answer")
    @action(detail=True, methods=["post"])
    @idempotency.once
    def reply(self, request: Request, id: str) -> Response:
        """409 `newer_message` where the person has written since you read; 403 with the reason where they may not
        be written to."""
        conversation = self._row(request, id)
        given = views.read(request, ReplyIn)
        refuse_real(conversation.sender, key=keys.of(request))
        message = replies.send(
            conversation,
            author=keys.of(request).owner,
            text=given["text"],
            last_seen=given["last_seen"],
            form_token=_form_token(request),
            now=timezone.now(),
        )
        return Response(MessageOut(message).data, status=202)

    def _rows(self, request: Request) -> Any:
        rows = self.get_queryset()
        return rows.filter(sender__account__is_simulator=True) if keys.of(request).is_test else rows

    def _row(self, request: Request, ref: str) -> Conversation:
        conversation: Conversation = views.find(self._rows(request), ref, prefix="cnv")
        return conversation


def _form_token(request: Request) -> uuid.UUID:
    """The same Idempotency-Key is the same reply, even after its stored answer is gone."""
    key = idempotency.ledger_key(request)
    return uuid.uuid4() if key is None else uuid.uuid5(_REPLIES, key)


def _thread(conversation: Conversation) -> Sequence[dict[str, Any]]:
    theirs = InboundMessage.objects.filter(conversation=conversation).order_by("-id")[:NEWEST]
    ours = OutboundMessage.objects.filter(
        subscriber_key=conversation.contact.subscriber_key, sender_id=conversation.sender_id
    ).order_by("-id")[:NEWEST]
    lines = [_inbound(message) for message in theirs] + [_outbound(message) for message in ours]
    return sorted(lines, key=lambda line: line["at"])[-NEWEST:]


def _inbound(message: InboundMessage) -> dict[str, Any]:
    return {
        "id": message.ref,
        "direction": "inbound",
        "text": message.text,
        "state": "",
        "intent": message.intent or Intent.NONE,
        "at": message.received_at,
    }


def _outbound(message: OutboundMessage) -> dict[str, Any]:
    return {
        "id": message.ref,
        "direction": "outbound",
        "text": message.shown_text,
        "state": message.state,
        "intent": "",
        "at": message.submitted_at or message.created_at,
    }
