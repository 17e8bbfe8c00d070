"""The desk's admin: own site, one base for people-written rows, one for machine-written rows."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import JSONField, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from smsdesk import dashboard, json_field
from smsdesk.errors import DomainError

# Their own pages can run any function or show login attempts: for superusers, to look at.
LIBRARIES = frozenset({"django_q", "axes"})
View = TypeVar("View", bound=Callable[..., Any])
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
                chosen = _laid_over(SuperuserReadOnly, admin_class, name=f"ReadOnly{model.__name__}Admin")
            elif admin_class is None or not issubclass(admin_class, BaseModelAdmin):
                chosen = _laid_over(BaseModelAdmin, admin_class, name=f"Desk{model.__name__}Admin")
            super().register(model, chosen, **options)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        own = path("checklist/dismiss/", self.admin_view(dismiss_checklist), name="dismiss_checklist")
        return [own, *super().get_urls()]

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        page = super().admin_view(view, cacheable)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **named: Any) -> Any:
            _refuse_impossible_ids(request)
            return page(request, *args, **named)

        return cast(View, guarded)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if context["has_permission"]:
            context["desk_nav"] = dashboard.navigation_for(request)
            context["desk_alarms"] = dashboard.alarms_for(request)
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().index(request, {**dashboard.contents(request), **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: ORDER.index(app["app_label"]) if app["app_label"] in ORDER else 99)


def _laid_over(rules: type, page: type[admin.ModelAdmin[Any]] | None, *, name: str) -> type[admin.ModelAdmin[Any]]:
    return type(name, (rules, page or admin.ModelAdmin), {})


_MOST_DIGITS = 18  # of an id; SQLite cannot even compare a longer one


def _refuse_impossible_ids(request: HttpRequest) -> None:
    place = request.resolver_match
    named = place.kwargs.values() if place else ()
    is_list = place is not None and (place.url_name or "").endswith("_changelist")
    asked = [value for name in request.GET if name != "q" for value in request.GET.getlist(name) if is_list]
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME) if request.method == "POST" else []
    texts = [str(value) for value in (*named, *asked, *chosen)]
    if any(len(text) > _MOST_DIGITS and text.lstrip("-").isdigit() for text in texts):
        raise Http404("There is no row of this number.")


@require_POST
def dismiss_checklist(request: HttpRequest) -> HttpResponse:
    request.session[dashboard.DISMISSED] = True
    return redirect("admin:index")


# How the filters of a list ask: by value, by row, by emptiness, by time.
_BY_VALUE = ("", "exact", "in", "isnull", "isempty", "gt", "gte", "lt", "lte")
_LOOKUPS = frozenset({*_BY_VALUE, "id__exact", "pk__exact", "id__in", "year", "month", "day"})


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than anybody pages: the ledger may hold a hundred million rows."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[: self.MOST].count() if isinstance(rows, QuerySet) else len(rows)

    @property
    def is_bounded(self) -> bool:
        """Whether there may be more than were counted."""
        return self.count >= self.MOST


class BaseModelAdmin(admin.ModelAdmin[Any]):
    """Base of every admin page: a `DomainError` becomes a message, and nothing typed is lost."""

    show_full_result_count = False
    formfield_overrides = {JSONField: {"form_class": json_field.JSONField}}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the list offers. Django lets any column through, so what a page hides could be guessed."""
        column, _, how = lookup.partition("__")
        offered = {_parameter(one) for one in self.get_list_filter(request)}
        if self.date_hierarchy:
            offered.add(self.date_hierarchy)
        if column not in offered | {self.opts.pk.name} or how not in _LOOKUPS:
            return False
        return super().lookup_allowed(lookup, value, request)

    def response_action(
        self, request: HttpRequest, queryset: "QuerySet[Any]", *more: Any, **named: Any
    ) -> HttpResponse | None:
        try:
            for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(chosen)
        except ValidationError:
            messages.error(request, "Nothing was done: choose rows of this list.")
            return redirect(request.get_full_path())
        return super().response_action(request, queryset, *more, **named)

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


def _parameter(filter_: Any) -> str:
    """The column, or whatever name, that a filter of a list goes by in an address."""
    chosen = filter_[0] if isinstance(filter_, tuple) else filter_
    own = chosen.parameter_name if isinstance(chosen, type) and issubclass(chosen, SimpleListFilter) else chosen
    return str(own).partition("__")[0]


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
