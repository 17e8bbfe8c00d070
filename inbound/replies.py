"""An agent's answer: once per form, never over a newer message, never to somebody who opted out."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from campaigns import eligibility, sending
from campaigns.models import MessageKind, OutboundMessage, Priority
from contacts import consent
from contacts.models import Contact, Purpose
from inbound import conversations
from inbound.models import Conversation, Draft, InboundMessage, Reply
from smsdesk import public_ids, sms_text
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

    `last_seen`: what `newest` said when the agent read the thread, or the public id of the newest message they
    saw, "inb_…" or "msg_…"; "" when the thread was empty.
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
    """The latest text and the latest reply of the thread, "inb_…+msg_…": what `last_seen` is compared with.

    Both, because their order in time would hang on the clocks of several hosts.
    """
    inbound = _inbound(conversation).order_by("-id").first()
    reply = _replies(conversation).order_by("-id").first()
    return f"{inbound.ref if inbound else ''}+{reply.message.ref if reply else ''}"


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
    first, joint, second = last_seen.partition("+")
    refs = {first, second}
    text = _inbound(conversation).filter(public_id__in=_ids(refs, prefix=InboundMessage.prefix)).first()
    reply = _replies(conversation).filter(message__public_id__in=_ids(refs, prefix=OutboundMessage.prefix)).first()
    texts, answers = _inbound(conversation), _replies(conversation)
    if text is not None:
        texts = texts.filter(pk__gt=text.pk)
        answers = answers if joint else answers.filter(created_at__gt=text.received_at)
    if reply is not None:
        answers = _replies(conversation).filter(pk__gt=reply.pk)
        texts = texts if joint or text else texts.filter(received_at__gt=reply.created_at)
    if (newer := texts.order_by("-id").first()) is not None:
        raise NewerMessage(newer)
    if (faster := answers.order_by("-id").first()) is not None:
        raise _answered_meanwhile(faster)


def _answered_meanwhile(reply: Reply) -> Conflict:
    who = reply.author.get_username() if reply.author else "The API"
    return Conflict(
        "newer_reply",
        f"{who} has answered meanwhile: “{reply.message.text[:80]}”",
        field="last_seen",
        value=reply.message.ref,
        cure="Read it, then send again if yours is still needed. Your draft is kept.",
    )


def _ids(refs: Collection[str], *, prefix: str) -> list[UUID]:
    """Those of `refs` that are ids of this kind; what is none was not seen."""
    found: list[UUID] = []
    for ref in refs:
        try:
            found.append(public_ids.parse(ref, prefix=prefix))
        except Invalid:
            continue
    return found


def _same_form(earlier: Reply, conversation: Conversation) -> OutboundMessage:
    if earlier.conversation_id != conversation.pk:
        raise Conflict(
            "form_token_used",
            "This form has been used for another conversation.",
            field="form_token",
            cure="Load the page again.",
        )
    return earlier.message


def _inbound(conversation: Conversation) -> QuerySet[InboundMessage]:
    return InboundMessage.objects.filter(conversation=conversation)


def _replies(conversation: Conversation) -> QuerySet[Reply]:
    return Reply.objects.filter(conversation=conversation).select_related("message", "author")
