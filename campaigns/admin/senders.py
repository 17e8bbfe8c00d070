from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from campaigns import allowances, forms, lanes
from campaigns.models import Sender
from smsdesk.admin import BaseModelAdmin


@admin.register(Sender)
class SenderAdmin(BaseModelAdmin):
    """Our numbers and names."""

    form = forms.SenderForm
    list_display = ["value", "kind", "brand", "account", "country", "parts_per_second", "two_way", "is_registered"]
    list_filter = ["kind", "brand", "account", "is_registered"]
    list_select_related = ["brand", "account"]
    search_fields = ["value"]
    ordering = ["brand__name", "value"]
    readonly_fields = ["today"]

    def save_model(self, request: HttpRequest, obj: Sender, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        lanes.ensure(obj)

    @admin.display(description="Today")
    def today(self, sender: Sender) -> str:
        if sender._state.adding:
            return "—"
        told = [allowances.sentence(one) for one in allowances.standings(sender, at=timezone.now())]
        return " ".join(told) or "Neither this sender nor its brand has a daily cap."

    @admin.display(description="Can be answered", boolean=True)
    def two_way(self, sender: Sender) -> bool:
        return sender.is_two_way
