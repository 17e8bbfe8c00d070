from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from contacts import import_views
from contacts.models import ContactImport, ImportState
from smsdesk.admin import BaseModelAdmin


@admin.register(ContactImport)
class ContactImportAdmin(BaseModelAdmin):
    """The list is Django's; every other page is a step of the import."""

    list_display = ["filename", "state_pill", "created", "updated", "invalid", "created_by", "created_at"]
    list_filter = ["state"]
    list_select_related = ["created_by"]
    ordering = ["-id"]
    actions = None
    change_list_template = "contacts/import_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactImport]:
        return super().get_queryset(request).exclude(sha256="")  # an upload that broke off

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<int:pk>/{name}", self.admin_site.admin_view(view), name=f"contacts_contactimport_{label}")
            for name, label, view in (
                ("columns/", "columns", import_views.columns),
                ("preview/", "preview", import_views.preview),
                ("forecast/", "forecast", import_views.forecast),
                ("check/", "check", import_views.check),
                ("stop-check/", "stop_check", import_views.stop_check),
                ("progress/", "progress", import_views.progress),
                ("start/", "start", import_views.start),
                ("cancel/", "cancel", import_views.cancel),
                ("resume/", "resume", import_views.resume),
                ("undo/", "undo", import_views.undo),
                ("errors.csv", "errors", import_views.errors_csv),
            )
        ]
        return own + super().get_urls()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return import_views.upload(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not (object_id.isascii() and object_id.isdigit()):
            raise Http404("There is no such import.")
        return import_views.show(request, pk=int(object_id))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.import_contact")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.import_contact")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.import_contact")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.import_contact")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the consent ledger names its imports

    @admin.display(description="State", ordering="state")
    def state_pill(self, contact_import: ContactImport) -> str:
        pill = import_views.PILLS[ImportState(contact_import.state)]
        return format_html('<span class="pill {}">{}</span>', pill, contact_import.get_state_display())
