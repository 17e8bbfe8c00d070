from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from campaigns import forms, lanes
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

    def save_model(self, request: HttpRequest, obj: Sender, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        lanes.ensure(obj)

    @admin.display(description="Can be answered", boolean=True)
    def two_way(self, sender: Sender) -> bool:
        return sender.is_two_way
