"""May this be sent, and why: the decision on a message that is not sent."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import trials
from campaigns.api.senders import choose
from contacts.models import Contact, Purpose
from smsdesk import sms_text
from smsdesk.api import keys, views
from smsdesk.api.fields import Moment, Ref, StrictSerializer, Text
from smsdesk.errors import Invalid
from smsdesk.models import Scope

PURPOSES = [purpose.value for purpose in (Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL)]


class DecisionIn(StrictSerializer):
    to = Text(required=False, max_length=40, help_text="E.164; or `contact`.")
    contact = Ref(required=False, prefix="con")
    brand = Text(required=False, max_length=40, help_text="Slug: who speaks.")
    sender = Text(required=False, max_length=16)
    purpose = serializers.ChoiceField(choices=PURPOSES)
    at = Moment(required=False, help_text="The moment judged; now where it is left out.")
    text = Text(required=False, allow_blank=True, max_length=1600, help_text="As it would leave.")


class CheckOut(StrictSerializer):
    question = Text()
    inputs = serializers.DictField(child=Text(), help_text="What was looked at.")
    outcome = Text(help_text="passes, allowed, deferred or blocked.")
    code = Text()
    detail = Text(help_text="The sentence of `code`.")
    is_decisive = serializers.BooleanField()


class WindowOut(StrictSerializer):
    zone = Text()
    rule = Text(help_text="The quiet hours rule: a country, a state or *.")
    local = Text(help_text="Local time at the moment judged.")
    today = Text(help_text="Open hours of that day.")
    is_open = serializers.BooleanField()


class DecisionOut(StrictSerializer):
    contact = Ref(prefix="con", allow_null=True)
    at = Moment()
    outcome = Text()
    code = Text()
    until = Moment(allow_null=True, help_text="When it would be allowed, where waiting is enough.")
    detail = Text()
    cure = Text(help_text="What would have to happen.")
    checks = CheckOut(many=True)
    quiet_hours = WindowOut(many=True)


_EXAMPLE = OpenApiExample("Marketing now", {"to": "+12125550123", "purpose": "marketing"}, request_only=True)


class Decisions(views.Endpoint):
    id_prefix = "con"
    scopes = {"create": Scope.CONTACTS_READ}
    queryset = Contact.objects.all()

    @extend_schema(
        request=DecisionIn,
        responses=DecisionOut,
        summary="Try a decision",
        operation_id="decisions_try",
        examples=[_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Nothing is sent, nothing is changed. Every check is told, also those after the one that decides."""
        given = views.read(request, DecisionIn)
        at = given.get("at") or timezone.now()
        trial = trials.decide(
            _number(given),
            sender=choose(given.get("sender"), brand=given.get("brand"), key=keys.of(request)),
            purpose=given["purpose"],
            at=at,
            body=sms_text.clean(given.get("text", "")).strip() or None,
        )
        return Response(DecisionOut(_told(trial) | {"at": at}).data)


def _number(given: dict[str, Any]) -> str:
    if ("to" in given) == ("contact" in given):
        raise Invalid("recipient", "Name one phone.", field="to", cure="Give either `to` or `contact`.")
    if "to" in given:
        return str(given["to"])
    known = Contact.objects.filter(public_id=given["contact"]).first()
    if known is None:
        raise Invalid("unknown_contact", "There is no such contact.", field="contact", cure="Or give `to`.")
    return known.phone


def _told(trial: trials.Trial) -> dict[str, Any]:
    found = trial.examination
    checks = [
        {
            "question": look.question,
            "inputs": dict(look.inputs),
            "outcome": look.verdict.outcome if look.verdict else "passes",
            "code": look.verdict.code if look.verdict else "",
            "detail": look.verdict.sentence if look.verdict else "",
            "is_decisive": look.is_decisive,
        }
        for look in found.looks
    ]
    return {
        "contact": trial.contact,
        "outcome": found.verdict.outcome,
        "code": found.verdict.code,
        "until": found.verdict.until,
        "detail": f"{found.verdict.sentence} {trial.fault}".strip(),
        "cure": found.cure,
        "checks": checks,
        "quiet_hours": found.windows,
    }
