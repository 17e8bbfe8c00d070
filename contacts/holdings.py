"""What the desk holds on a person, part by part: to be handed to them, and to be erased.

Each app adds its parts in its own `holdings` module, found when Django starts; erasure goes from the top floor
down.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from contacts import belonging
from contacts.models import (
    ConsentEvent,
    ConsentEvidence,
    Contact,
    ContactImport,
    ContactNote,
    Hold,
    ListMembership,
    Suppression,
    Tagging,
    UnitedPhone,
)

Record = dict[str, Any]  # plain values, times and ids
Traces = Mapping[str, Exists | Q]  # "messages were made for them" → condition on contacts


class Holding(ABC):
    name: ClassVar[str]  # of its file in an export
    title: ClassVar[str]
    fate: ClassVar[str]  # what erasure does with it, for the person who confirms
    permission: ClassVar[str] = ""  # who may not read these elsewhere gets no proof and no export either

    @abstractmethod
    def records(self, contact: Contact) -> Iterator[Record]:
        """Everything of this kind, the earliest first."""

    @abstractmethod
    def count(self, contact: Contact) -> int: ...

    @abstractmethod
    def erase(self, contact: Contact, *, now: datetime) -> None:
        """Under the contact's lock, in one transaction with all other parts. May raise `Conflict`."""

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        """What shows that somebody else had to do with a contact this import added; undoing it leaves them alone.

        A part that does not say holds something of everybody.
        """
        return {self.title: Exists(Contact.objects.filter(pk=OuterRef("pk")))}


_ALL: list[Holding] = []


def add(part: type[Holding]) -> type[Holding]:
    _ALL.append(part())
    return part


def parts() -> tuple[Holding, ...]:
    """From the ground floor up."""
    return tuple(_ALL)


def may_disclose(user: User | AnonymousUser) -> bool:
    """Proof and export show everything, so they need the right to each part besides their own."""
    needed = {"contacts.disclose_contact", *(part.permission for part in _ALL if part.permission)}
    return user.has_perms(needed)


@add
class Person(Holding):
    name = "contact"
    permission = "contacts.view_full_phone"
    title = "The contact, with fields, lists and tags"
    fate = "deleted"

    def records(self, contact: Contact) -> Iterator[Record]:
        yield {
            "id": contact.ref,
            "phone": contact.phone,
            "name": contact.name,
            "external_id": contact.external_id,
            "language": contact.language,
            "country": contact.country,
            "region": contact.region,
            "time_zone": contact.time_zone,
            "birth_date": contact.birth_date,
            "line_type": contact.line_type,
            "attributes": contact.attributes,
            "lists": sorted(contact.lists.values_list("name", flat=True)),
            "tags": sorted(contact.tags.values_list("name", flat=True)),
            "other_phones": list(
                contact.united_phones.exclude(phone="").order_by("pk").values_list("phone", flat=True)
            ),
            "legal_hold": contact.legal_hold,
            "last_inbound_at": contact.last_inbound_at,
            "created_at": contact.created_at,
            "updated_at": contact.updated_at,
        }

    def count(self, contact: Contact) -> int:
        return 1

    def erase(self, contact: Contact, *, now: datetime) -> None:
        # The tie to another contact of the person stays, by key alone.
        UnitedPhone.objects.filter(subscriber_key=contact.subscriber_key).update(phone="")
        contact.delete()

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        return {
            "they are under a legal hold": ~Q(legal_hold=""),
            "another import completed them": ~Q(last_import=made_by.pk),
            "they were changed": ~Q(updated_at=F("created_at")),
            "they wrote to us": Q(last_inbound_at__isnull=False),
            "the carrier reported their number as gone": Q(dead_since__isnull=False),
            "they were given a tag": Exists(Tagging.objects.filter(contact=OuterRef("pk"))),
            "another contact was merged into them": Exists(UnitedPhone.objects.filter(contact=OuterRef("pk"))),
            "they were put on a list": Exists(ListMembership.objects.filter(contact=OuterRef("pk"))),
        }


