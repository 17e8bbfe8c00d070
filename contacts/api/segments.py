"""Segments: rules that say who belongs. Their members are whoever fits when they are used."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.models import Segment
from contacts.segments import counting, keeping, rules
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, Ref, StrictSerializer, Text
from smsdesk.api.filters import ListFilters, MomentFilter
from smsdesk.models import Scope


@extend_schema_field(
    {
        "type": "object",
        "properties": {
            "match": {"type": "string", "enum": list(rules.MATCHES)},
            "conditions": {
                "type": "array",
                "items": {"type": "object", "additionalProperties": True},
                "minItems": 1,
            },
        },
        "required": ["match", "conditions"],
    }
)
class Rule(serializers.Field[Any, Any, Any, Any]):
    """A rule with rows by their public names. What it may say is judged by `contacts.segments.rules` alone."""

    def to_internal_value(self, data: Any) -> Any:
        return rules.inward(data)

    def to_representation(self, value: Any) -> Any:
        return rules.outward(value)


class SegmentIn(StrictSerializer):
    name = Text(max_length=keeping.LONGEST_NAME)
    description = Text(required=False, allow_blank=True, max_length=keeping.LONGEST_DESCRIPTION)
    rule = Rule(help_text="Conditions, and groups of conditions nested at most twice.")


class SegmentOut(StrictSerializer):
    id = Ref(prefix="seg", source="public_id")
    name = Text()
    description = Text()
    rule = Rule()
    created_at = Moment()
    updated_at = Moment()


class EstimateOut(StrictSerializer):
    count = serializers.IntegerField(help_text="People the rule fits at this instant.")
    of = serializers.IntegerField(help_text="Denominator: all contacts.")
    at = Moment()


class SegmentFilters(ListFilters):
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt", label="Changed after this time.")


_EXAMPLE = OpenApiExample(
    "Texans who have not heard from us",
    {
        "name": "Texans, quiet for 30 days",
        "rule": {
            "match": "all",
            "conditions": [
                {"kind": "region", "operator": "is_any_of", "values": ["TX"]},
                {"kind": "last_contacted", "operator": "not_in_last", "days": 30},
            ],
        },
    },
    request_only=True,
)


class Segments(views.Endpoint):
    id_prefix = "seg"
    scopes = {
        "list": Scope.CONTACTS_READ,
        "retrieve": Scope.CONTACTS_READ,
        "create": Scope.CONTACTS_WRITE,
        "partial_update": Scope.CONTACTS_WRITE,
        "estimate": Scope.CONTACTS_READ,
    }
    queryset = Segment.objects.all()
    filterset_class = SegmentFilters

    @extend_schema(responses=SegmentOut(many=True), summary="List segments")
    def list(self, request: Request) -> Response:
        return self.page(self.get_queryset(), SegmentOut)

    @extend_schema(request=SegmentIn, responses={201: SegmentOut}, summary="Add a segment", examples=[_EXAMPLE])
    @idempotency.once
    def create(self, request: Request) -> Response:
        """Lists are named by name, brands by slug, campaigns by id."""
        given = views.read(request, SegmentIn)
        segment = keeping.add(
            name=given["name"],
            description=given.get("description", ""),
            rule=given["rule"],
            by=keys.of(request).owner,
        )
        return Response(SegmentOut(segment).data, status=201)

    @extend_schema(responses=SegmentOut, summary="Read a segment")
    def retrieve(self, request: Request, id: str) -> Response:
        return Response(SegmentOut(self._row(id)).data)

    @extend_schema(request=SegmentIn, responses=SegmentOut, summary="Change a segment")
    def partial_update(self, request: Request, id: str) -> Response:
        """What you leave out stays. Campaigns that are launched keep the rule they were launched with."""
        given = views.read_some(request, SegmentIn)
        return Response(SegmentOut(keeping.change(self._row(id), values=given)).data)

    @extend_schema(responses=EstimateOut, summary="Count whom a segment fits now")
    @action(detail=True, methods=["get"])
    def estimate(self, request: Request, id: str) -> Response:
        counted = counting.estimate(self._row(id).rule, at=timezone.now())
        return Response(EstimateOut({"count": counted.count, "of": counted.of, "at": counted.at}).data)

    def _row(self, ref: str) -> Segment:
        segment: Segment = views.find(self.get_queryset(), ref, prefix="seg")
        return segment
