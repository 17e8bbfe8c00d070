"""Consent of one contact: its history, and new events with their proof. Events are never changed or deleted."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import consent
from contacts.api.brands import brand_of
from contacts.models import Basis, ConsentEvent, ConsentSource, Contact, EventKind, Purpose
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, StrictSerializer, Text
from smsdesk.models import Scope

KINDS = [(kind.value, kind.label) for kind in (EventKind.OPT_IN, EventKind.OPT_OUT)]
BASES = [(one.value, one.label) for one in Basis if one not in (Basis.CONVERSATIONAL, Basis.UNPROVEN)]
# Texts and carriers reach the ledger through the gateways' webhooks, never through a key.
SOURCES = [
    (source.value, source.label)
    for source in (
        ConsentSource.WEB_FORM,
        ConsentSource.PAPER,
        ConsentSource.VERBAL,
        ConsentSource.API,
        ConsentSource.COMPLAINT,
    )
]
PURPOSES = [(one.value, one.label) for one in (Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL)]


class ProofIn(StrictSerializer):
    wording = Text(max_length=10_000, help_text="The exact words the person saw or heard.")
    method = Text(max_length=100, help_text="For example web_form, paper, verbal, double_opt_in.")
    act = Text(max_length=500, help_text="What the person did: ticked the box, signed.")
    source = Text(required=False, allow_blank=True, max_length=1_000, help_text="Page, form or document.")  # type: ignore[assignment]
    ip = serializers.IPAddressField(required=False)
    user_agent = Text(required=False, allow_blank=True, max_length=1_000)
    document = Text(required=False, allow_blank=True, max_length=1_000, help_text="Where the original is kept.")


class ConsentIn(StrictSerializer):
    kind = serializers.ChoiceField(choices=KINDS)
    brand = Text(required=False, allow_null=True, max_length=40, help_text="Slug. An opt-out without: every brand.")
    purposes = serializers.ListField(
        child=serializers.ChoiceField(choices=PURPOSES),
        required=False,
        allow_empty=False,
        max_length=3,
        help_text="An opt-out without: every purpose.",
    )
    source = serializers.ChoiceField(choices=SOURCES)  # type: ignore[assignment]
    basis = serializers.ChoiceField(choices=BASES, required=False, help_text="Of an opt-in.")
    proof = ProofIn(required=False, help_text="Of an opt-in.")
    occurred_at = Moment(required=False, help_text="When the person said so; left out: now.")
    expires_at = Moment(required=False, help_text="Of an opt-in: when it ends.")
    note = Text(required=False, allow_blank=True, max_length=1_000, help_text="Of an opt-out.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_opt_in = attrs["kind"] == EventKind.OPT_IN
        needed = ("brand", "purposes", "basis", "proof") if is_opt_in else ()
        refused = ("note",) if is_opt_in else ("basis", "expires_at")
        faults = {name: ErrorDetail("An opt-in needs this.", "required") for name in needed if not attrs.get(name)}
        faults |= {
            name: ErrorDetail(f"Not for {attrs['kind']}.", "not_here") for name in refused if attrs.get(name)
        }
        if is_opt_in and attrs["source"] == ConsentSource.COMPLAINT:
            faults["source"] = ErrorDetail("A complaint is no opt-in.", "not_here")
        if faults:
            raise serializers.ValidationError(faults)
        return attrs


class ConsentOut(StrictSerializer):
    id = serializers.SerializerMethodField()
    kind = serializers.ChoiceField(choices=EventKind.choices)
    brand = Text(source="brand.slug", default=None, allow_null=True, help_text="null: every brand.")
    purposes = serializers.ListField(child=Text(), help_text='["*"]: every purpose.')
    basis = Text()
    source = serializers.ChoiceField(choices=ConsentSource.choices)  # type: ignore[assignment]
    actor = Text(help_text="Who recorded it: a user, a key; empty: the person.")
    has_evidence = serializers.SerializerMethodField()
    occurred_at = Moment()
    recorded_at = Moment()

    def get_id(self, event: ConsentEvent) -> str:
        return f"evt_{event.hash[:32]}"

    def get_has_evidence(self, event: ConsentEvent) -> bool:
        return hasattr(event, "evidence")


_OPT_IN = OpenApiExample(
    "Opt-in on a web form",
    {
        "kind": "opt_in",
        "brand": "acme",
        "purposes": ["marketing"],
        "basis": "express_written",
        "source": "web_form",
        "proof": {
            "wording": "Text me offers, up to 4 a month. Reply STOP to cancel.",
            "method": "web_form",
            "act": "ticked the box",
            "source": "https://shop.example/checkout",
            "ip": "192.0.2.17",
        },
        "occurred_at": "2026-11-23T18:00:00Z",
    },
    request_only=True,
)
_OPT_OUT = OpenApiExample(
    "Opt-out by telephone",
    {"kind": "opt_out", "source": "verbal", "note": "Called the shop and asked to get no more texts."},
    request_only=True,
)


class Consents(views.Endpoint):
    id_prefix = "con"
    scopes = {"list": Scope.CONTACTS_READ, "create": Scope.CONTACTS_WRITE}
    orderings = ("recorded_at", "-recorded_at")
    queryset = ConsentEvent.objects.all()

    @extend_schema(responses=ConsentOut(many=True), summary="The consent history of a contact")
    def list(self, request: Request, id: str) -> Response:
        contact = views.find(Contact.objects.all(), id, prefix="con")
        return self.page(consent.history(contact.subscriber_key), ConsentOut)

    @extend_schema(
        request=ConsentIn,
        responses={201: ConsentOut},
        summary="Record an opt-in or an opt-out",
        examples=[_OPT_IN, _OPT_OUT],
    )
    @idempotency.once
    def create(self, request: Request, id: str) -> Response:
        """A standing opt-out is lifted only by the phone itself: START, or the page behind a link texted to it."""
        contact = views.find(Contact.objects.all(), id, prefix="con")
        given = views.read(request, ConsentIn)
        record = _opt_in if given["kind"] == EventKind.OPT_IN else _opt_out
        return Response(ConsentOut(record(contact, given, by=keys.of(request).prefix)).data, status=201)


def _opt_in(contact: Contact, given: dict[str, Any], *, by: str) -> ConsentEvent:
    now = timezone.now()
    return consent.opt_in(
        contact,
        brand=brand_of(given["brand"]),
        purposes=[Purpose(purpose) for purpose in given["purposes"]],
        basis=Basis(given["basis"]),
        source=ConsentSource(given["source"]),
        proof=_proof(given["proof"]),
        occurred_at=given.get("occurred_at", now),
        now=now,
        by=by,
        expires_at=given.get("expires_at"),
    )


def _opt_out(contact: Contact, given: dict[str, Any], *, by: str) -> ConsentEvent:
    now = timezone.now()
    return consent.opt_out(
        contact,
        brand=brand_of(given["brand"]) if given.get("brand") else None,
        purposes=given.get("purposes", ("*",)),
        source=ConsentSource(given["source"]),
        proof=_proof(given["proof"]) if "proof" in given else None,
        occurred_at=given.get("occurred_at", now),
        now=now,
        by=by,
        note=given.get("note", ""),
    )


def _proof(given: dict[str, str]) -> consent.Proof:
    return consent.Proof(
        wording=given["wording"],
        method=given["method"],
        act=given["act"],
        source=given.get("source", ""),
        ip=given.get("ip", ""),
        user_agent=given.get("user_agent", ""),
        document=given.get("document", ""),
    )
