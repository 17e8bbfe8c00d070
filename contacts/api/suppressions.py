"""Suppressions: who gets nothing, and adding phones to them. Nothing here lifts one."""

from typing import Any

import django_filters
from django.db.models import OuterRef, Subquery
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import suppressing
from contacts.api.brands import brand_of
from contacts.api.filters import PhoneFilter
from contacts.models import ConsentSource, Contact, Purpose, Suppression
from contacts.standing import EVERY
from smsdesk import phones
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, StrictSerializer, Text
from smsdesk.errors import Invalid
from smsdesk.models import Scope

MOST_PHONES = 1_000
SOURCES = [(one.value, one.label) for one in (ConsentSource.COMPLAINT, ConsentSource.VERBAL, ConsentSource.API)]
PURPOSES = [(one.value, one.label) for one in (Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL)]


class SuppressionOut(StrictSerializer):
    contact = serializers.SerializerMethodField(help_text="Who has the phone; null: nobody here.")
    brand = Text(source="brand.slug", default=None, allow_null=True, help_text="null: every brand.")
    purpose = Text(help_text="*: every purpose.")
    source = serializers.ChoiceField(choices=ConsentSource.choices)  # type: ignore[assignment]
    since = Moment()
    stands = serializers.SerializerMethodField(help_text="false: the person's own act has lifted it.")

    def get_contact(self, row: Any) -> str | None:
        return f"con_{row.contact_id.hex}" if row.contact_id else None

    def get_stands(self, row: Suppression) -> bool:
        return row.lifted_by_id is None


class SuppressIn(StrictSerializer):
    phones = serializers.ListField(
        child=Text(max_length=40), allow_empty=False, max_length=MOST_PHONES, help_text="E.164."
    )
    brand = Text(required=False, allow_null=True, max_length=40, help_text="Slug; left out: every brand.")
    purposes = serializers.ListField(
        child=serializers.ChoiceField(choices=PURPOSES),
        required=False,
        allow_empty=False,
        help_text="Left out: every purpose.",
    )
    source = serializers.ChoiceField(choices=SOURCES)  # type: ignore[assignment]
    note = Text(max_length=2_000, help_text="The evidence: how you know.")


class SuppressedOut(StrictSerializer):
    phone = Text()
    outcome = serializers.ChoiceField(choices=["suppressed", "invalid"])
    detail = Text(help_text="Why it was not understood.")


class SuppressAnswer(StrictSerializer):
    new = serializers.IntegerField(help_text="Phones for which something was written.")
    standing = serializers.IntegerField(help_text="Phones that were suppressed in just this way before.")
    phones = SuppressedOut(many=True)


class SuppressionFilters(django_filters.FilterSet):  # type: ignore[misc]
    phone = PhoneFilter(field_name="subscriber_key", label="E.164, for example +12125550123.")
    brand = django_filters.CharFilter(field_name="brand__slug", label="Slug.")
    stands = django_filters.BooleanFilter(
        field_name="lifted_by", lookup_expr="isnull", label="true: those that were not lifted."
    )


class Suppressions(views.Endpoint):
    scopes = {"list": Scope.CONTACTS_READ, "create": Scope.CONTACTS_WRITE}
    orderings = ("since", "-since")
    queryset = Suppression.objects.select_related("brand").annotate(
        contact_id=Subquery(
            Contact.objects.filter(subscriber_key=OuterRef("subscriber_key")).values("public_id")[:1]
        )
    )
    filterset_class = SuppressionFilters

    @extend_schema(responses=SuppressionOut(many=True), summary="List suppressions")
    def list(self, request: Request) -> Response:
        """They name no number: ask for one with `phone`."""
        return self.page(self.get_queryset(), SuppressionOut)

    @extend_schema(
        request=SuppressIn,
        responses={201: SuppressAnswer},
        summary="Suppress phones",
        examples=[
            OpenApiExample(
                "A complaint",
                {"phones": ["+12125550123"], "source": "complaint", "note": "Letter of 4 May"},
                request_only=True,
            )
        ],
    )
    @idempotency.once
    def create(self, request: Request) -> Response:
        """Whether they are contacts or not. Nothing lifts these but asking the person: not even their START."""
        given, now = views.read(request, SuppressIn), timezone.now()
        found, answers = _read(given["phones"])
        refusal = suppressing.Refusal(
            brand=brand_of(given["brand"]) if given.get("brand") else None,
            source=ConsentSource(given["source"]),
            note=given["note"],
            purposes=tuple(given.get("purposes", (EVERY,))),
        )
        by = keys.of(request).prefix
        result = suppressing.suppress(found, refusal=refusal, occurred_at=now, now=now, by=by)
        answer = {"new": result.new, "standing": result.standing, "phones": answers}
        return Response(SuppressAnswer(answer).data, status=201)


def _read(given: list[str]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Subscriber key → E.164 of those that are numbers, and an answer for each, in order."""
    found: dict[str, str] = {}
    answers = []
    for text in given:
        try:
            parsed = phones.parse(text, default_region="")
        except Invalid as error:
            answers.append({"phone": text, "outcome": "invalid", "detail": f"{error.message} {error.cure}"})
            continue
        found[parsed.subscriber_key] = parsed.e164
        answers.append({"phone": text, "outcome": "suppressed", "detail": ""})
    return found, answers
