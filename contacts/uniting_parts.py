"""What contacts themselves hang on a person: lists, tags, notes, the desk's log."""

from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, OuterRef, QuerySet

from contacts import uniting
from contacts.models import Contact, ContactNote, ListMembership, Tagging


@uniting.add
class Lists(uniting.Part):
    title = "Places on lists"
    fate = "moved; where both are on a list, it stays one place"

    def count(self, other: Contact) -> int:
        return ListMembership.objects.filter(contact=other).count()

    def unite(self, kept: Contact, other: Contact, *, now: datetime) -> None:
        _move(ListMembership.objects.filter(contact=other), kept, by="list")


@uniting.add
class Tags(uniting.Part):
    title = "Tags"
    fate = "moved"

    def count(self, other: Contact) -> int:
        return Tagging.objects.filter(contact=other).count()

    def unite(self, kept: Contact, other: Contact, *, now: datetime) -> None:
        _move(Tagging.objects.filter(contact=other), kept, by="tag")


@uniting.add
class Notes(uniting.Part):
    title = "Notes"
    fate = "moved"

    def count(self, other: Contact) -> int:
        return ContactNote.objects.filter(contact=other).count()

    def unite(self, kept: Contact, other: Contact, *, now: datetime) -> None:
        ContactNote.objects.filter(contact=other).update(contact=kept)


@uniting.add
class Log(uniting.Part):
    title = "What employees did (the desk's log)"
    fate = "shown with the contact that stays"

    def count(self, other: Contact) -> int:
        return self._entries(other).count()

    def unite(self, kept: Contact, other: Contact, *, now: datetime) -> None:
        self._entries(other).update(object_id=str(kept.pk))

    def _entries(self, contact: Contact) -> "QuerySet[LogEntry]":
        kind = ContentType.objects.get_for_model(Contact)
        return LogEntry.objects.filter(content_type=kind, object_id=str(contact.pk))


def _move(rows: "QuerySet[Any]", kept: Contact, *, by: str) -> None:
    """Those of which `kept` has none yet; the others go with the contact that goes."""
    has = rows.model._default_manager.filter(contact=kept, **{by: OuterRef(by)})
    rows.filter(~Exists(has)).update(contact=kept)
