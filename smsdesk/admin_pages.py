"""Admin of API keys: a key is shown once, when it is made; afterwards it can only be revoked."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from smsdesk import dashboard
from smsdesk.admin import BaseModelAdmin
from smsdesk.api import keys
from smsdesk.models import ApiKey, Scope


class KeyForm(forms.ModelForm[ApiKey]):
    mode = forms.ChoiceField(
        choices=[("live", "Live"), ("test", "Test")],
        help_text="A test key's messages go to simulator accounts only.",
    )
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = ApiKey
        fields = ["name", "expires_at", "requests_per_minute"]

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError("Choose a time that is still to come, or leave it empty.")
        return expires_at


@admin.register(ApiKey)
class ApiKeyAdmin(BaseModelAdmin):
    list_display = ["name", "prefix", "state", "owner", "scope_words", "created_at", "last_used_at", "expires_at"]
    list_select_related = ["owner"]
    search_fields = ["name", "prefix"]
    ordering = ["-created_at"]
    actions = ["revoke"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        return super().get_form(request, obj, change, **options) if change else KeyForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["name", "mode", "scopes", "expires_at", "requests_per_minute"]
        return ["name", "prefix", "state", "owner", "scope_words", "expires_at", "requests_per_minute", *_TIMES]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)  # the list's actions, not the rows

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the ledger names its keys

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key, request.issued_text = keys.issue(  # type: ignore[attr-defined]
            name=obj.name,
            owner=request.user,  # type: ignore[arg-type]
            scopes=form.cleaned_data["scopes"],
            is_test=form.cleaned_data["mode"] == "test",
            expires_at=obj.expires_at,
            requests_per_minute=obj.requests_per_minute,
        )
        obj.pk = key.pk
        obj.prefix = key.prefix

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The page with the key itself, answered at once: nothing stores it for a redirect to show."""
        return TemplateResponse(
            request,
            "smsdesk/api_key_issued.html",
            {
                **self.admin_site.each_context(request),
                "title": "Your new API key",
                "key": obj,
                "text": request.issued_text,  # type: ignore[attr-defined]
                "opts": self.opts,
            },
        )

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        now = timezone.now()
        for key in chosen:
            keys.revoke(key, now=now)
        messages.success(
            request, f"Revoked: {', '.join(key.prefix for key in chosen)}. They open nothing any more."
        )

    @admin.display(description="State")
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return "Revoked"
        if key.expires_at is not None and key.expires_at <= timezone.now():
            return "Expired"
        return "Test" if key.is_test else "Live"

    @admin.display(description="Scopes")
    def scope_words(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)


_TIMES = ("created_at", "last_used_at", "revoked_at")


@dashboard.lessons.add(permission="smsdesk.view_apikey", order=50)
def first_call(moment: dashboard.Moment) -> list[dashboard.Lesson]:
    used = ApiKey.objects.filter(last_used_at__isnull=False).exists()
    return [dashboard.Lesson("Call the API with a key of yours", used, reverse("admin:smsdesk_apikey_changelist"))]
