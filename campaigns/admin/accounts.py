from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from campaigns import accounts, circuit, forms, views
from campaigns.models import GatewayAccount
from smsdesk.admin import BaseModelAdmin
from smsdesk.errors import DomainError


@admin.register(GatewayAccount)
class GatewayAccountAdmin(BaseModelAdmin):
    """Our accounts at providers. Credentials go in and never come out."""

    list_display = ["name", "kind", "pill", "is_simulator", "base_url"]
    list_filter = ["kind", "is_simulator"]
    search_fields = ["name"]
    ordering = ["name"]
    actions = ["pause", "resume"]
    form = forms.AccountForm

    def get_fieldsets(self, request: HttpRequest, obj: GatewayAccount | None = None) -> Any:
        own = ["name", "kind", "base_url", "is_simulator", "max_calls"]
        if obj is None:
            return [(None, {"fields": own, "description": "The credentials are asked for on the next page."})]
        sets = [
            (None, {"fields": [*own, "pill"]}),
            ("Credentials", {"fields": [*forms.credential_names(obj.kind)]}),
        ]
        if request.user.is_superuser:
            sets.append(("Addresses for the provider", {"fields": ["hook_urls"]}))
        return sets

    def get_readonly_fields(self, request: HttpRequest, obj: GatewayAccount | None = None) -> list[str]:
        return ["kind", "pill", "hook_urls"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        if obj is not None:
            options["form"] = forms.account_form(obj.kind, stored=_stored(obj))
            options["fields"] = None
        return super().get_form(request, obj, change, **options)

    def save_model(self, request: HttpRequest, obj: GatewayAccount, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        prefix = forms.CREDENTIAL
        given = {name.removeprefix(prefix): v for name, v in form.cleaned_data.items() if name.startswith(prefix)}
        if any(given.values()):
            accounts.store_credentials(obj, given)
        circuit.try_now(obj.pk, now=timezone.now())

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        """Straight on to the credentials."""
        messages.success(request, f"{obj.name} is there. Now its credentials.")
        return redirect("admin:campaigns_gatewayaccount_change", obj.pk)

    @admin.display(description="State")
    def pill(self, account: GatewayAccount) -> SafeString:
        if account.paused_at is not None:
            return format_html('<span class="pill pill-bad">Paused</span> {}', account.paused_reason)
        if not account.credentials:
            return format_html('<span class="pill pill-wait">{}</span>', "No credentials")
        words = circuit.sentence(account, now=timezone.now())
        if words:
            label = "Being tried" if circuit.state(account, now=timezone.now()) == "half_open" else "No answer"
            return format_html('<span class="pill pill-wait">{}</span> {}', label, words)
        return format_html('<span class="pill pill-ok">{}</span>', "Ready")

    @admin.display(description="Webhooks")
    def hook_urls(self, account: GatewayAccount) -> SafeString:
        base = accounts.hook_base(account)
        return format_html(
            '<dl class="facts"><dt>Receipts</dt><dd><code>{}status/</code></dd>'
            "<dt>Inbound texts</dt><dd><code>{}inbound/</code></dd></dl>"
            "They contain a secret: whoever knows them can speak as the provider.",
            base,
            base,
        )

    @admin.action(description="Pause: nothing leaves through them", permissions=["change"])
    def pause(self, request: HttpRequest, chosen: "QuerySet[GatewayAccount]") -> None:
        now, by = timezone.now(), views.operator(request)
        paused = [a.name for a in chosen if accounts.pause(a.pk, reason=f"Paused by {by}.", now=now, by=by)]
        self._tell(request, chosen, paused, "Paused")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, chosen: "QuerySet[GatewayAccount]") -> None:
        now = timezone.now()
        self._tell(request, chosen, [a.name for a in chosen if accounts.resume(a.pk, now=now)], "Resumed")

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "<int:pk>/resume/", self.admin_site.admin_view(self.resume_one), name="campaigns_gatewayaccount_resume"
        )
        return [own, *super().get_urls()]

    @method_decorator(require_POST)
    def resume_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The dashboard's button."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        account = get_object_or_404(GatewayAccount, pk=pk)
        if accounts.resume(account.pk, now=timezone.now()):
            self.log_change(request, account, "Resumed.")
            messages.success(request, f"{account.name} sends again.")
        else:
            messages.info(request, f"{account.name} was not stopped any more.")
        return redirect("admin:index")

    def _tell(self, request: HttpRequest, chosen: "QuerySet[GatewayAccount]", names: list[str], said: str) -> None:
        for account in chosen:
            if account.name in names:
                self.log_change(request, account, f"{said}.")
        messages.success(request, f"{said}: {', '.join(names)}." if names else "Nothing had to be changed.")


def _stored(account: GatewayAccount) -> dict[str, str]:
    """The credentials that are there; none where another key sealed them, so that all are asked for."""
    try:
        return {name: value for name, value in accounts.credentials(account).items() if value}
    except DomainError:
        return {}
