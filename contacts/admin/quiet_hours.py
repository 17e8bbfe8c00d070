from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from contacts import rule_book
from contacts.forms import ClosedDayForm, QuietHoursForm
from contacts.models import ClosedDay, QuietHoursRule
from contacts.models.quiet_hours import WEEKDAYS
from smsdesk.admin import BaseModelAdmin


@admin.register(QuietHoursRule)
class QuietHoursRuleAdmin(BaseModelAdmin):
    form = QuietHoursForm
    list_display = [
        "code", "open_hours", "closed_on_holidays", "daily_most", "profile", "confidence_words", "is_active",
        "verified_on", "edited_by",
    ]  # fmt: skip
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

    @admin.display(description="Stands for", ordering="replaces")
    def profile(self, rule: QuietHoursRule) -> str:
        return f"every row of {rule.replaces}" if rule.replaces else "—"

    @admin.display(description="Open (local time)")
    def open_hours(self, rule: QuietHoursRule) -> str:
        days = [f"{day} {'–'.join(rule.windows[day])}" for day in WEEKDAYS if day in rule.windows]
        return ", ".join(days) or "Never"

    @admin.display(description="Confidence")
    def confidence_words(self, rule: QuietHoursRule) -> str:
        return "Unverified: strict reading" if rule.confidence == "low" else rule.confidence.capitalize()


@admin.register(ClosedDay)
class ClosedDayAdmin(BaseModelAdmin):
    """Days on which nothing may be sent, besides public holidays."""

    form = ClosedDayForm
    list_display = ["day", "code", "reason", "added_by"]
    list_filter = ["code"]
    date_hierarchy = "day"
    actions = None

    def save_model(self, request: HttpRequest, obj: ClosedDay, form: Any, change: bool) -> None:
        obj.added_by = request.user.get_username()[:150]
        super().save_model(request, obj, form, change)
        rule_book.forget()

    def delete_model(self, request: HttpRequest, obj: ClosedDay) -> None:
        super().delete_model(request, obj)
        rule_book.forget()
