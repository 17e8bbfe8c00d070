"""The rules in force: what a system that plans sends must know. Changed by people, in the desk."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import gathering
from contacts.models import ClosedDay, FrequencyCap, QuietHoursRule
from smsdesk.api import views
from smsdesk.api.fields import StrictSerializer, Text
from smsdesk.models import Scope


class QuietHoursOut(StrictSerializer):
    code = Text(help_text="* (no row of its own), a country, a US state (US-TX) or a profile.")
    windows = serializers.DictField(
        child=serializers.ListField(child=Text()), help_text="Day: opening and closing, local, half-open."
    )
    closed_on_holidays = serializers.BooleanField()
    daily_most = serializers.IntegerField(allow_null=True, help_text="Marketing messages in 24 hours.")
    replaces = Text(help_text="The country for all of whose rows this profile stands.")
    is_active = serializers.BooleanField()
    source = Text()  # type: ignore[assignment]  # a field of this name
    confidence = Text(help_text="low: unverified, the stricter reading.")
    verified_on = serializers.DateField(allow_null=True)


class ClosedDayOut(StrictSerializer):
    code = Text()
    day = serializers.DateField()
    reason = Text()


class FrequencyCapOut(StrictSerializer):
    brand = Text(source="brand.slug", default=None, allow_null=True, help_text="null: all brands count together.")
    purpose = Text()
    most = serializers.IntegerField()
    period = Text(help_text="hours (rolling) or month (calendar, UTC).")
    hours = serializers.IntegerField()
    when_capped = Text(help_text="wait or skip.")


class RulesOut(StrictSerializer):
    version = Text(help_text="Changes with any row; each decision names the one it was made by.")
    quiet_hours = QuietHoursOut(many=True)
    closed_days = ClosedDayOut(many=True)
    frequency_caps = FrequencyCapOut(many=True)


class Rules(views.Endpoint):
    scopes = {"retrieve": Scope.CONTACTS_READ}
    queryset = QuietHoursRule.objects.all()

    @extend_schema(responses=RulesOut, summary="Read the rules in force", operation_id="rules_read")
    def retrieve(self, request: Request) -> Response:
        """Quiet hours, closed days and frequency caps, all rows of them."""
        caps = FrequencyCap.objects.filter(is_active=True).select_related("brand").order_by("pk")
        rules = {
            "version": gathering.rules_version(),
            "quiet_hours": QuietHoursRule.objects.order_by("code"),
            "closed_days": ClosedDay.objects.order_by("day", "code"),
            "frequency_caps": caps,
        }
        return Response(RulesOut(rules).data)
