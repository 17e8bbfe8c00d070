"""Notes on the page of a contact."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from contacts import admission, notes
from contacts.models import Contact, ContactNote
from smsdesk.errors import DomainError

SEE, ADD, DELETE = "contacts.view_contactnote", "contacts.add_contactnote", "contacts.delete_contactnote"
SHOWN = 10


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Write a note (`text`), or delete one (`delete`: its number)."""
    contact = admission.visible(request, str(pk))
    assert isinstance(request.user, User)  # the admin lets nobody else come this far
    error = ""
    try:
        if "delete" in request.POST:
            admission.require(request, DELETE)
            notes.delete(_note(contact, request.POST["delete"]), by=request.user)
        else:
            admission.require(request, ADD)
            notes.add(contact, text=request.POST.get("text", ""), author=request.user, now=timezone.now())
    except DomainError as refused:
        error = f"{refused.message} {refused.cure}"
    if request.headers.get("HX-Request"):
        context = {"contact": contact, "note_error": error, "note_typed": error and request.POST.get("text", "")}
        return TemplateResponse(request, "contacts/_notes.html", shown(request, contact) | context)
    if error:
        messages.error(request, error)
    return redirect("admin:contacts_contact_change", contact.pk)


def shown(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """What `_notes.html` needs."""
    sees = request.user.has_perm(SEE)
    latest = ContactNote.objects.filter(contact=contact).select_related("author").order_by("-created_at", "-pk")
    return {
        "sees_notes": sees,
        "notes": latest[:SHOWN] if sees else (),
        "may_write_note": request.user.has_perm(ADD),
        "may_delete_note": request.user.has_perm(DELETE),
        "longest_note": notes.LONGEST,
    }


def _note(contact: Contact, number: str) -> ContactNote:
    key = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0
    return get_object_or_404(ContactNote.objects.select_related("author", "contact"), contact=contact, pk=key)