@add
class Consents(Holding):
    name = "consent_events"
    title = "Consent and opt-outs, with their evidence"
    fate = (
        "the evidence (wording, IP address, number) is deleted; the bare events stay in the ledger, without content"
    )

    def records(self, contact: Contact) -> Iterator[Record]:
        for event in self._events(contact).select_related("brand", "evidence").order_by("seq"):
            evidence = getattr(event, "evidence", None)
            yield {
                "number": event.seq,
                "kind": event.kind,
                "brand": event.brand.name if event.brand else None,
                "purposes": event.purposes,
                "basis": event.basis,
                "source": event.source,
                "actor": event.actor,
                "occurred_at": event.occurred_at,
                "recorded_at": event.recorded_at,
                "expires_at": event.expires_at,
                "evidence": evidence.document if evidence else None,
            }

    def count(self, contact: Contact) -> int:
        return self._events(contact).count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        ConsentEvidence.objects.filter(event__subscriber_key__in=belonging.keys_of(contact)).delete()

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        of_others = ConsentEvent.objects.filter(subscriber_key=OuterRef("subscriber_key"), recorded_at__gte=since)
        return {"consent or an opt-out was recorded": Exists(of_others.exclude(actor=made_by.ref))}

    def _events(self, contact: Contact) -> "QuerySet[ConsentEvent]":
        return ConsentEvent.objects.filter(subscriber_key__in=belonging.keys_of(contact))


@add
class Suppressions(Holding):
    name = "suppressions"
    title = "Standing opt-outs"
    fate = "kept under a keyed fingerprint of the number, so that nobody can write to it again by mistake"

    def records(self, contact: Contact) -> Iterator[Record]:
        rows = Suppression.objects.filter(subscriber_key__in=belonging.keys_of(contact)).select_related("brand")
        for one in rows.order_by("pk"):
            yield {
                "brand": one.brand.name if one.brand else None,
                "purpose": one.purpose,
                "source": one.source,
                "since": one.since,
                "stands": one.lifted_by_id is None,
            }

    def count(self, contact: Contact) -> int:
        return Suppression.objects.filter(subscriber_key__in=belonging.keys_of(contact), lifted_by=None).count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        """They never go."""

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        return {}  # each has its event


@add
class Holds(Holding):
    name = "holds"
    title = "Texts held for review"
    fate = "closed"

    def records(self, contact: Contact) -> Iterator[Record]:
        for hold in Hold.objects.filter(subscriber_key__in=belonging.keys_of(contact)).order_by("pk"):
            yield {"opened_at": hold.opened_at, "closed_at": hold.closed_at, "was_opt_out": hold.was_opt_out}

    def count(self, contact: Contact) -> int:
        return Hold.objects.filter(subscriber_key__in=belonging.keys_of(contact)).count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        rows = Hold.objects.filter(subscriber_key__in=belonging.keys_of(contact))
        rows.filter(closed_at=None).update(closed_at=now, closed_by="erasure")
        rows.update(inbound_id=None)

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        of_phone = Hold.objects.filter(subscriber_key=OuterRef("subscriber_key"))
        return {"a text of theirs was held for review": Exists(of_phone.filter(opened_at__gte=since))}


@add
class Notes(Holding):
    name = "notes"
    title = "Notes of employees"
    fate = "deleted"
    permission = "contacts.view_contactnote"

    def records(self, contact: Contact) -> Iterator[Record]:
        for note in contact.notes.select_related("author").order_by("created_at", "pk"):
            yield {"id": note.ref, "at": note.created_at, "by": note.author.get_username(), "text": note.text}

    def count(self, contact: Contact) -> int:
        return contact.notes.count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        contact.notes.all().delete()

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        return {"somebody wrote a note on them": Exists(ContactNote.objects.filter(contact=OuterRef("pk")))}


ERASED = "Erased this person."


@add
class Log(Holding):
    name = "log"
    title = "What employees did here (the desk's log)"
    fate = "who did something when is kept, what they wrote is not"

    def records(self, contact: Contact) -> Iterator[Record]:
        for entry in self._entries(contact).select_related("user").order_by("pk"):
            yield {
                "at": entry.action_time,
                "by": entry.user.get_username(),
                "what": entry.get_change_message(),
            }

    def count(self, contact: Contact) -> int:
        return self._entries(contact).count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        # Tags, places and reasons are the person's. The erasure's own entry says who did it, and why.
        entries = self._entries(contact)
        entries.exclude(change_message__startswith=ERASED).update(change_message="Erased.")
        entries.update(object_repr=contact.ref)

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        return {}  # to have been looked at binds nobody; the entries stay

    def _entries(self, contact: Contact) -> "QuerySet[LogEntry]":
        kind = ContentType.objects.get_for_model(Contact)
        return LogEntry.objects.filter(content_type=kind, object_id=str(contact.pk))
