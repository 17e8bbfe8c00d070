"""Who did what to a contact, or to what contacts hang on, in the admin's log."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AnonymousUser, User

from contacts.models import Contact, ContactImport, Tag


def note(row: Contact | ContactImport | Tag, what: str, *, by: User | AnonymousUser) -> None:
    LogEntry.objects.log_actions(by.pk or 0, [row], CHANGE, change_message=what, single_object=True)
