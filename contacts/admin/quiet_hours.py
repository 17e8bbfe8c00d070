from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone

from contacts import profiles, rule_book
from contacts.forms import ClosedDayForm, QuietHoursForm
from contacts.models import ClosedDay, QuietHoursRule
from smsdesk.admin import BaseModelAdmin
from smsdesk.errors import DomainError


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

    change_list_template = "contacts/quiet_hours_list.html"

    def get_urls(self) -> list[URLPattern]:
        choose = path("profile/", self.admin_site.admin_view(self.choose), name="contacts_quiethoursrule_choose")
        return [choose, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        page: HttpResponse = super().changelist_view(
            request,
            {
                **(extra_context or {}),
                "profile_choices": profiles.choices(),
                "may_choose": self.has_change_permission(request),
            },
        )
        return page

    def choose(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        country, code = request.POST.get("country", ""), request.POST.get("profile", "")
        by = request.user.get_username()
        try:
            profiles.choose(country, code, by=by, now=timezone.now())
        except DomainError as error:
            messages.error(request, error.sentence())
        else:
            messages.success(
                request, f"For {country}, {code + ' alone' if code else 'the table'} is used from now on."
            )
        return redirect("admin:contacts_quiethoursrule_changelist")

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
        return rule.week_in_words

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
