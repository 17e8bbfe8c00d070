"""The messages of a contact that is merged into another one."""

from datetime import datetime

from django.db.models import Q, QuerySet

from campaigns import sending
from campaigns.models import OutboundMessage
from contacts import uniting
from contacts.models import Contact

MERGED = "MERGED"


@uniting.add
class Messages(uniting.Part):
    title = "Messages"
    fate = "kept as they are, with the number they went to; what waits for that number is cancelled"

    def count(self, other: Contact) -> int:
        return self._of(other).count()

    def unite(self, kept: Contact, other: Contact, *, now: datetime) -> None:
        sending.cancel_for(other, brand=None, code=MERGED, now=now)
        self._of(other).update(contact=kept)

    def _of(self, contact: Contact) -> "QuerySet[OutboundMessage]":
        """Also those of phones that were merged into it before."""
        return OutboundMessage.objects.filter(Q(contact=contact.pk) | Q(subscriber_key=contact.subscriber_key))
