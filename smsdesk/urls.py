from django.contrib import admin
from django.urls import include, path

from campaigns import status_views
from smsdesk import provider_hooks

urlpatterns = [
    path("", include("inbound.public_urls")),
    path("admin/inbox/", include("inbound.urls")),
    path("admin/decision/", include("campaigns.urls")),
    path("admin/status/", admin.site.admin_view(status_views.page), name="status"),
    path("admin/", admin.site.urls),
    provider_hooks.ADDRESS,
    path("api/", include("smsdesk.api.router")),
]
