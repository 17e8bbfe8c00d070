"""The page of one contact, and what an employee records there."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from contacts import admission, audit, consent, holdings, note_views, outlook, timeline_views
from contacts.forms import InstantForm, OptInForm, OptOutForm, OwnerForm, ZoneForm
from contacts.models import Basis, Brand, ConsentSource, Contact, Purpose, Tag
from smsdesk import phones
from smsdesk.errors import DomainError

MAY_TAG = "contacts.tag_contact"
MAY_SEE_NUMBER = "contacts.view_full_phone"


def page(request: HttpRequest, object_id: str) -> HttpResponse:
    contact = admission.visible(request, object_id)
    return _show(request, contact, opt_out_form=OptOutForm(), opt_in_form=OptInForm())


@require_POST
def reveal(request: HttpRequest, pk: int) -> HttpResponse:
    """The number in full, for this one look; the log says who had it."""
    contact = admission.visible(request, str(pk))
    admission.require(request, MAY_SEE_NUMBER)
    audit.note(contact, "Looked at the full number.", by=request.user)
    number = phones.display(contact.phone)
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, "contacts/_phone.html", {"contact": contact, "number": number})
    messages.info(request, f"The number is {number}.")
    return redirect("admin:contacts_contact_change", contact.pk)


@require_POST
def opt_out(request: HttpRequest, pk: int) -> HttpResponse:
    contact = admission.visible(request, str(pk))
    admission.require(request, "contacts.opt_out_contact")
    form = OptOutForm(request.POST)
    if not form.is_valid():
        return _show(request, contact, opt_out_form=form, opt_in_form=OptInForm())
    brand, now = form.cleaned_data["optout_brand"], timezone.now()
    consent.opt_out(
        contact,
        brand=brand,
        source=ConsentSource.ADMIN,
        occurred_at=now,
        now=now,
        by=request.user.get_username(),
        note=form.cleaned_data["note"],
    )
    audit.note(contact, f"Recorded an opt-out from {brand or 'every brand'}.", by=request.user)
    messages.success(request, f"Opted out of {brand or 'every brand'}. Nothing more will be sent.")
    return redirect("admin:contacts_contact_change", contact.pk)


@require_POST
def opt_in(request: HttpRequest, pk: int) -> HttpResponse:
    contact = admission.visible(request, str(pk))
    admission.require(request, "contacts.change_contact")
    form = OptInForm(request.POST)
    if form.is_valid() and _record_opt_in(request, contact, form):
        audit.note(contact, f"Recorded an opt-in to {form.cleaned_data['brand']} with proof.", by=request.user)
        return redirect("admin:contacts_contact_change", contact.pk)
    return _show(request, contact, opt_out_form=OptOutForm(), opt_in_form=form)


def _record_opt_in(request: HttpRequest, contact: Contact, form: OptInForm) -> bool:
    given = form.cleaned_data
    proof = consent.Proof(
        wording=given["wording"], method=given["source"], act=given["act"], document=given["document"]
    )
    try:
        consent.opt_in(
            contact,
            brand=given["brand"],
            purposes=[Purpose(given["purpose"])],
            basis=Basis(given["basis"]),
            source=ConsentSource(given["source"]),
            proof=proof,
            occurred_at=given["occurred_at"],
            now=timezone.now(),
            by=request.user.get_username(),
        )
    except DomainError as error:
        form.add_error(None, error.sentence())
        return False
    if outlook.suppressions(contact):
        messages.warning(request, "Recorded. An opt-out still stands: only the person's own act can lift it.")
    else:
        messages.success(request, "Recorded, with its proof.")
    return True


def _show(
    request: HttpRequest, contact: Contact, *, opt_out_form: OptOutForm, opt_in_form: OptInForm
) -> HttpResponse:
    now = timezone.now()
    instant = InstantForm(request.GET if "at" in request.GET else None)
    at: datetime = (instant.is_valid() and instant.cleaned_data["at"]) or now
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "opts": Contact._meta,
        "title": contact.name or "Contact",
        "contact": contact,
        "number": phones.mask(contact.phone),
        "may_reveal": request.user.has_perm(MAY_SEE_NUMBER),
        "local_times": outlook.local_times(contact, at=now),
        "lists": contact.lists.order_by("name"),
        "answers": outlook.answers(contact, brands=Brand.objects.order_by("name"), at=at),
        "at": at,
        "instant_form": instant,
        "suppressions": outlook.suppressions(contact),
        "hold": outlook.open_hold(contact),
        "history": outlook.history(contact),
        "opt_out_form": opt_out_form,
        "opt_in_form": opt_in_form,
        "other_numbers": [phones.mask(one.phone) for one in contact.united_phones.exclude(phone="").order_by("pk")],
        **tags_shown(request, contact),
        **note_views.shown(request, contact),
        **timeline_views.shown(request, contact, cursor=""),
        "zone_form": ZoneForm(),
        "owner_form": OwnerForm(),
        "may_opt_out": request.user.has_perm("contacts.opt_out_contact"),
        "may_change": request.user.has_perm("contacts.change_contact"),
        "may_erase": request.user.has_perm("contacts.erase_contact"),
        "may_hold": request.user.has_perm("contacts.hold_contact"),
        "may_disclose": holdings.may_disclose(request.user),
    }
    return TemplateResponse(request, "contacts/contact.html", context)


def tags_shown(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """What `_tags.html` needs."""
    may_tag = request.user.has_perm(MAY_TAG)
    return {
        "tags": contact.tags.order_by("folded_name"),
        "may_tag": may_tag,
        "known_tags": Tag.objects.order_by("folded_name")[:200] if may_tag else (),
    }
