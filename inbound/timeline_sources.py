"""What a person wrote to us, and what became of their conversations."""

from collections.abc import Iterator

from django.urls import reverse

from contacts import timeline
from contacts.timeline import Asked, Entry
from inbound.models import Conversation, ConversationEvent, InboundMessage, Intent

_LONGEST = 300


@timeline.source(kind="texts", permission=("inbound.view_inboundmessage", "inbound.view_conversation"))
def texts(asked: Asked) -> Iterator[Entry]:
    rows = InboundMessage.objects.filter(subscriber_key__in=asked.keys).select_related("sender", "conversation")
    may_open = asked.may("inbound.view_conversation")  # and reads every text there
    reads = may_open or asked.may("campaigns.view_message_body")
    for message in asked.page(rows, at="occurred_at"):
        is_plain = message.intent == Intent.NONE
        yield Entry(
            at=message.occurred_at,
            id=message.pk,
            title=f"Wrote to {message.sender.value}" if message.sender else "Wrote to us",
            detail=message.text[:_LONGEST] if reads else "",
            pill="" if is_plain else message.get_intent_display(),
            colour="bad" if message.intent == Intent.OPT_OUT else "off",
            url=_thread(message.conversation) if may_open else "",
            ref=message.ref,
        )


@timeline.source(kind="texts", permission=("inbound.view_conversation",))
def conversation_events(asked: Asked) -> Iterator[Entry]:
    rows = ConversationEvent.objects.filter(conversation__contact=asked.contact)
    for event in asked.page(rows.select_related("actor", "conversation"), at="created_at"):
        yield Entry(
            at=event.created_at,
            id=event.pk,
            title=f"Conversation: {event.get_kind_display().lower()} {event.detail}".strip(),
            who=event.actor.get_username() if event.actor else "",
            url=_thread(event.conversation),
            ref=event.conversation.ref,
        )


def _thread(conversation: Conversation | None) -> str:
    return reverse("inbox_thread", args=[conversation.ref]) if conversation else ""
