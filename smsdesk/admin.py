"""The desk's admin: own site, one base for people-written rows, one for machine-written rows."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from smsdesk import dashboard
from smsdesk.errors import DomainError

# Their own pages can run any function or show login attempts: for superusers, to look at.
LIBRARIES = frozenset({"django_q", "axes"})
ORDER = ("inbound", "campaigns", "contacts", "smsdesk", "auth")


class DeskSite(admin.AdminSite):
    site_header = "smsdesk"
    site_title = "smsdesk"
    index_title = "Dashboard"
    enable_nav_sidebar = True
    site_url = None  # there is no other site to view

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: type[admin.ModelAdmin[Any]] | None = None,
        **options: Any,
    ) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        for model in models:
            chosen = admin_class
            if model._meta.app_label in LIBRARIES:
                bases = (SuperuserReadOnly, admin_class or admin.ModelAdmin)
                chosen = type(f"ReadOnly{model.__name__}Admin", bases, {})
            super().register(model, chosen, **options)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        own = path("checklist/dismiss/", self.admin_view(dismiss_checklist), name="dismiss_checklist")
        return [own, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if context["has_permission"]:
            context["desk_nav"] = dashboard.navigation_for(request)
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().index(request, {**dashboard.contents(request), **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: ORDER.index(app["app_label"]) if app["app_label"] in ORDER else 99)


@require_POST
def dismiss_checklist(request: HttpRequest) -> HttpResponse:
    request.session[dashboard.DISMISSED] = True
    return redirect("admin:index")


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than anybody pages: the ledger may hold a hundred million rows."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[: self.MOST].count() if isinstance(rows, QuerySet) else len(rows)


class BaseModelAdmin(admin.ModelAdmin[Any]):
    """Base of every admin page: a `DomainError` becomes a message, and nothing typed is lost."""

    show_full_result_count = False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            messages.error(request, error.sentence())
            return redirect(request.get_full_path())


class _NeverWritten:
    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyModelAdmin(_NeverWritten, BaseModelAdmin):
    """For rows a machine writes: nobody adds, changes or deletes them here."""

    actions = None


class SuperuserReadOnly(_NeverWritten):
    """Laid over a library's own admin page."""

    actions = None

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)
