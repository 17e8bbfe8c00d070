"""The addresses of the API. Wiring: endpoints live in their own app's `api/`."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from campaigns.api.campaigns import Campaigns
from campaigns.api.decisions import Decisions
from campaigns.api.messages import Messages
from contacts.api.consents import Consents
from contacts.api.contacts import Contacts, Merges
from contacts.api.disclosures import Disclosures
from contacts.api.exports import Exports
from contacts.api.histories import Notes, Timelines
from contacts.api.imports import ImportFiles, Imports
from contacts.api.lists import Lists
from contacts.api.rules import Rules
from contacts.api.segments import Segments
from contacts.api.statements import Statements
from contacts.api.suppressions import Suppressions
from contacts.api.tags import Tags
from inbound.api.conversations import Conversations
from inbound.api.holds import Holds
from inbound.api.opt_in_forms import OptInForms, PreferenceLinks
from smsdesk.api.docs import Docs, missing
from smsdesk.api.me import Me

router = SimpleRouter()
router.register("v1/campaigns", Campaigns, basename="campaigns")
router.register("v1/messages", Messages, basename="messages")
router.register("v1/conversations", Conversations, basename="conversations")
router.register("v1/holds", Holds, basename="holds")
router.register("v1/contacts", Contacts, basename="contacts")
router.register("v1/opt-in-forms", OptInForms, basename="opt_in_forms")
router.register("v1/segments", Segments, basename="segments")

IMPORT_VERBS = ("start", "cancel", "resume", "undo")

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("docs/", Docs.as_view(url_name="api_schema"), name="api_docs"),
    path("v1/me/", Me.as_view({"get": "retrieve"}), name="api_me"),
    path("v1/contacts/by-external-id/<path:external_id>/", Contacts.as_view({"put": "upsert"})),
    path("v1/contacts/export/", Exports.as_view({"get": "export"})),
    path("v1/contacts/<str:id>/tags/", Tags.as_view({"post": "change"})),
    path("v1/contacts/<str:id>/lists/", Lists.as_view({"post": "change"})),
    path("v1/lists/", Lists.as_view({"get": "list", "post": "create"})),
    path("v1/suppressions/", Suppressions.as_view({"get": "list", "post": "create"})),
    path("v1/tags/", Tags.as_view({"get": "list"})),
    path("v1/contacts/<str:id>/timeline/", Timelines.as_view({"get": "list"})),
    path("v1/contacts/<str:id>/notes/", Notes.as_view({"get": "list", "post": "create"})),
    path("v1/contacts/<str:id>/time-zone/", Statements.as_view({"post": "state_zone"})),
    path("v1/contacts/<str:id>/reassignment/", Statements.as_view({"post": "reassign"})),
    path("v1/rules/", Rules.as_view({"get": "retrieve"})),
    path("v1/decisions/", Decisions.as_view({"post": "create"})),
    path("v1/contacts/<str:id>/merge/", Merges.as_view({"post": "create"})),
    path("v1/contacts/<str:id>/proof/", Disclosures.as_view({"get": "proof"})),
    path("v1/contacts/<str:id>/export/", Disclosures.as_view({"get": "export"})),
    path("v1/contacts/<str:id>/erasure/", Disclosures.as_view({"post": "erase"})),
    path("v1/contacts/<str:id>/preference-link/", PreferenceLinks.as_view({"post": "create"})),
    path("v1/contacts/<str:id>/consents/", Consents.as_view({"get": "list", "post": "create"})),
    path("v1/imports/", ImportFiles.as_view({"get": "list", "post": "create"})),
    path("v1/imports/<str:id>/", Imports.as_view({"get": "retrieve"})),
    path("v1/imports/<str:id>/settings/", Imports.as_view({"put": "configure"})),
    path("v1/imports/<str:id>/problems/", Imports.as_view({"get": "problems"})),
    path("v1/imports/<str:id>/dry-run/", Imports.as_view({"post": "dry_run"})),
    *(path(f"v1/imports/<str:id>/{verb}/", Imports.as_view({"post": verb})) for verb in IMPORT_VERBS),
    *router.urls,
    re_path(r"^v1/(?P<rest>.*)$", missing),
]
