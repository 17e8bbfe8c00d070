"""Opt-in forms, to be linked to from other pages; and the link to a person's own page."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import preference_links
from contacts.models import Contact
from inbound import signing_up
from inbound.models import OptInForm
from smsdesk.api import views
from smsdesk.api.fields import Empty, Moment, Ref, StrictSerializer, Text
from smsdesk.models import Scope


class WordingOut(StrictSerializer):
    version = serializers.IntegerField(source="number")
    text = Text(help_text="The words beside the box, to the letter.")
    terms_url = Text()
    privacy_url = Text()
    sha256 = Text(help_text="Of everything shown: text, terms and privacy.")
    created_at = Moment()


class OptInFormOut(StrictSerializer):
    id = Ref(prefix="frm", source="public_id")
    name = Text()
    title = Text()
    brand = Text(source="brand.slug")
    sender = Text(source="sender.value")
    purposes = serializers.ListField(child=Text())
    double_opt_in = serializers.BooleanField(source="asks_for_yes", help_text="Consent begins with YES by text.")
    is_active = serializers.BooleanField()
    url = serializers.SerializerMethodField(help_text="The public page.")
    wording = serializers.SerializerMethodField()
    created_at = Moment()

    def get_url(self, form: OptInForm) -> str:
        return signing_up.form_url(form)

    @extend_schema_field(WordingOut)
    def get_wording(self, form: OptInForm) -> Any:
        return WordingOut(form.wording()).data


class OptInForms(views.Endpoint):
    id_prefix = "frm"
    scopes = {"list": Scope.CONTACTS_READ, "retrieve": Scope.CONTACTS_READ}
    queryset = OptInForm.objects.select_related("brand", "sender")

    @extend_schema(responses=OptInFormOut(many=True), summary="List opt-in forms")
    def list(self, request: Request) -> Response:
        """They are made in the admin: what people read there is proof."""
        return self.page(self.get_queryset(), OptInFormOut)

    @extend_schema(responses=OptInFormOut, summary="Read an opt-in form")
    def retrieve(self, request: Request, id: str) -> Response:
        return Response(OptInFormOut(views.find(self.get_queryset(), id, prefix="frm")).data)


class PreferenceLinkOut(StrictSerializer):
    url = Text(help_text="The person's own page. It opens without signing in: give it to nobody else.")
    expires_at = Moment()


class PreferenceLinks(views.Endpoint):
    id_prefix = "con"
    scopes = {"create": Scope.CONTACTS_WRITE}
    queryset = Contact.objects.all()

    @extend_schema(
        request=Empty,
        responses={201: PreferenceLinkOut},
        summary="Make a link to a contact's preference page",
        operation_id="contacts_preference_link",
    )
    def create(self, request: Request, id: str) -> Response:
        """For mails, accounts and apps. Behind it a person can only switch off; START brings them back."""
        views.read(request, Empty)
        contact = views.find(Contact.objects.all(), id, prefix="con")
        now = timezone.now()
        made = {
            "url": preference_links.of_contact(contact, now=now),
            "expires_at": preference_links.ends_at(now),
        }
        return Response(PreferenceLinkOut(made).data, status=201)
