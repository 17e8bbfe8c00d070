from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from contacts import rule_book
from contacts.forms import QuietHoursForm
from contacts.models import QuietHoursRule
from contacts.models.quiet_hours import WEEKDAYS
from smsdesk.admin import BaseModelAdmin


@admin.register(QuietHoursRule)
class QuietHoursRuleAdmin(BaseModelAdmin):
    form = QuietHoursForm
    list_display = ["code", "open_hours", "closed_on_holidays", "confidence_words", "is_active", "edited_by"]
    list_filter = ["is_active", "confidence", "kind"]
    search_fields = ["code"]
    readonly_fields = ["edited_by", "edited_at"]
    actions = None

    def save_model(self, request: HttpRequest, obj: QuietHoursRule, form: Any, change: bool) -> None:
        obj.edited_by = request.user.get_username()[:150]
        super().save_model(request, obj, form, change)
        rule_book.forget()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a rule that should not apply is switched off, and stays visible

    @admin.display(description="Open (local time)")
    def open_hours(self, rule: QuietHoursRule) -> str:
        days = [f"{day} {'–'.join(rule.windows[day])}" for day in WEEKDAYS if day in rule.windows]
        return ", ".join(days) or "Never"

    @admin.display(description="Confidence")
    def confidence_words(self, rule: QuietHoursRule) -> str:
        return "Unverified: strict reading" if rule.confidence == "low" else rule.confidence.capitalize()
