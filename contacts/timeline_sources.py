"""What contacts know of a person's history: consent, reviews, notes, the desk's log, how they came."""

from collections.abc import Iterator

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from contacts import timeline
from contacts.models import ConsentEvent, Contact, ContactImport, ContactNote, EventKind, Hold
from contacts.timeline import Asked, Entry

SEE = "contacts.view_contact"
_COLOURS = {
    EventKind.OPT_IN: "ok",
    EventKind.CONFIRM: "ok",
    EventKind.LIFT: "ok",
    EventKind.OPT_OUT: "bad",
    EventKind.SUPPRESS: "bad",
    EventKind.ERASE: "bad",
    EventKind.HOLD: "wait",
}
_DECIDED = {True: "Opt-out", False: "Not an opt-out", None: "Closed"}
_REVIEWS = (EventKind.HOLD, EventKind.RELEASE)


@timeline.source(kind="consent", permission=(SEE,))
def consent_events(asked: Asked) -> Iterator[Entry]:
    rows = ConsentEvent.objects.filter(subscriber_key__in=asked.keys).exclude(kind__in=_REVIEWS)
    for event in asked.page(rows.select_related("brand"), at="occurred_at"):
        purposes = ", ".join("every purpose" if one == "*" else one for one in event.purposes)
        basis = f", {event.get_basis_display().lower()}" if event.basis else ""
        other = _of_other_phone(event.subscriber_key, asked)
        yield Entry(
            at=event.occurred_at,
            id=event.pk,
            title=event.get_source_display(),
            detail=f"{event.brand or 'Every brand'}: {purposes}{basis}{other}",
            who=event.actor,
            pill=event.get_kind_display(),
            colour=_COLOURS.get(EventKind(event.kind), "off"),
            ref=f"evt_{event.hash[:32]}",
        )


@timeline.source(kind="holds", permission=(SEE,))
def reviews_opened(asked: Asked) -> Iterator[Entry]:
    rows = Hold.objects.filter(subscriber_key__in=asked.keys)
    for hold in asked.page(rows, at="opened_at"):
        yield Entry(
            at=hold.opened_at,
            id=hold.pk,
            title="A text may be an opt-out and waits for somebody to read it",
            detail=_of_other_phone(hold.subscriber_key, asked).removeprefix(", "),
            pill="Held",
            colour="wait",
            ref=f"inb_{hold.inbound_id.hex}" if hold.inbound_id else "",
        )


@timeline.source(kind="holds", permission=(SEE,))
def reviews_decided(asked: Asked) -> Iterator[Entry]:
    rows = Hold.objects.filter(subscriber_key__in=asked.keys, closed_at__isnull=False)
    for hold in asked.page(rows, at="closed_at"):
        assert hold.closed_at is not None  # by the filter
        yield Entry(
            at=hold.closed_at,
            id=hold.pk,
            title="The doubt was settled",
            who=hold.closed_by,
            pill=_DECIDED[hold.was_opt_out],
            colour="bad" if hold.was_opt_out else "off",
        )


@timeline.source(kind="notes", permission=("contacts.view_contactnote",))
def notes(asked: Asked) -> Iterator[Entry]:
    rows = ContactNote.objects.filter(contact=asked.contact).select_related("author")
    for note in asked.page(rows, at="created_at"):
        yield Entry(
            at=note.created_at,
            id=note.pk,
            title="Note",
            detail=note.text,
            who=note.author.get_username(),
            ref=note.ref,
        )


@timeline.source(kind="edits", permission=(SEE,))
def log(asked: Asked) -> Iterator[Entry]:
    kind = ContentType.objects.get_for_model(Contact)
    rows = LogEntry.objects.filter(content_type=kind, object_id=str(asked.contact.pk)).select_related("user")
    for entry in asked.page(rows, at="action_time"):
        yield Entry(
            at=entry.action_time,
            id=entry.pk,
            title=entry.get_change_message() or "Added",
            who=entry.user.get_username(),
        )


@timeline.source(kind="imports", permission=(SEE,))
def added(asked: Asked) -> Iterator[Entry]:
    for person in asked.page(Contact.objects.filter(pk=asked.contact.pk), at="created_at"):
        made = ContactImport.objects.filter(pk=person.created_import).first() if person.created_import else None
        yield Entry(
            at=person.created_at,
            id=person.pk,
            title=f"Added by the import {made}" if made else "Added",
            url=reverse("admin:contacts_contactimport_change", args=[made.pk])
            if made and asked.may("contacts.import_contact")
            else "",
        )


def _of_other_phone(key: str, asked: Asked) -> str:
    return "" if key == asked.keys[0] else ", on another phone of this person"
