"""Contacts: add, change, read. Consent is not a field of a contact; it has its own resource with its proof."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import people, uniting
from contacts.api.filters import ContactFilters
from contacts.models import Brand, ConsentState, Contact, Suppression
from smsdesk import phones
from smsdesk.api import idempotency, keys, views
from smsdesk.api.fields import Moment, Ref, StrictSerializer, Text
from smsdesk.errors import Invalid
from smsdesk.models import Scope


class ContactFields(StrictSerializer):
    """What may be changed. The phone may not: it is who the contact is."""

    name = Text(required=False, allow_blank=True, max_length=120)
    external_id = Text(required=False, allow_blank=True, allow_null=True, max_length=100, help_text="Your id.")
    language = Text(required=False, allow_blank=True, max_length=10, help_text="For example en or pt-BR.")
    region = Text(required=False, allow_blank=True, max_length=2, help_text="US state of the postal address.")
    time_zone = Text(required=False, allow_blank=True, max_length=64, help_text="For example America/Chicago.")
    birth_date = Text(
        required=False, allow_blank=True, allow_null=True, max_length=10, help_text="1990-05-17, for age checks."
    )
    line_type = Text(
        required=False, allow_blank=True, max_length=10, help_text="Of a number lookup: mobile, fixed or toll_free."
    )
    attributes = serializers.DictField(
        required=False, help_text='Extra fields for texts. Given ones are merged in; "" removes one.'
    )


class ContactIn(ContactFields):
    phone = Text(max_length=40, help_text="E.164, for example +12125550123.")


class ContactUpsert(ContactIn):
    external_id = None  # type: ignore[assignment]  # it stands in the address


class ContactOut(StrictSerializer):
    id = Ref(prefix="con", source="public_id")
    phone = Text()
    name = Text()
    external_id = Text(allow_null=True)
    language = Text()
    country = Text(help_text="Of the number; empty when unknown.")
    region = Text()
    time_zone = Text()
    birth_date = Text(allow_null=True)
    line_type = Text(help_text="Of a number lookup; empty when none was made.")
    attributes = serializers.DictField(child=Text())
    lists = serializers.SerializerMethodField()
    tags = serializers.SerializerMethodField()
    dead_since = Moment(help_text="When the carrier reported the number as gone.", allow_null=True)
    last_inbound_at = Moment(allow_null=True)
    created_at = Moment()
    updated_at = Moment()

    def get_lists(self, contact: Contact) -> list[str]:
        return sorted(one.name for one in contact.lists.all())

    def get_tags(self, contact: Contact) -> list[str]:
        return [one.name for one in sorted(contact.tags.all(), key=lambda tag: tag.folded_name)]


class ConsentNow(StrictSerializer):
    brand = Text()
    purpose = Text()
    is_active = serializers.BooleanField()
    is_proven = serializers.BooleanField()
    basis = Text()
    occurred_at = Moment()
    expires_at = Moment(allow_null=True)


class SuppressionNow(StrictSerializer):
    brand = Text(allow_null=True, help_text="null: of every brand.")
    purpose = Text(help_text="*: for every purpose.")
    source = Text()  # type: ignore[assignment]
    since = Moment()


class ContactWithConsent(ContactOut):
    consents = ConsentNow(many=True, help_text="What this phone has agreed to.")
    suppressions = SuppressionNow(many=True, help_text="Standing opt-outs; nothing here lifts them.")


_EXAMPLE = OpenApiExample(
    "Ann",
    {"phone": "+12125550123", "name": "Ann Lee", "external_id": "1001", "attributes": {"city": "Boston"}},
    request_only=True,
)


class Contacts(views.Endpoint):
    id_prefix = "con"
    scopes = {
        "list": Scope.CONTACTS_READ,
        "retrieve": Scope.CONTACTS_READ,
        "create": Scope.CONTACTS_WRITE,
        "partial_update": Scope.CONTACTS_WRITE,
        "upsert": Scope.CONTACTS_WRITE,
    }
    queryset = Contact.objects.prefetch_related("lists", "tags")
    filterset_class = ContactFilters

    @extend_schema(responses=ContactOut(many=True), summary="List contacts")
    def list(self, request: Request) -> Response:
        return self.page(self.get_queryset(), ContactOut)

    @extend_schema(request=ContactIn, responses={201: ContactOut}, summary="Add a contact", examples=[_EXAMPLE])
    @idempotency.once
    def create(self, request: Request) -> Response:
        """A phone, or an alias form of it, that is known already is a 409."""
        fields = views.read(request, ContactIn)
        phone = phones.parse(fields.pop("phone"), default_region="")
        return _answer(people.add(phone, fields=fields, now=timezone.now()), status=201)

    @extend_schema(responses=ContactWithConsent, summary="Read a contact and its consent")
    def retrieve(self, request: Request, id: str) -> Response:
        contact = views.find(self.get_queryset(), id, prefix="con")
        about = {**ContactOut(contact).data, **_consent_of(contact)}
        return Response(about)

    @extend_schema(request=ContactFields, responses=ContactOut, summary="Change a contact")
    def partial_update(self, request: Request, id: str) -> Response:
        """What you leave out stays as it is."""
        contact = views.find(self.get_queryset(), id, prefix="con")
        return _answer(people.change(contact, fields=views.read_some(request, ContactFields)), status=200)

    @extend_schema(
        request=ContactUpsert,
        responses={200: ContactOut, 201: ContactOut},
        summary="Add or change the contact of your id",
        operation_id="contacts_upsert",
    )
    def upsert(self, request: Request, external_id: str) -> Response:
        """Consent and opt-outs stay as they are, whether the contact is new or not."""
        fields = views.read(request, ContactUpsert)
        phone = phones.parse(fields.pop("phone"), default_region="")
        contact, is_new = people.upsert(external_id=external_id, phone=phone, fields=fields, now=timezone.now())
        return _answer(contact, status=201 if is_new else 200)


class MergeIn(StrictSerializer):
    other = Ref(prefix="con", help_text="The contact that goes.")


class Merges(views.Endpoint):
    id_prefix = "con"
    scopes = {"create": Scope.CONTACTS_MERGE}  # as in the admin, where it takes a right of its own
    queryset = Contact.objects.all()

    @extend_schema(
        request=MergeIn,
        responses={200: ContactOut},
        summary="Merge another contact into this one",
        operation_id="contacts_merge",
    )
    @idempotency.once
    def create(self, request: Request, id: str) -> Response:
        """One person, two phones. The other contact goes for good; the strictest consent wins for both phones, and
        consent given on one phone is never consent for the other."""
        kept = views.find(self.get_queryset(), id, prefix="con")
        asked, key = views.read(request, MergeIn)["other"], keys.of(request)
        other = Contact.objects.filter(public_id=asked).first()
        if other is None:
            raise Invalid("unknown_contact", "There is no such contact.", field="other", cure="Read its id again.")
        return _answer(uniting.unite(kept, other, by=key.owner, actor=key.prefix, now=timezone.now()), status=200)


def _answer(contact: Contact, *, status: int) -> Response:
    return Response(ContactOut(contact).data, status=status)


def _consent_of(contact: Contact) -> dict[str, Any]:
    slugs = dict(Brand.objects.values_list("pk", "slug"))
    states = ConsentState.objects.filter(subscriber_key=contact.subscriber_key).order_by("brand_id", "purpose")
    standing = Suppression.objects.filter(subscriber_key=contact.subscriber_key, lifted_by=None).order_by("since")
    consents = [
        {**{name: getattr(state, name) for name in _STATE_FIELDS}, "brand": slugs[state.brand_id]}
        for state in states
    ]
    suppressions = [
        {
            "brand": slugs[one.brand_id] if one.brand_id else None,
            "purpose": one.purpose,
            "source": one.source,
            "since": one.since,
        }
        for one in standing
    ]
    return {
        "consents": ConsentNow(consents, many=True).data,
        "suppressions": SuppressionNow(suppressions, many=True).data,
    }


_STATE_FIELDS = ("purpose", "is_active", "is_proven", "basis", "occurred_at", "expires_at")
