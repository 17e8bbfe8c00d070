"""One conversation as an agent reads it: texts both ways, notes and events in the order they happened."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from campaigns import eligibility
from campaigns.models import OutboundMessage, OutboundState
from contacts import belonging, reasons
from inbound.models import Conversation, ConversationEvent, InboundMessage, Note, Reply

SHOWN, MOST_SHOWN = 60, 600
KINDS = ("in", "out", "note", "event")
_HIDDEN = frozenset(
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)

# State → the words an agent reads, and the colour of their pill.
DELIVERY = {
    OutboundState.QUEUED: ("waiting to leave", "wait"),
    OutboundState.SUBMITTING: ("leaving", "busy"),
    OutboundState.ACCEPTED: ("accepted by the carrier", "busy"),
    OutboundState.SENT: ("sent", "busy"),
    OutboundState.DELIVERED: ("delivered", "ok"),
    OutboundState.UNDELIVERED: ("not delivered", "bad"),
    OutboundState.EXPIRED: ("expired", "bad"),
    OutboundState.REJECTED: ("refused", "bad"),
    OutboundState.SKIPPED: ("not sent", "bad"),
    OutboundState.CANCELLED: ("cancelled", "off"),
    OutboundState.UNKNOWN: ("may have been sent, checking", "wait"),
    OutboundState.PARKED: ("may have been sent", "wait"),
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a page has shown: the highest id of each source, and the day of its last entry."""

    inbound: int = 0
    outbound: int = 0
    notes: int = 0
    events: int = 0
    day: str = ""

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """From the address; anything not understood means "nothing shown yet"."""
        numbers, _, day = text.partition("@")
        parts = numbers.split(".")
        if len(parts) != 4 or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in parts):
            return cls()
        inbound, outbound, notes, events = (int(part) for part in parts)
        return cls(inbound, outbound, notes, events, day[:10])

    def __str__(self) -> str:
        return f"{self.inbound}.{self.outbound}.{self.notes}.{self.events}@{self.day}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the thread. `kind`: in, out, note, event. `day` stands above the first entry of a day."""

    kind: str
    ref: str
    at: datetime
    text: str
    who: str = ""
    origin: str = ""
    state: str = ""
    colour: str = ""
    why: str = ""
    parts: int | None = None
    has_hidden: bool = False
    day: str = ""


@dataclass(frozen=True, slots=True)
class Thread:
    entries: list[Entry]
    cursor: Cursor
    has_earlier: bool


def read(conversation: Conversation, *, shown: int = SHOWN, after: Cursor | None = None) -> Thread:
    """The latest `shown` entries, or everything newer than `after`; four or five queries whatever the length."""
    since = after or Cursor()
    found = [
        *_inbound(conversation, since, shown + 1),
        *_outbound(conversation, since, shown + 1),
        *_notes(conversation, since, shown + 1),
        *_events(conversation, since, shown + 1),
    ]
    found.sort(key=lambda pair: (pair[1].at, pair[0]))
    entries = [entry for _, entry in found][-shown:] if after is None else [entry for _, entry in found]
    dated, last_day = _with_days(entries, since.day)
    newest = {kind: max((pk for pk, entry in found if entry.kind == kind), default=0) for kind in KINDS}
    cursor = Cursor(
        inbound=max(newest["in"], since.inbound),
        outbound=max(newest["out"], since.outbound),
        notes=max(newest["note"], since.notes),
        events=max(newest["event"], since.events),
        day=last_day,
    )
    return Thread(dated, cursor, has_earlier=after is None and len(found) > shown)


def fingerprint(conversation: Conversation) -> str:
    """Changes with every change of the thread and every step of a delivery; one query."""
    rows = _messages(conversation, keys=[conversation.contact.subscriber_key]).order_by("-id")
    states = list(rows.values_list("id", "state")[:SHOWN])
    return f"{conversation.version}-{zlib.crc32(repr(states).encode()):x}"


def deliveries(conversation: Conversation) -> list[Entry]:
    """The states of the messages an open page may show."""
    return [entry for _, entry in _outbound(conversation, Cursor(), SHOWN)]


