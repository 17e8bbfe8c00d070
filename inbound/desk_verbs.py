"""What the buttons beside a conversation do, who may press them, and what is said afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from campaigns import sending
from contacts import consent
from contacts import holds as contact_holds
from contacts.models import Brand, ConsentSource, Contact, Hold
from inbound import conversations, holds
from inbound.models import Conversation, ConversationEventKind
from smsdesk.errors import Invalid, WrongState

# What it returns, if anything, is said instead of `done`.
Act = Callable[[Conversation, User, Mapping[str, str], datetime], str | None]


@dataclass(frozen=True, slots=True)
class Verb:
    permission: str
    done: str
    act: Act


def _claim(conversation: Conversation, by: User, form: Mapping[str, str], now: datetime) -> None:
    conversations.claim(conversation, by=by, now=now)


def _release(conversation: Conversation, by: User, form: Mapping[str, str], now: datetime) -> None:
    conversations.assign(conversation, to=None, by=by, now=now)


def _assign(conversation: Conversation, by: User, form: Mapping[str, str], now: datetime) -> None:
    given = form.get("agent", "")
    to = User.objects.filter(username=given, is_active=True, is_staff=True).first() if "\x00" not in given else None
    if to is None or not to.has_perm("inbound.reply_conversation"):
        raise Invalid(
            "no_such_agent",
            "Nobody of this name answers conversations.",
            field="agent",
            value=given[:60],
            cure="Choose somebody from the list.",
        )
    conversations.assign(conversation, to=to, by=by, now=now)


def _resolve(conversation: Conversation, by: User, form: Mapping[str, str], now: datetime) -> None:
    conversations.resolve(conversation, by=by, now=now)


def _reopen(conversation: Conversation, by: User, form: Mapping[str, str], now: datetime) -> None:
    conversations.reopen(conversation, by=by, now=now)


def _note(conversation: Conversation, by: User, form: Mapping[str, str], now: datetime) -> None:
    conversations.note(conversation, author=by, text=form.get("text", ""), now=now)


def opt_out(conversation: Conversation, by: User, form: Mapping[str, str], now: datetime) -> str:
    """The person asked for it in this thread, in words no machine was sure of: their own act, read by an agent."""
    with transaction.atomic():
        (contact,) = consent.lock([conversation.contact_id]) or [conversation.contact]
        brand, name = conversation.sender.brand, by.get_username()
        held = open_hold(contact, brand=brand)
        if held is not None:
            return holds.opt_out(held, by=name, note="read by a person", now=now).sentence
        consent.opt_out(
            contact,
            brand=brand,
            source=ConsentSource.TEXT,
            occurred_at=now,
            now=now,
            by=name,
            note=f"in conversation {conversation.ref}",
        )
        cancelled = sending.cancel_opted_out(contact, brand=brand, now=now)
        conversations.tell(
            contact,
            sender=conversation.sender,
            kind=ConversationEventKind.OPTED_OUT,
            detail=f"by {name}",
            now=now,
        )
    return holds.Effect(brand, cancelled, stands=True).sentence


def _not_opt_out(conversation: Conversation, by: User, form: Mapping[str, str], now: datetime) -> None:
    held = open_hold(conversation.contact, brand=conversation.sender.brand)
    if held is None:
        raise WrongState("no_open_hold", "Nothing is held for review here any more.", cure="Reload the page.")
    holds.release(held, by=by.get_username(), now=now)


def open_hold(contact: Contact, *, brand: Brand) -> Hold | None:
    return contact_holds.open_of(contact.subscriber_key, brand=brand).first()


_REPLY, _ASSIGN = "inbound.reply_conversation", "inbound.assign_conversation"
_OPT_OUT, _REVIEW = "contacts.opt_out_contact", "inbound.review_hold"

VERBS: dict[str, Verb] = {
    "claim": Verb(_REPLY, "The conversation is yours.", _claim),
    "release": Verb(_ASSIGN, "Nobody has the conversation now.", _release),
    "assign": Verb(_ASSIGN, "Handed over.", _assign),
    "resolve": Verb(_REPLY, "Resolved. A new text of this person opens it again.", _resolve),
    "reopen": Verb(_REPLY, "Open again.", _reopen),
    "note": Verb(_REPLY, "Note kept.", _note),
    "opt-out": Verb(_OPT_OUT, "Opted out.", opt_out),
    "not-opt-out": Verb(_REVIEW, "Released: read as no opt-out.", _not_opt_out),
}
