"""Pages of the admin that belong to no model."""

from django.contrib import admin
from django.urls import path

from campaigns import decision_views

urlpatterns = [
    path("", admin.site.admin_view(decision_views.page), name="decision"),
]
