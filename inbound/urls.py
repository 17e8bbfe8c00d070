"""The inbox at /admin/inbox/: pages of the admin, signed-in staff only."""

from django.urls import path

from inbound import hold_views, views

urlpatterns = [
    path("", views.inside(views.listing), name="inbox"),
    path("poll/", views.inside(views.list_poll), name="inbox_poll"),
    path("holds/", views.inside(hold_views.queue), name="inbox_holds"),
    path("holds/<str:hold>/<slug:verb>/", views.inside(hold_views.decide), name="inbox_hold_decide"),
    path("<str:ref>/", views.inside(views.thread), name="inbox_thread"),
    path("<str:ref>/poll/", views.inside(views.thread_poll), name="inbox_thread_poll"),
    path("<str:ref>/reply/", views.inside(views.reply), name="inbox_reply"),
    path("<str:ref>/draft/", views.inside(views.draft), name="inbox_draft"),
    path("<str:ref>/do/<slug:verb>/", views.inside(views.do), name="inbox_do"),
]
