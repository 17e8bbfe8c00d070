"""Who did what to a contact, or to what contacts hang on, in the admin's log."""

from collections.abc import Iterable

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from contacts.models import Contact, ContactImport, Tag
from smsdesk import bulk_copy


def note(row: Contact | ContactImport | Tag, what: str, *, by: User | AnonymousUser) -> None:
    LogEntry.objects.log_actions(by.pk or 0, [row], CHANGE, change_message=what, single_object=True)


def note_all(people: Iterable[Contact], what: str, *, by: User | AnonymousUser) -> None:
    """The same about each of these: thousands in one statement."""
    named = [(str(one.pk), str(one)[:200]) for one in people]
    bulk_copy.insert(
        LogEntry,
        own={"object_id": [pk for pk, _ in named], "object_repr": [name for _, name in named]},
        shared={
            "action_time": timezone.now(),
            "user": by.pk or 0,
            "content_type": ContentType.objects.get_for_model(Contact).pk,
            "action_flag": CHANGE,
            "change_message": what,
        },
    )


def note_export(what: str, *, count: int, shows_phones: bool, by: User | AnonymousUser) -> None:
    """Who took how many people out of the desk, and whether with their numbers."""
    many = f"{count:,} contact{'' if count == 1 else 's'}"
    LogEntry.objects.create(
        user_id=by.pk or 0,
        content_type=ContentType.objects.get_for_model(Contact),
        object_repr=many,
        action_flag=CHANGE,
        change_message=f"Exported {what}: {many}, numbers {'in full' if shows_phones else 'masked'}.",
    )
