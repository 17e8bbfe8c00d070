"""A dispute or an order: nothing of this person is erased or runs out until the hold is ended."""

from django.contrib.auth.models import User

from contacts import audit
from contacts.models import Contact
from smsdesk.errors import Invalid
from smsdesk.sms_text import clean


def place(contact: Contact, *, reason: str, by: User) -> None:
    """Raises `Invalid` without a reason."""
    said = clean(reason).strip()[:300]
    if not said:
        raise Invalid("reason_missing", "A legal hold needs its reason.", field="reason", cure="Name the dispute.")
    Contact.objects.filter(pk=contact.pk).update(legal_hold=said)
    audit.note(contact, f"Placed a legal hold: {said}", by=by)


def end(contact: Contact, *, by: User) -> None:
    Contact.objects.filter(pk=contact.pk).update(legal_hold="")
    audit.note(contact, "Ended the legal hold.", by=by)
