"""Pages for the people we text. No session, no sign-in; the only cookie is the one against forged forms."""

from django.urls import path

from inbound import preference_views, public_views

urlpatterns = [
    path("join/<str:ref>/", public_views.join, name="join"),
    path("join/<str:ref>/thanks/", public_views.joined, name="joined"),
    path("p/<str:token>", preference_views.page, name="preferences"),
]
