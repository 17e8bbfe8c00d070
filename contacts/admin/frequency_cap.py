from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from contacts import frequency
from contacts.models import FrequencyCap
from smsdesk.admin import BaseModelAdmin


@admin.register(FrequencyCap)
class FrequencyCapAdmin(BaseModelAdmin):
    """How often one person may be written to, across campaigns."""

    list_display = ["__str__", "whose", "purpose", "when_capped", "is_active"]
    list_filter = ["is_active", "purpose", "brand"]
    list_select_related = ["brand"]
    fields = ["brand", "purpose", "most", "period", "hours", "when_capped", "is_active"]
    actions = None

    def save_model(self, request: HttpRequest, obj: FrequencyCap, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        frequency.forget()

    def delete_model(self, request: HttpRequest, obj: FrequencyCap) -> None:
        super().delete_model(request, obj)
        frequency.forget()

    @admin.display(description="Brand", ordering="brand")
    def whose(self, cap: FrequencyCap) -> str:
        return str(cap.brand) if cap.brand else "All brands together"
