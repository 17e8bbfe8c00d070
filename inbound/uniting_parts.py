"""The texts and conversations of a contact that is merged into another one."""

from datetime import datetime

from django.db.models import F, Q, QuerySet

from contacts import uniting
from contacts.models import Contact
from inbound.conversations import UNRESOLVED
from inbound.models import Conversation, InboundMessage
from smsdesk.errors import Conflict


@uniting.add
class Texts(uniting.Part):
    title = "Texts from them"
    fate = "moved, with the number they came from"

    def count(self, other: Contact) -> int:
        return self._of(other).count()

    def unite(self, kept: Contact, other: Contact, *, now: datetime) -> None:
        self._of(other).update(contact=kept)

    def _of(self, contact: Contact) -> "QuerySet[InboundMessage]":
        """Also those of phones that were merged into it before."""
        return InboundMessage.objects.filter(Q(contact=contact.pk) | Q(subscriber_key=contact.subscriber_key))


@uniting.add
class Conversations(uniting.Part):
    title = "Conversations"
    fate = "moved; an open one must be answered and resolved first, because answers go to the number that stays"

    def count(self, other: Contact) -> int:
        return Conversation.objects.filter(contact=other).count()

    def unite(self, kept: Contact, other: Contact, *, now: datetime) -> None:
        threads = Conversation.objects.filter(contact=other)
        if threads.filter(state__in=UNRESOLVED).exists():
            raise Conflict(
                "conversation_open",
                "The contact that would go has an open conversation.",
                cure="Answer and resolve it first, or keep that contact and merge the other one into it.",
            )
        threads.update(contact=kept, version=F("version") + 1)
