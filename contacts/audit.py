"""Who did what to a contact, in the admin's log."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AnonymousUser, User

from contacts.models import Contact


def note(contact: Contact, what: str, *, by: User | AnonymousUser) -> None:
    LogEntry.objects.log_actions(by.pk or 0, [contact], CHANGE, change_message=what, single_object=True)
