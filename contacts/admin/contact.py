"""Contacts, lists and brands in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from contacts import (
    contact_views,
    disclosure_views,
    erasure_views,
    export_views,
    merge_views,
    note_views,
    people,
    searching,
    statement_views,
    tag_views,
    timeline_views,
)
from contacts.admin.contact_filters import CountryFilter, ListFilter, TagFilter
from contacts.forms import ContactForm
from contacts.models import Contact, ContactList
from smsdesk import phones
from smsdesk.admin import BaseModelAdmin, BoundedPaginator


@admin.register(Contact)
class ContactAdmin(BaseModelAdmin):
    form = ContactForm
    list_filter = [CountryFilter, ListFilter, TagFilter]
    search_fields = ["name"]  # shows the box; what is searched says `get_search_results`
    ordering = ["-created_at", "-id"]
    sortable_by = ["added"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    actions = ["tag_people"]
    change_list_template = "contacts/contact_list.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [
            "name", "external_id", "language", "region", "time_zone", "birth_date", "line_type", "attributes",
        ]  # fmt: skip
        return fields if obj else ["phone", *fields]

    def get_list_display(self, request: HttpRequest) -> Any:
        return ["who", "masked_phone", "country", "tag_names", "external_id", "language", "added"]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return ["who"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        matches = searching.matching(term)
        beginning = searching.by_beginning_of_number(term) if may_see_phones(request) else None
        if beginning is not None:
            matches |= beginning
        return queryset.filter(matches), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        people: QuerySet[Contact] = super().get_queryset(request)
        return people.prefetch_related("tags")

    @admin.action(description="Tag or untag …", permissions=["tag"])
    def tag_people(self, request: HttpRequest, chosen: QuerySet[Contact]) -> HttpResponse:
        return tag_views.all_of(request, chosen)

    def has_tag_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(contact_views.MAY_TAG)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # erasing a person is a verb of its own; the ledgers name them

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("export/", wrap(self.export_view), name="contacts_contact_export_all"),
            path("<int:pk>/edit/", wrap(self.edit_view), name="contacts_contact_edit"),
            path("<int:pk>/opt-out/", wrap(contact_views.opt_out), name="contacts_contact_opt_out"),
            path("duplicates/", wrap(merge_views.suggestions), name="contacts_contact_duplicates"),
            path("<int:pk>/merge/", wrap(merge_views.merge), name="contacts_contact_merge"),
            path("<int:pk>/reveal/", wrap(contact_views.reveal), name="contacts_contact_reveal"),
            path("<int:pk>/timeline/", wrap(timeline_views.older), name="contacts_contact_timeline"),
            path("<int:pk>/notes/", wrap(note_views.change), name="contacts_contact_notes"),
            path("<int:pk>/tags/", wrap(tag_views.change), name="contacts_contact_tags"),
            path("<int:pk>/proof.pdf", wrap(disclosure_views.proof_pdf), name="contacts_contact_proof_pdf"),
            path("<int:pk>/proof.json", wrap(disclosure_views.proof_json), name="contacts_contact_proof_json"),
            path("<int:pk>/export.zip", wrap(disclosure_views.export), name="contacts_contact_export"),
            path("<int:pk>/erase/", wrap(erasure_views.erase), name="contacts_contact_erase"),
            path("<int:pk>/legal-hold/", wrap(erasure_views.hold), name="contacts_contact_hold"),
            path("<int:pk>/opt-in/", wrap(contact_views.opt_in), name="contacts_contact_opt_in"),
            path("<int:pk>/time-zone/", wrap(statement_views.state_zone), name="contacts_contact_time_zone"),
            path("<int:pk>/new-owner/", wrap(statement_views.reassign), name="contacts_contact_new_owner"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of the person; the form behind "Edit" is `edit_view`."""
        return contact_views.page(request, object_id)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return super().change_view(request, str(pk), extra_context={"show_save_and_add_another": False})

    def export_view(self, request: HttpRequest) -> HttpResponse:
        return export_views.of_list(request, self)

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        if change:
            people.change(obj, fields=form.values())
            return
        parsed = phones.parse(form.cleaned_data["phone"], default_region="")
        obj.pk = people.add(parsed, fields=form.values(), now=timezone.now()).pk

    @admin.display(description="Name", ordering="name")
    def who(self, contact: Contact) -> str:
        return contact.name or "No name"

    @admin.display(description="Tags")
    def tag_names(self, contact: Contact) -> str:
        return ", ".join(sorted(tag.name for tag in contact.tags.all()))

    @admin.display(description="Added", ordering="created_at")
    def added(self, contact: Contact) -> str:
        return f"{timezone.localtime(contact.created_at):%Y-%m-%d %H:%M}"

    @admin.display(description="Phone")
    def masked_phone(self, contact: Contact) -> str:
        return phones.mask(contact.phone)


@admin.register(ContactList)
class ContactListAdmin(BaseModelAdmin):
    list_display = ["name", "description", "members", "created_at"]
    search_fields = ["name"]
    ordering = ["name"]
    fields = ["name", "description"]
    actions = None

    @admin.display(description="Contacts")
    def members(self, contact_list: ContactList) -> str:
        address = f"{reverse('admin:contacts_contact_changelist')}?lists__id__exact={contact_list.pk}"
        return format_html('<a href="{}">Show</a>', address)


def may_see_phones(request: HttpRequest) -> bool:
    return request.user.has_perm("contacts.view_full_phone")
