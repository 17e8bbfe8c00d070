"""The inbox at /admin/inbox/: pages of the admin, signed-in staff only."""

from django.urls import path

from inbound import views

urlpatterns = [
    path("", views.inside(views.listing), name="inbox"),
    path("poll/", views.inside(views.list_poll), name="inbox_poll"),
    path("<str:ref>/", views.inside(views.thread), name="inbox_thread"),
    path("<str:ref>/poll/", views.inside(views.thread_poll), name="inbox_thread_poll"),
    path("<str:ref>/reply/", views.inside(views.reply), name="inbox_reply"),
    path("<str:ref>/draft/", views.inside(views.draft), name="inbox_draft"),
    path("<str:ref>/do/<slug:verb>/", views.inside(views.do), name="inbox_do"),
]
