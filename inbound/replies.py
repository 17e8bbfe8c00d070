"""An agent's answer: once per form, never over a newer message, never to somebody who opted out."""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from campaigns import eligibility, sending
from campaigns.models import MessageKind, OutboundMessage, Priority
from contacts import consent
from contacts.models import Contact, Purpose
from inbound import conversations
from inbound.models import Conversation, Draft, InboundMessage, Reply
from smsdesk import sms_text
from smsdesk.errors import Conflict, Invalid, NotPermitted, WrongState


class NewerMessage(Conflict):
    """The person wrote again after what the agent had seen; the draft is kept."""

    def __init__(self, newer: InboundMessage) -> None:
        super().__init__(
            "newer_message",
            "This person has written again since you opened the conversation.",
            field="last_seen",
            value=newer.ref,
            cure="Read the new message, then send again. Your draft is kept.",
        )
        self.newer = newer


def send(
    conversation: Conversation,
    *,
    author: User | None,
    text: str,
    last_seen: str,
    form_token: UUID,
    now: datetime,
) -> OutboundMessage:
    """Queue an answer. The same `form_token` again gives the first answer back.

    `last_seen`: public id of the newest message the agent saw, "inb_…" or "msg_…"; "" when the thread was empty.
    Raises `NewerMessage`, or `Conflict` when a colleague has answered meanwhile; `NotPermitted` with the judge's
    sentence when this person may not be written to.
    """
    with transaction.atomic():
        locked = consent.lock([conversation.contact_id])
        earlier = Reply.objects.filter(form_token=form_token).select_related("message").first()
        if earlier is not None:
            return _same_form(earlier, conversation)
        if not locked:
            raise WrongState("contact_gone", "This contact was deleted.", cure="Close the conversation.")
        _refuse_unseen(conversation, last_seen=last_seen)
        message = _queue(conversation, contact=locked[0], text=text, now=now)
        Reply.objects.create(
            conversation=conversation, message=message, author=author, form_token=form_token, created_at=now
        )
        conversations.answered(conversation, now=now)
        Draft.objects.filter(conversation=conversation, author_id=author.pk if author else None).delete()
        return message


def newest(conversation: Conversation) -> str:
    """Reference of the latest message of the thread, as `last_seen` names it."""
    inbound = _last_inbound(conversation)
    reply = _last_reply(conversation)
    if inbound is None:
        return reply.message.ref if reply else ""
    return reply.message.ref if reply and reply.created_at > inbound.received_at else inbound.ref


def keep_draft(conversation: Conversation, *, author: User, text: str) -> None:
    """What was typed and not sent; nothing typed, nothing kept."""
    body = sms_text.clean(text)[: sending.MAX_CHARACTERS * 2]
    if body.strip():
        Draft.objects.update_or_create(conversation=conversation, author=author, defaults={"text": body})
    else:
        Draft.objects.filter(conversation=conversation, author=author).delete()


def _queue(conversation: Conversation, *, contact: Contact, text: str, now: datetime) -> OutboundMessage:
    sender = conversation.sender
    if not sms_text.clean(text).strip():
        raise Invalid("text_empty", "A reply needs a text.", field="text", cure="Type what to say.")
    verdict = eligibility.explain(contact, sender=sender, purpose=Purpose.CONVERSATIONAL, at=now)
    if verdict.outcome != "allowed":
        raise NotPermitted(verdict.code.lower(), verdict.sentence, cure="Nothing was sent.")
    return sending.queue(
        contact,
        sender=sender,
        text=text,
        purpose=Purpose.CONVERSATIONAL,
        kind=MessageKind.REPLY,
        priority=Priority.URGENT,
        now=now,
    )


def _refuse_unseen(conversation: Conversation, *, last_seen: str) -> None:
    """Under the contact's lock no other text or reply can slip in after this."""
    if last_seen == newest(conversation):
        return
    inbound = _last_inbound(conversation)
    reply = _last_reply(conversation)
    if inbound is not None and (reply is None or inbound.received_at >= reply.created_at):
        raise NewerMessage(inbound)
    if reply is not None:
        who = reply.author.get_username() if reply.author else "The API"
        raise Conflict(
            "newer_reply",
            f"{who} has answered meanwhile: “{reply.message.text[:80]}”",
            field="last_seen",
            value=reply.message.ref,
            cure="Read it, then send again if yours is still needed. Your draft is kept.",
        )


def _same_form(earlier: Reply, conversation: Conversation) -> OutboundMessage:
    if earlier.conversation_id != conversation.pk:
        raise Conflict(
            "form_token_used",
            "This form has been used for another conversation.",
            field="form_token",
            cure="Load the page again.",
        )
    return earlier.message


def _last_inbound(conversation: Conversation) -> InboundMessage | None:
    return InboundMessage.objects.filter(conversation=conversation).order_by("-id").first()


def _last_reply(conversation: Conversation) -> Reply | None:
    return conversation.replies.select_related("message__sender", "author").order_by("-id").first()
