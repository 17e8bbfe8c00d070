"""The thread of one person with one of our senders: opened and reopened by what they write, worked by agents.

Every verb is a conditional update that raises `version`, the thread's ETag; 0 rows means somebody was faster.
"""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from campaigns.models import Sender
from contacts.models import Contact
from inbound.models import (
    Conversation,
    ConversationEvent,
    ConversationEventKind,
    ConversationState,
    InboundMessage,
    Note,
)
from smsdesk import sms_text, transitions
from smsdesk.errors import Conflict, Invalid, WrongState

REOPENED_WITHIN = timedelta(days=14)  # resolved longer ago, an inbound text begins a new thread
LONGEST_NOTE = 4_000
UNRESOLVED = (ConversationState.OPEN, ConversationState.PENDING)


# --- What people write ----------------------------------------------------------------------------------


def hear(message: InboundMessage, *, contact: Contact, sender: Sender, now: datetime) -> Conversation:
    """Put the text where agents see it: into the open thread, the one resolved lately, or a new one.

    The caller holds the contact's lock.
    """
    conversation = _unresolved(contact, sender) or _reopened(contact, sender, now=now)
    if conversation is None:
        conversation = Conversation.objects.create(
            contact=contact, sender=sender, last_activity_at=now, created_at=now
        )
        _record(conversation, ConversationEventKind.OPENED, actor=None, detail="", now=now)
    Conversation.objects.filter(pk=conversation.pk).update(
        state=ConversationState.OPEN,
        is_unread=True,
        last_inbound_at=message.occurred_at,
        last_activity_at=now,
        version=F("version") + 1,
    )
    _belongs_to(message, conversation)
    conversation.refresh_from_db()
    return conversation


def attach(message: InboundMessage, *, contact: Contact, sender: Sender, now: datetime) -> None:
    """Show a text that needs no agent (STOP, HELP, a keyword) in the open thread, if there is one."""
    conversation = _unresolved(contact, sender)
    if conversation is not None:
        _belongs_to(message, conversation)
        _touch(conversation, now=now)


def tell(contact: Contact, *, sender: Sender, kind: ConversationEventKind, detail: str, now: datetime) -> None:
    """Write an event of the person into the open thread, if there is one."""
    conversation = _unresolved(contact, sender)
    if conversation is not None:
        _record(conversation, kind, actor=None, detail=detail, now=now)
        _touch(conversation, now=now)


# --- What agents do -------------------------------------------------------------------------------------


def assign(conversation: Conversation, *, to: User | None, by: User, now: datetime) -> None:
    """Hand over, whoever has it; None gives it back to the queue."""
    with transaction.atomic():
        moved = (
            Conversation.objects.filter(pk=conversation.pk)
            .exclude(state=ConversationState.RESOLVED)
            .update(assigned_to=to, last_activity_at=now, version=F("version") + 1)
        )
        _require(moved, conversation, "assigned")
        detail = f"to {to.get_username()}" if to else "to nobody"
        _record(conversation, ConversationEventKind.ASSIGNED, actor=by, detail=detail, now=now)


def claim(conversation: Conversation, *, by: User, now: datetime) -> None:
    """Take a thread nobody has; raises `Conflict` naming whoever was faster."""
    with transaction.atomic():
        free = Conversation.objects.filter(pk=conversation.pk, assigned_to=None, state__in=UNRESOLVED)
        if not free.update(assigned_to=by, last_activity_at=now, version=F("version") + 1):
            _refuse_claim(conversation, by=by)
            return
        _record(conversation, ConversationEventKind.ASSIGNED, actor=by, detail=f"to {by.get_username()}", now=now)


def resolve(conversation: Conversation, *, by: User, now: datetime) -> None:
    with transaction.atomic():
        moved = transitions.move_one(
            conversation,
            origins=UNRESOLVED,
            to=ConversationState.RESOLVED,
            changes={"resolved_at": now, "is_unread": False, "last_activity_at": now, "version": F("version") + 1},
        )
        _require(moved, conversation, "resolved")
        _record(conversation, ConversationEventKind.RESOLVED, actor=by, detail="", now=now)