def _messages(conversation: Conversation, *, keys: Sequence[str]) -> QuerySet[OutboundMessage]:
    """Everything from this sender to these phones; of campaigns only what left."""
    return OutboundMessage.objects.filter(
        Q(campaign=None) | Q(submit_no__gt=0),
        subscriber_key__in=keys,
        sender=conversation.sender_id,
    )


def _inbound(conversation: Conversation, since: Cursor, limit: int) -> list[tuple[int, Entry]]:
    rows = InboundMessage.objects.filter(
        subscriber_key__in=belonging.keys_of(conversation.contact),
        sender=conversation.sender_id,
        pk__gt=since.inbound,
    ).order_by("-id")[:limit]
    return [
        (
            row.pk,
            Entry(
                "in",
                row.ref,
                row.received_at,
                row.text,
                state=f"read as {row.get_intent_display().lower()} ({row.confidence})"
                if row.intent != "none"
                else "",
                has_hidden=any(c in _HIDDEN for c in row.text),
            ),
        )
        for row in rows
    ]


def _outbound(conversation: Conversation, since: Cursor, limit: int) -> list[tuple[int, Entry]]:
    keys = belonging.keys_of(conversation.contact)
    rows = list(
        _messages(conversation, keys=keys)
        .filter(pk__gt=since.outbound)
        .select_related("campaign")
        .order_by("-id")[:limit]
    )
    authors = _authors([row.pk for row in rows])
    return [(row.pk, _sent(row, who=authors.get(row.pk, ""))) for row in rows]


def _sent(row: OutboundMessage, *, who: str) -> Entry:
    words, colour = DELIVERY[OutboundState(row.state)]
    origin = f"Campaign {row.campaign.name}" if row.campaign else row.get_kind_display()
    return Entry(
        "out",
        row.ref,
        row.submitted_at or row.created_at,
        row.shown_text,
        who=who,
        origin=origin,
        state=words,
        colour=colour,
        why=_why(row),
        parts=row.parts,
    )


def _why(row: OutboundMessage) -> str:
    if not row.code:
        return row.error_code
    detail: dict[str, Any] = row.verdict or {}
    if row.code in reasons.SENTENCES:
        return reasons.sentence(row.code, detail)
    return eligibility.SENTENCES.get(row.code, row.code).format_map(_Blank(detail))


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "several"


def _authors(messages: list[int]) -> dict[int, str]:
    if not messages:
        return {}
    replies = Reply.objects.filter(message__in=messages).select_related("author")
    return {reply.message_id: reply.author.get_username() if reply.author else "API" for reply in replies}


def _notes(conversation: Conversation, since: Cursor, limit: int) -> list[tuple[int, Entry]]:
    rows = (
        Note.objects.filter(
            conversation__contact=conversation.contact_id,
            conversation__sender=conversation.sender_id,
            pk__gt=since.notes,
        )
        .select_related("author")
        .order_by("-id")[:limit]
    )
    return [(n.pk, Entry("note", f"note_{n.pk}", n.created_at, n.text, who=n.author.get_username())) for n in rows]


def _events(conversation: Conversation, since: Cursor, limit: int) -> list[tuple[int, Entry]]:
    rows = (
        ConversationEvent.objects.filter(
            conversation__contact=conversation.contact_id,
            conversation__sender=conversation.sender_id,
            pk__gt=since.events,
        )
        .select_related("actor")
        .order_by("-id")[:limit]
    )
    return [
        (
            e.pk,
            Entry(
                "event",
                f"event_{e.pk}",
                e.created_at,
                f"{e.get_kind_display()} {e.detail}".strip(),
                who=e.actor.get_username() if e.actor else "",
            ),
        )
        for e in rows
    ]


def _with_days(entries: list[Entry], last_day: str) -> tuple[list[Entry], str]:
    """Each entry that begins a day of the reader's zone carries that day."""
    dated: list[Entry] = []
    for entry in entries:
        day = timezone.localtime(entry.at).date().isoformat()
        if day != last_day:
            dated.append(replace(entry, day=day))
            last_day = day
        else:
            dated.append(entry)
    return dated, last_day
