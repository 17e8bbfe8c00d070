"""Merging two contacts of one person: whom, what will happen, and doing it when confirmed."""

import contextlib
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from contacts import admission, duplicates, uniting
from contacts.models import Contact
from smsdesk import phones, public_ids
from smsdesk.errors import DomainError, Invalid

MAY = "contacts.merge_contact"
FIELDS = {
    "name": "Name",
    "external_id": "External id",
    "country": "Country",
    "language": "Language",
    "region": "US state",
    "time_zone": "Time zone",
    "birth_date": "Birth date",
}


def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Without `other`: whom this contact may be. With it: both side by side. POST: done."""
    kept = admission.visible(request, str(pk))
    admission.require(request, MAY)
    asked = (request.POST if request.method == "POST" else request.GET).get("other", "").strip()
    if not asked:
        return _choose(request, kept)
    try:
        other = _named(asked)
        if request.method == "POST":
            assert isinstance(request.user, User)  # the admin lets nobody else come this far
            name = request.user.get_username()
            uniting.unite(kept, other, by=request.user, actor=name, now=timezone.now())
            messages.success(request, "Merged. An opt-out of either phone counts for both.")
            return redirect("admin:contacts_contact_change", kept.pk)
        return _compare(request, kept, other)
    except DomainError as error:
        return _choose(request, kept, error=f"{error.message} {error.cure}".strip(), typed=asked)


def suggestions(request: HttpRequest) -> HttpResponse:
    """All contacts that may be one person, a pair for each group."""
    admission.require(request, MAY)
    return _page(request, "contacts/duplicates.html", "Possible duplicates", {"pairs": duplicates.pairs()})


def _choose(request: HttpRequest, kept: Contact, *, error: str = "", typed: str = "") -> HttpResponse:
    context = {"kept": kept, "error": error, "typed": typed, "found": duplicates.of(kept)}
    return _page(request, "contacts/merge_choose.html", f"Merge into {_shown(kept)}", context)


def _compare(request: HttpRequest, kept: Contact, other: Contact) -> HttpResponse:
    preview = uniting.preview(kept, other)
    names = [*FIELDS, *dict.fromkeys([*kept.attributes, *other.attributes])]
    context = {
        "kept": kept,
        "other": other,
        "kept_number": phones.mask(kept.phone),
        "other_number": phones.mask(other.phone),
        "rows": [
            (FIELDS.get(name, name), *(_value(one, name) for one in (kept, other, preview.joined)))
            for name in names
        ],
        "preview": preview,
    }
    return _page(request, "contacts/merge.html", "Merge two contacts", context)


def _page(request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
    page = {**admin.site.each_context(request), "opts": Contact._meta, "title": title}
    return TemplateResponse(request, template, page | context)


def _named(asked: str) -> Contact:
    """By id, external id or whole number."""
    wanted = Q(external_id=asked)
    with contextlib.suppress(Invalid):
        wanted |= Q(public_id=public_ids.parse(asked, prefix=Contact.prefix))
    with contextlib.suppress(Invalid):
        wanted |= Q(subscriber_key=phones.parse(asked, default_region="").subscriber_key)
    found = list(Contact.objects.filter(wanted)[:2])
    if len(found) != 1:
        what = "More than one contact fits this." if found else "There is no such contact."
        raise Invalid("no_such_contact", what, field="other", value=asked[:60], cure="Give the whole number.")
    return found[0]


def _value(contact: Contact, name: str) -> str:
    return str((getattr(contact, name) if name in FIELDS else contact.attributes.get(name)) or "")


def _shown(contact: Contact) -> str:
    return contact.name or phones.mask(contact.phone)
