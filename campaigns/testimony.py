"""What the outbound ledger tells of one phone: every decision, and what became of the message."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from campaigns import recipients, states
from campaigns.models import MessageKind, OutboundMessage
from contacts import frequency, testimony
from contacts.testimony import Decision
from smsdesk import bulk_sql

_PAGE = 500


@testimony.decisions.add
def decisions_on(subscriber_key: str) -> Iterator[Decision]:
    rows = OutboundMessage.objects.filter(subscriber_key=subscriber_key)
    after = 0
    while page := list(_page(rows, after=after)):
        yield from map(_decision, page)
        after = page[-1].pk


@frequency.counts
def sent_before(keys: Collection[str], purpose: str, since: datetime) -> Iterator[tuple[str, int, datetime]]:
    """Messages that count against a cap: those that left or may have left. Tests and replies do not."""
    rows = OutboundMessage.objects.filter(
        bulk_sql.among("subscriber_key", keys),
        states.LEFT,
        purpose=purpose,
        submitted_at__gt=since,
    ).exclude(kind__in=[MessageKind.TEST, MessageKind.REPLY])
    found: Any = rows.values_list("subscriber_key", "brand_id", "submitted_at")
    yield from found.iterator(chunk_size=_PAGE)


def _page(rows: "QuerySet[OutboundMessage]", *, after: int) -> "QuerySet[OutboundMessage]":
    return rows.filter(pk__gt=after).select_related("campaign", "brand", "sender__account").order_by("pk")[:_PAGE]


def _decision(message: OutboundMessage) -> Decision:
    verdict: dict[str, Any] = message.verdict if isinstance(message.verdict, dict) else {}
    return Decision(
        message=message.ref,
        made_at=_moment(verdict.get("at")),
        created_at=message.created_at,
        what=f"Campaign “{message.campaign.name}”" if message.campaign else message.get_kind_display(),
        brand=message.brand.name,
        brand_id=message.brand_id,
        purpose=message.purpose,
        sender=message.sender.value,
        outcome=str(verdict.get("outcome", "")),
        code=str(verdict.get("code") or message.code),
        reason=recipients.decision(message, gateway=message.sender.account.kind),
        rules=str(verdict.get("rules", "")),
        state=message.get_state_display(),
        left_at=message.submitted_at if states.may_have_left(message) else None,
        ended_at=message.final_at,
        text=message.shown_text,
    )


def _moment(text: object) -> datetime | None:
    try:
        return parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
