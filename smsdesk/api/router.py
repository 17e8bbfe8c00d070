"""The addresses of the API. Wiring: endpoints live in their own app's `api/`."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView

from smsdesk.api.docs import Docs, missing
from smsdesk.api.me import Me

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("docs/", Docs.as_view(url_name="api_schema"), name="api_docs"),
    path("v1/me/", Me.as_view({"get": "retrieve"}), name="api_me"),
    re_path(r"^v1/(?P<rest>.*)$", missing),
]
