"""What an employee writes down on a contact's page about the number and the place."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from contacts import audit, consent, statements
from contacts.admission import require, visible
from contacts.forms import OwnerForm
from contacts.models import ConsentSource
from smsdesk.errors import DomainError


@require_POST
def state_zone(request: HttpRequest, pk: int) -> HttpResponse:
    contact = visible(request, str(pk))
    require(request, "contacts.change_contact")
    zone, quote = request.POST.get("zone", "")[:64], request.POST.get("quote", "")[:2_000]
    by = request.user.get_username()
    try:
        statements.time_zone(contact, zone=zone, quote=quote, by=by, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.sentence())
    else:
        audit.note(contact, f"Recorded the time zone the person stated: {zone}.", by=request.user)
        messages.success(request, "Recorded. Quiet hours follow the person's own word from now on.")
    return redirect("admin:contacts_contact_change", contact.pk)


@require_POST
def reassign(request: HttpRequest, pk: int) -> HttpResponse:
    contact = visible(request, str(pk))
    require(request, "contacts.change_contact")
    form = OwnerForm(request.POST)
    if form.is_valid():
        consent.reassign(
            contact,
            source=ConsentSource.ADMIN,
            now=timezone.now(),
            by=request.user.get_username(),
            note=form.cleaned_data["note"],
        )
        audit.note(contact, "Recorded that the number has a new owner.", by=request.user)
        messages.success(request, "Recorded. All consent of this number has ended; its new owner may opt in.")
    else:
        messages.error(request, "Not recorded: write down how you know.")
    return redirect("admin:contacts_contact_change", contact.pk)
