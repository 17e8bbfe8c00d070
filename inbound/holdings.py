"""What a person wrote to us, and what agents answered and noted about it."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from contacts import belonging, holdings, retention
from contacts.holdings import Holding, Record, Traces
from contacts.models import Contact, ContactImport
from inbound.models import (
    Conversation,
    ConversationEvent,
    ConversationEventKind,
    Draft,
    InboundMessage,
    Note,
    SignUp,
    SignUpState,
)


@holdings.add
class Texts(Holding):
    name = "inbound_texts"
    permission = "inbound.view_conversation"
    title = "Texts this person sent"
    fate = "number and text are deleted; a bare row stays, so that a repeat of the webhook is still known as one"

    def records(self, contact: Contact) -> Iterator[Record]:
        for text in _texts(contact).select_related("sender").order_by("pk"):
            yield {
                "id": text.ref,
                "from": text.phone,
                "to": text.sender.value if text.sender else "",
                "text": text.text,
                "read_as": text.intent,
                "occurred_at": text.occurred_at,
                "received_at": text.received_at,
            }

    def count(self, contact: Contact) -> int:
        return _texts(contact).count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        _texts(contact).update(text="", rule="", raw={}, phone="", contact=None, conversation=None)

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        texts = InboundMessage.objects.filter(subscriber_key=OuterRef("subscriber_key"), received_at__gte=since)
        return {"they wrote to us": Exists(texts)}


@holdings.add
class Conversations(Holding):
    name = "conversations"
    title = "Conversations, with agents' notes"
    fate = "deleted"

    def records(self, contact: Contact) -> Iterator[Record]:
        for one in Conversation.objects.filter(contact=contact).prefetch_related("notes__author").order_by("pk"):
            yield {
                "id": one.ref,
                "state": one.state,
                "created_at": one.created_at,
                "last_activity_at": one.last_activity_at,
                "notes": [
                    {"at": note.created_at, "by": note.author.get_username(), "text": note.text}
                    for note in one.notes.all()
                ],
            }

    def count(self, contact: Contact) -> int:
        return Conversation.objects.filter(contact=contact).count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        InboundMessage.objects.filter(conversation__contact=contact).update(conversation=None)
        Conversation.objects.filter(contact=contact).delete()

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        return {"they have a conversation": Exists(Conversation.objects.filter(contact=OuterRef("pk")))}


@holdings.add
class SignUps(Holding):
    name = "sign_ups"
    title = "Opt-in forms sent in with this number"
    fate = "number, address and browser are deleted; a bare row stays, so that nobody can be texted too often"

    def records(self, contact: Contact) -> Iterator[Record]:
        for one in self._rows(contact).select_related("form", "brand", "wording").order_by("pk"):
            yield {
                "id": one.ref,
                "form": one.form.title,
                "brand": one.brand.name,
                "wording": one.wording.shown,
                "state": one.state,
                "ip": one.ip,
                "user_agent": one.user_agent,
                "sent_in_at": one.created_at,
                "asked_at": one.asked_at,
                "reminded_at": one.reminded_at,
                "done_at": one.done_at,
            }

    def count(self, contact: Contact) -> int:
        return self._rows(contact).count()

    def erase(self, contact: Contact, *, now: datetime) -> None:
        rows = self._rows(contact)
        rows.filter(state=SignUpState.ASKED).update(state=SignUpState.WITHDRAWN, done_at=now)
        rows.update(phone="", ip=None, user_agent="")

    def traces(self, made_by: ContactImport, *, since: datetime) -> Traces:
        rows = SignUp.objects.filter(subscriber_key=OuterRef("subscriber_key"), created_at__gte=since)
        return {"they sent in an opt-in form": Exists(rows)}

    def _rows(self, contact: Contact) -> "QuerySet[SignUp]":
        return SignUp.objects.filter(subscriber_key__in=belonging.keys_of(contact))


def _texts(contact: Contact) -> "QuerySet[InboundMessage]":
    return InboundMessage.objects.filter(subscriber_key__in=belonging.keys_of(contact))


# --- how long -------------------------------------------------------------------------------------------


@retention.kind("inbound")
def clear_texts(before: datetime) -> int:
    """The number too: who it was says the key. The rule may quote a few words."""
    old = InboundMessage.objects.filter(~retention.is_held("subscriber_key"), received_at__lt=before)
    old = old.exclude(text="", phone="")
    return InboundMessage.objects.filter(pk__in=retention.some(old)).update(text="", rule="", raw={}, phone="")


@retention.kind("inbound")
def forget_what_was_held_for(before: datetime) -> int:
    """The rule that held a text may quote a few words of it."""
    old = ConversationEvent.objects.filter(
        ~retention.is_held("conversation__contact__subscriber_key"),
        kind=ConversationEventKind.HELD,
        created_at__lt=before,
    ).exclude(detail="")
    return ConversationEvent.objects.filter(pk__in=retention.some(old)).update(detail="")


@retention.kind("inbound")
def drop_notes(before: datetime) -> int:
    old = Note.objects.filter(~retention.is_held("conversation__contact__subscriber_key"), created_at__lt=before)
    return Note.objects.filter(pk__in=retention.some(old)).delete()[0]


@retention.kind("inbound")
def drop_drafts(before: datetime) -> int:
    old = Draft.objects.filter(~retention.is_held("conversation__contact__subscriber_key"), updated_at__lt=before)
    return Draft.objects.filter(pk__in=retention.some(old)).delete()[0]


@retention.kind("sign_ups")
def clear_sign_ups(before: datetime) -> int:
    """What the ledger needs of those who joined it has; the rows stay for the forms' figures."""
    old = SignUp.objects.filter(~retention.is_held("subscriber_key"), created_at__lt=before)
    old = old.exclude(state=SignUpState.ASKED).exclude(phone="", ip=None, user_agent="")
    return SignUp.objects.filter(pk__in=retention.some(old)).update(phone="", ip=None, user_agent="")