def reopen(conversation: Conversation, *, by: User, now: datetime) -> None:
    """Undo a resolve; raises `Conflict` when the person has begun another thread meanwhile."""
    with transaction.atomic():
        list(Contact.objects.select_for_update(no_key=True).filter(pk=conversation.contact_id))
        if _unresolved(conversation.contact, conversation.sender):
            raise Conflict(
                "conversation_open",
                "This person has another open conversation with the same sender.",
                cure="Work in that one.",
            )
        moved = transitions.move_one(
            conversation,
            origins=(ConversationState.RESOLVED,),
            to=ConversationState.OPEN,
            changes={"resolved_at": None, "last_activity_at": now, "version": F("version") + 1},
        )
        _require(moved, conversation, "reopened")
        _record(conversation, ConversationEventKind.REOPENED, actor=by, detail="", now=now)


def note(conversation: Conversation, *, author: User, text: str, now: datetime) -> Note:
    """A private remark; it never leaves the house."""
    body = sms_text.clean(text).strip()
    if not body or len(body) > LONGEST_NOTE:
        raise Invalid(
            "note_length",
            f"A note has 1 to {LONGEST_NOTE} characters, this one has {len(body)}.",
            field="text",
            cure="Type something." if not body else "Shorten it.",
        )
    with transaction.atomic():
        _touch(conversation, now=now)
        return Note.objects.create(conversation=conversation, author=author, text=body, created_at=now)


def mark_read(conversation: Conversation) -> bool:
    """False when it was read already; then nothing is written."""
    unread = Conversation.objects.filter(pk=conversation.pk, is_unread=True)
    return bool(unread.update(is_unread=False, version=F("version") + 1))


def answered(conversation: Conversation, *, now: datetime) -> None:
    """An agent replied: it waits for the customer, is read, and open again if it was resolved."""
    Conversation.objects.filter(pk=conversation.pk).update(
        state=ConversationState.PENDING,
        is_unread=False,
        resolved_at=None,
        last_activity_at=now,
        version=F("version") + 1,
    )


def _unresolved(contact: Contact, sender: Sender) -> Conversation | None:
    return Conversation.objects.filter(contact=contact, sender=sender, state__in=UNRESOLVED).first()


def _reopened(contact: Contact, sender: Sender, *, now: datetime) -> Conversation | None:
    last = (
        Conversation.objects.filter(
            contact=contact,
            sender=sender,
            state=ConversationState.RESOLVED,
            resolved_at__gt=now - REOPENED_WITHIN,
        )
        .order_by("-resolved_at")
        .first()
    )
    changes = {"resolved_at": None}
    if last is None or not transitions.move_one(
        last, origins=(ConversationState.RESOLVED,), to=ConversationState.OPEN, changes=changes
    ):
        return None
    _record(last, ConversationEventKind.REOPENED, actor=None, detail="a new text came", now=now)
    return last


def _belongs_to(message: InboundMessage, conversation: Conversation) -> None:
    message.conversation = conversation
    message.save(update_fields=["conversation"])


def _touch(conversation: Conversation, *, now: datetime) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(last_activity_at=now, version=F("version") + 1)


def _record(
    conversation: Conversation,
    kind: ConversationEventKind,
    *,
    actor: User | None,
    detail: str,
    now: datetime,
) -> None:
    ConversationEvent.objects.create(
        conversation=conversation, kind=kind, actor=actor, detail=detail[:200], created_at=now
    )


def _require(moved: int | bool, conversation: Conversation, verb: str) -> None:
    if not moved:
        state = Conversation.objects.values_list("state", flat=True).get(pk=conversation.pk)
        raise WrongState(
            "conversation_state",
            f"The conversation is {ConversationState(state).label.lower()} and cannot be {verb}.",
            field="state",
            value=state,
            cure="Load the page again.",
        )


def _refuse_claim(conversation: Conversation, *, by: User) -> None:
    conversation.refresh_from_db()
    if conversation.assigned_to_id == by.pk:
        return
    if conversation.assigned_to:
        raise Conflict(
            "conversation_taken",
            f"{conversation.assigned_to.get_username()} has taken this conversation.",
            cure="Choose another, or ask for it.",
        )
    _require(0, conversation, "claimed")
