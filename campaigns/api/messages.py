"""Messages: send one, and read what became of it.

Whether it may be sent says the judge, not this module: a person who may not be texted is an answer, not an error.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import eligibility, parking, recipients, sending
from campaigns.api.senders import choose
from campaigns.models import Answer, Campaign, MessageKind, OutboundMessage, OutboundState, Priority, Sender
from campaigns.of_state import of_state
from contacts import consent, gathering, permission
from contacts.api.filters import PhoneFilter
from contacts.models import Contact, Purpose
from smsdesk import phones, sms_text
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, Ref, StrictSerializer, Text
from smsdesk.api.filters import ListFilters, RefFilter
from smsdesk.api.problems import Problem
from smsdesk.errors import Invalid
from smsdesk.models import ApiKey, Scope

PURPOSES = [(purpose.value, purpose.label) for purpose in (Purpose.TRANSACTIONAL, Purpose.MARKETING)]


class MessageIn(StrictSerializer):
    to = Text(required=False, max_length=40, help_text="E.164. A phone nobody knows yet becomes a contact.")
    contact = Ref(prefix="con", required=False, help_text="Instead of `to`.")
    purpose = serializers.ChoiceField(choices=PURPOSES)
    text = Text(max_length=sending.MAX_CHARACTERS)
    sender = Text(required=False, max_length=16, help_text="Number or name; left out, the brand's default.")
    brand = Text(required=False, max_length=40, help_text="Slug; needed where there are several and no sender.")
    send_at = Moment(required=False, help_text="Not before this time.")
    send_by = Moment(required=False, help_text="From then on it is not sent any more.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("to" in attrs) == ("contact" in attrs):
            raise serializers.ValidationError({"to": "Give either `to` or `contact`."}, code="one_recipient")
        return attrs


class MessageOut(StrictSerializer):
    id = Ref(prefix="msg", source="public_id")
    kind = serializers.ChoiceField(choices=MessageKind.choices)
    state = serializers.ChoiceField(choices=OutboundState.choices)
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    to = Text(source="phone")
    contact = Ref(prefix="con", allow_null=True)
    brand = Text(source="brand.slug")
    sender = Text(source="sender.value")
    campaign = Ref(prefix="cmp", allow_null=True)
    text = serializers.SerializerMethodField(
        help_text="As it left; before that, as it is to leave. Addresses of people's own pages are hidden."
    )
    encoding = Text()
    parts = serializers.IntegerField(allow_null=True)
    code = Text(help_text="Why it was skipped, rejected or cancelled.")
    reason = serializers.SerializerMethodField(help_text="Why it is in this state, in a sentence.")
    waiting_for = Text(help_text="Why a queued message waits.")
    error_code = Text(help_text="The gateway's own word.")
    resend_of = Ref(prefix="msg", allow_null=True, help_text="May be a second copy of that message.")
    is_test = serializers.BooleanField(source="sender.account.is_simulator", help_text="Went to a simulator.")
    due_at = Moment()
    send_by = Moment(allow_null=True)
    created_at = Moment()
    submitted_at = Moment(allow_null=True)
    accepted_at = Moment(allow_null=True)
    final_at = Moment(allow_null=True)
    replied_at = Moment(allow_null=True)
    opted_out_at = Moment(allow_null=True)

    def get_text(self, message: OutboundMessage) -> str:
        return message.shown_text

    def get_reason(self, message: OutboundMessage) -> str:
        return recipients.why(message, gateway=message.sender.account.kind)


class EventOut(StrictSerializer):
    state = Text(help_text="Ours; empty where the gateway's word moves nothing.")
    word = Text(help_text="The gateway's own.")
    code = Text()
    occurred_at = Moment(allow_null=True)
    received_at = Moment()


class MessageWithEvents(MessageOut):
    events = EventOut(many=True)


class RecipientVerdict(StrictSerializer):
    to = Text()
    contact = Ref(prefix="con")
    outcome = serializers.ChoiceField(choices=["allowed", "deferred", "blocked"])
    code = Text()
    until = Moment(allow_null=True, help_text="When a deferred message is judged again.")
    detail = Text(help_text="The code in a sentence.")
    message = MessageOut(allow_null=True, help_text="null: blocked, nothing was queued.")


class SendAnswer(StrictSerializer):
    recipients = RecipientVerdict(many=True)


class SettleIn(StrictSerializer):
    answer = serializers.ChoiceField(
        choices=Answer.choices,
        help_text="`sent`: it counts as taken. `close`: nobody will know. `again`: perhaps a second copy.",
    )
    reason = Text(max_length=parking.LONGEST, help_text="Kept with the name of the key's owner.")


class SettleAnswer(StrictSerializer):
    message = MessageOut()
    again = MessageOut(allow_null=True, help_text="The new message, where it is sent again.")


class MessageFilters(ListFilters):
    state = django_filters.ChoiceFilter(choices=OutboundState.choices, method="of_state")
    kind = django_filters.ChoiceFilter(choices=MessageKind.choices)
    phone = PhoneFilter(field_name="subscriber_key", label="E.164.")
    contact = RefFilter(field_name="contact__public_id", prefix="con", label="Of this contact.")
    campaign = RefFilter(prefix="cmp", label="Of this campaign.", method="of_campaign")

    def of_state(self, rows: QuerySet[OutboundMessage], name: str, value: str) -> QuerySet[OutboundMessage]:
        return of_state(rows, value)

    def of_campaign(self, rows: QuerySet[OutboundMessage], name: str, value: UUID) -> QuerySet[OutboundMessage]:
        # As a value and not by a join, or the whole campaign is sorted for each page.
        return rows.filter(campaign=Campaign.objects.filter(public_id=value).values("pk")[:1])


_EXAMPLE = OpenApiExample(
    "Order shipped",
    {"to": "+12125550123", "purpose": "transactional", "text": "Your order has left."},
    request_only=True,
)


class Messages(views.Endpoint):
    id_prefix = "msg"
    scopes = {
        "list": Scope.MESSAGES_READ,
        "retrieve": Scope.MESSAGES_READ,
        "create": Scope.MESSAGES_SEND,
        "settle": Scope.MESSAGES_SETTLE,
    }
    queryset = OutboundMessage.objects.select_related(
        "contact", "brand", "sender__account", "campaign", "resend_of"
    )
    filterset_class = MessageFilters

    @extend_schema(responses=MessageOut(many=True), summary="List messages")
    def list(self, request: Request) -> Response:
        """Those sent with keys of this key's owner; with `campaigns:read` also those of campaigns, with
        `conversations:read` also replies and automatic answers."""
        return self.page(_visible(self.get_queryset(), keys.of(request)), MessageOut)

    @extend_schema(responses=MessageWithEvents, summary="Read a message and its receipts")
    def retrieve(self, request: Request, id: str) -> Response:
        rows = _visible(self.get_queryset(), keys.of(request)).prefetch_related("events")
        return Response(MessageWithEvents(views.find(rows, id, prefix="msg")).data)

    @extend_schema(request=MessageIn, responses={202: SendAnswer}, summary="Send a message", examples=[_EXAMPLE])
    @idempotency.once
    def create(self, request: Request) -> Response:
        """Accepted means queued: it is judged again at the moment it leaves. Someone who may not be texted is
        answered with `outcome: blocked` and the reason, and nothing is queued."""
        given = views.read(request, MessageIn)
        _refuse_known(idempotency.ledger_key(request))
        now = timezone.now()
        sender = choose(given.get("sender"), brand=given.get("brand"), key=keys.of(request))
        verdict = _send(_recipient(given, now=now), given, sender=sender, request=request, now=now)
        return Response(SendAnswer({"recipients": [verdict]}).data, status=202)

    @extend_schema(request=SettleIn, responses=SettleAnswer, summary="Decide on a parked message")
    @action(detail=True, methods=["post"])
    @idempotency.once
    def settle(self, request: Request, id: str) -> Response:
        """Once per message: 409 when it is not `parked` any more, or somebody has decided. What is sent again is a
        new message, judged like any other when it leaves; if the first one was sent, the person gets it twice."""
        given = views.read(request, SettleIn)
        key = keys.of(request)
        message = views.find(_visible(self.get_queryset(), key), id, prefix="msg")
        by: Any = key.owner
        again = parking.settle(
            message, Answer(given["answer"]), reason=given["reason"], by=by, now=timezone.now(), api_key=key
        )
        return Response(SettleAnswer({"message": message, "again": again}).data)


def _send(
    contact: Contact, given: dict[str, Any], *, sender: Sender, request: Request, now: datetime
) -> dict[str, Any]:
    """The verdict on this message to this contact, and the queued message unless it is blocked."""
    purpose = Purpose(given["purpose"])
    context = eligibility.context_of(sender, purpose=purpose, send_by=given.get("send_by"))
    planned = max(given.get("send_at") or now, now)
    body = sms_text.clean(given["text"])
    context = eligibility.of_text(context, contact, text=body, now=planned)
    verdict = permission.judge(gathering.facts_about(contact, context=context, at=planned, body=body), planned)
    message = None
    if verdict.outcome != "blocked":
        message = sending.queue(
            contact,
            sender=sender,
            text=given["text"],
            purpose=purpose,
            kind=MessageKind.API,
            priority=Priority.TRANSACTIONAL if purpose == Purpose.TRANSACTIONAL else Priority.CAMPAIGN,
            now=now,
            due_at=verdict.until or planned,
            send_by=given.get("send_by"),
            waiting_for=verdict.code.lower() if verdict.outcome == "deferred" else "",
            idempotency_key=idempotency.ledger_key(request),
            api_key=keys.of(request),
        )
    said = {"outcome": verdict.outcome, "code": verdict.code, "until": verdict.until, "detail": verdict.sentence}
    return {"to": contact.phone, "contact": contact, **said, "message": message}


def _recipient(given: dict[str, Any], *, now: datetime) -> Contact:
    if "contact" in given:
        known = Contact.objects.filter(public_id=given["contact"]).first()
        if known is None:
            raise Invalid("unknown_contact", "There is no such contact.", field="contact", cure="Or give `to`.")
        return known
    try:
        phone = phones.parse(given["to"], default_region="")
    except Invalid as error:
        error.field = "to"
        raise
    return consent.get_or_add(phone, now=now)


def _refuse_known(ledger_key: str | None) -> None:
    """A key whose stored answer is gone after 24 hours must still not send again."""
    earlier = ledger_key and OutboundMessage.objects.filter(idempotency_key=ledger_key).first()
    if earlier:
        detail = f"This Idempotency-Key sent {earlier.ref} more than 24 hours ago. Use a new one for a new message."
        raise Problem(422, "idempotency_key_reused", detail)


def _visible(rows: QuerySet[OutboundMessage], key: ApiKey) -> QuerySet[OutboundMessage]:
    """What this key may see: one place, so that a list, a read and a filter cannot differ."""
    same_owner = ApiKey.objects.filter(owner_id=key.owner_id).values_list("pk", flat=True)
    seen = Q(api_key_id__in=list(same_owner))
    if Scope.CAMPAIGNS_READ in key.scopes:
        seen |= Q(kind__in=(MessageKind.CAMPAIGN, MessageKind.TEST))
    if Scope.CONVERSATIONS_READ in key.scopes:
        seen |= Q(kind__in=(MessageKind.REPLY, MessageKind.AUTOMATIC))
    if key.is_test:
        rows = rows.filter(sender__account__is_simulator=True)
    return rows.filter(seen)
