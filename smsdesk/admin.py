"""The desk's admin: own site, one base for people-written rows, one for machine-written rows."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from smsdesk.errors import DomainError


class DeskSite(admin.AdminSite):
    site_header = "smsdesk"
    site_title = "smsdesk"
    index_title = "Desk"
    enable_nav_sidebar = True


class BaseModelAdmin(admin.ModelAdmin[Any]):
    """Base of every admin page: a `DomainError` becomes a message, and nothing typed is lost."""

    show_full_result_count = False

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


class ReadOnlyModelAdmin(BaseModelAdmin):
    """For rows a machine writes: nobody adds, changes or deletes them here."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
