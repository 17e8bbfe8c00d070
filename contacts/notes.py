"""Notes on a contact: written, read and taken away by employees."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from contacts import audit, consent
from contacts.models import Contact, ContactNote
from smsdesk import sms_text
from smsdesk.errors import Invalid, WrongState

LONGEST = 4_000


def add(contact: Contact, *, text: str, author: User, now: datetime) -> ContactNote:
    """Raises `Invalid` for an empty or too long text, `WrongState` when the person is gone."""
    said = sms_text.clean(text).strip()
    if not said or len(said) > LONGEST:
        cure = "Shorten it, or write two." if said else "Write something."
        message = f"A note has 1 to {LONGEST:,} characters, this one has {len(said):,}."
        raise Invalid("note_length", message, field="text", cure=cure)
    with transaction.atomic():
        if not consent.lock([contact.pk]):
            raise WrongState("contact_gone", "This contact is gone.", cure="Nothing was written.")
        note = ContactNote.objects.create(contact=contact, author=author, text=said, created_at=now)
        audit.note(contact, "Wrote a note.", by=author)
    return note


def delete(note: ContactNote, *, by: User) -> None:
    """Gone for good; the log says who took it away, not what it said."""
    with transaction.atomic():
        gone, _ = ContactNote.objects.filter(pk=note.pk).delete()
        if gone:
            written = f"{note.created_at:%Y-%m-%d} by {note.author.get_username()}"
            audit.note(note.contact, f"Deleted a note of {written}.", by=by)
