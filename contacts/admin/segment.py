from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path

from contacts import export_views, segment_views
from contacts.models import Segment
from smsdesk.admin import BaseModelAdmin


@admin.register(Segment)
class SegmentAdmin(BaseModelAdmin):
    """The list and deleting are Django's; the builder is ours."""

    list_display = ["name", "description", "created_by", "updated_at"]
    list_select_related = ["created_by"]
    search_fields = ["name"]
    ordering = ["name"]
    actions = None
    change_list_template = "contacts/segment_list.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("preview/", wrap(segment_views.preview), name="contacts_segment_preview"),
            path("<int:pk>/export/", wrap(export_views.of_segment), name="contacts_segment_export"),
        ]
        return own + super().get_urls()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return segment_views.edit(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            raise Http404("There is no such segment.")
        return segment_views.edit(request, int(object_id))
