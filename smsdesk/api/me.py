"""Who am I: the key this request carries."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from smsdesk.api import keys
from smsdesk.api.fields import Moment, StrictSerializer, Text
from smsdesk.api.views import Endpoint
from smsdesk.models import Scope


class KeyOut(StrictSerializer):
    key = Text(source="prefix", help_text="The public part of the key.")
    name = Text()
    owner = Text(source="owner.get_username")
    mode = serializers.SerializerMethodField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    requests_per_minute = serializers.IntegerField()
    created_at = Moment()
    expires_at = Moment(allow_null=True)
    last_used_at = Moment(allow_null=True)

    def get_mode(self, key: object) -> str:
        return "test" if getattr(key, "is_test", False) else "live"


class Me(Endpoint):
    scopes = {"retrieve": ""}

    @extend_schema(responses=KeyOut, summary="The key of this request")
    def retrieve(self, request: Request) -> Response:
        return Response(KeyOut(keys.of(request)).data)
