"""The timeline of a contact: its first page stands on the contact's page, older ones are fetched."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import admission, belonging, timeline
from contacts.models import Contact
from smsdesk import phones
from smsdesk.errors import Invalid


def older(request: HttpRequest, pk: int) -> HttpResponse:
    """A page of the timeline: a fragment for htmx, a page of its own without script."""
    contact = admission.visible(request, str(pk))
    try:
        context = shown(request, contact, cursor=request.GET.get("cursor", ""))
    except Invalid:
        context = shown(request, contact, cursor="")  # a place that is no place: from the beginning
    if request.headers.get("HX-Request"):
        name = "contacts/_timeline_entries.html" if "cursor" in request.GET else "contacts/_timeline.html"
        return TemplateResponse(request, name, context)
    page = {
        **admin.site.each_context(request),
        "opts": Contact._meta,
        "title": f"Timeline of {contact.name or phones.mask(contact.phone)}",
        "is_older": "cursor" in request.GET,
    }
    return TemplateResponse(request, "contacts/timeline.html", page | context)


def shown(request: HttpRequest, contact: Contact, *, cursor: str) -> dict[str, Any]:
    """What the templates need. Raises `Invalid` for a bad cursor."""
    kinds = timeline.known_kinds(request.user.has_perm)
    chosen = [kind for kind in request.GET.getlist("kind") if kind in kinds]
    page = timeline.read(
        contact, keys=belonging.keys_of(contact), may=request.user.has_perm, kinds=chosen, cursor=cursor
    )
    address = reverse("admin:contacts_contact_timeline", args=[contact.pk])
    query = urlencode([*(("kind", kind) for kind in chosen), ("cursor", page.older)])
    return {
        "contact": contact,
        "entries": page.entries,
        "kinds": [(kind, label, kind in chosen) for kind, label in kinds.items()],
        "timeline_url": address,
        "older_url": f"{address}?{query}" if page.older else "",
    }
