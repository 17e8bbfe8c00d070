"""Texts that may be opt-outs: the ones that wait, and what a person decided elsewhere."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.models import Hold
from inbound import hold_queue, holds
from inbound.models import InboundMessage
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Empty, Moment, Ref, StrictSerializer, Text
from smsdesk.models import Scope


class HeldText(StrictSerializer):
    id = Ref(prefix="inb", source="public_id")
    text = Text()
    to = Text(source="sender.value", default="", help_text="The number of ours it was sent to.")
    received_at = Moment()


class HoldOut(StrictSerializer):
    id = Ref(prefix="hld", source="hold.public_id")
    contact = Ref(prefix="con", allow_null=True, help_text="null: the contact was deleted.")
    phone = Text(help_text="Empty where even the number is gone.")
    brand = Text(source="hold.brand.slug", default=None, allow_null=True, help_text="null: every brand.")
    opened_at = Moment(source="hold.opened_at")
    business_days = serializers.IntegerField(source="clock.age", help_text="Begun since the day after receipt.")
    business_days_allowed = serializers.IntegerField(source="clock.allowed")
    decide_before = Moment(source="clock.due_at", help_text="Then it counts as an opt-out.")
    is_alarming = serializers.BooleanField(source="clock.is_alarming", help_text="Two business days or less left.")
    texts = HeldText(many=True, help_text="The doubtful one, then what else came since.")


class Decision(StrictSerializer):
    id = Ref(prefix="hld", source="public_id")
    was_opt_out = serializers.BooleanField()
    cancelled = serializers.IntegerField(help_text="Messages that were waiting and will not be sent.")
    is_opted_out = serializers.BooleanField(
        help_text="false after an opt-out: what the person has agreed to since they wrote it goes on."
    )
    decided_at = Moment(source="closed_at")


class Holds(views.Endpoint):
    id_prefix = "hld"
    scopes = {"list": Scope.HOLDS_READ, "opt_out": Scope.HOLDS_REVIEW, "release": Scope.HOLDS_REVIEW}
    orderings = ("opened_at", "-opened_at")
    queryset = Hold.objects.select_related("brand")

    @extend_schema(responses=HoldOut(many=True), summary="List texts that may be opt-outs")
    def list(self, request: Request) -> Response:
        """Those that wait for a decision, the oldest first. Until then only replies are sent to these people."""
        found = self.paginate_queryset(self.filter_queryset(self._rows(request).filter(closed_at=None)))
        rows = hold_queue.describe(found or [], now=timezone.now())
        return self.get_paginated_response(HoldOut(rows, many=True).data)

    @extend_schema(request=Empty, responses=Decision, summary="It is an opt-out")
    @action(detail=True, methods=["post"], url_path="opt-out")
    @idempotency.once
    def opt_out(self, request: Request, id: str) -> Response:
        """It counts from the moment it was written, and what was waiting is cancelled. 409 where it is decided."""
        hold = self._row(request, id)
        views.read(request, Empty)
        by = keys.of(request).prefix
        effect = holds.opt_out(hold, by=by, note="decided through the API", now=timezone.now())
        return self._decision(hold, cancelled=effect.cancelled, is_opted_out=effect.stands)

    @extend_schema(request=Empty, responses=Decision, summary="It is no opt-out")
    @action(detail=True, methods=["post"])
    @idempotency.once
    def release(self, request: Request, id: str) -> Response:
        """Sending goes on. 409 where it is decided already."""
        hold = self._row(request, id)
        views.read(request, Empty)
        holds.release(hold, by=keys.of(request).prefix, now=timezone.now())
        return self._decision(hold, cancelled=0, is_opted_out=bool(holds.opted_out([hold])))

    def _decision(self, hold: Hold, *, cancelled: int, is_opted_out: bool) -> Response:
        hold.refresh_from_db()
        extra: dict[str, Any] = {"cancelled": cancelled, "is_opted_out": is_opted_out}
        for name, value in extra.items():
            setattr(hold, name, value)
        return Response(Decision(hold).data)

    def _rows(self, request: Request) -> Any:
        """A test key sees what came through simulator accounts."""
        rows = self.get_queryset()
        if not keys.of(request).is_test:
            return rows
        said = InboundMessage.objects.filter(public_id=OuterRef("inbound_id"), account__is_simulator=True)
        return rows.filter(Exists(said))

    def _row(self, request: Request, ref: str) -> Hold:
        hold: Hold = views.find(self._rows(request), ref, prefix="hld")
        return hold
