"""The people of a campaign, one ledger row each: what became of each and why, and all of it as CSV."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from campaigns import failures, reasons, reports
from campaigns.models import Campaign, OutboundMessage, OutboundState, Settlement
from smsdesk import phones, spreadsheets
from smsdesk.api.paging import After, following

S = OutboundState
_OF_PARKED = ("NO_PROOF", "NOT_SEEN", "RESTORED", "CLOSED", "SENT_AGAIN")
PAGE = 2_000  # rows read at a time for the CSV


def of(campaign: Campaign, *, reason: str) -> "QuerySet[OutboundMessage]":
    """The campaign's rows, all or those a figure stands for: `state-…`, `code-…`, `error-…`, `replied` …"""
    rows = OutboundMessage.objects.filter(campaign=campaign, kind="campaign").order_by("created_at", "pk")
    kind, _, value = reason.partition("-")
    if kind == "state" and value in S.values:
        return rows.filter(state=value)
    if kind == "code":
        return rows.filter(code=value, state__in=(S.SKIPPED, S.CANCELLED))
    if kind == "error":
        failed = rows.filter(state__in=reports.FAILED)
        return (
            failed.filter(error_code="") if value == "none" else failed.filter(Q(error_code=value) | Q(code=value))
        )
    if kind == "waits":
        return rows.filter(state=S.QUEUED, waiting_for="" if value == "turn" else value)
    if reason in ("replied", "opted_out"):
        return rows.filter(**{f"{reason}_at__isnull": False})
    if reason == "taken":
        return rows.filter(state__in=reports.TAKEN)
    if reason == "failed":
        return rows.filter(state__in=reports.FAILED)
    return rows


def why(message: OutboundMessage, *, gateway: str) -> str:
    """Why this row is in its state, in a sentence; "" where the state says it all."""
    if message.state == S.QUEUED:
        return reasons.waiting(message.waiting_for, _detail(message))
    if message.state == S.UNKNOWN:
        return reasons.uncertain(gateway)
    if message.state in reports.FAILED:
        return failures.explain(gateway, message.error_code or message.code, message.error_class).cause
    if message.code in _OF_PARKED and message.state != S.PARKED:
        return ""  # it became known since
    return reasons.sentence(message.code, _detail(message)) if message.code else ""


def _detail(message: OutboundMessage) -> dict[str, Any]:
    """What the stored verdict knows, its time as people read it."""
    detail = dict(message.verdict) if isinstance(message.verdict, dict) else {}
    if message.state == S.QUEUED and detail.get("until"):
        detail["until"] = timezone.localtime(message.due_at).strftime("%Y-%m-%d %H:%M %Z")
    return detail


CSV_HEADER = (
    "message",
    "phone",
    "name",
    "state",
    "code",
    "reason",
    "parts",
    "submitted_at",
    "final_at",
    "replied_at",
)


def csv_lines(
    rows: "QuerySet[OutboundMessage]", *, gateways: Mapping[int, str], shows_phones: bool
) -> Iterator[str]:
    """The recipients as CSV, streamed; phones are masked unless `shows_phones`. `gateways`: by sender id."""
    named = rows.annotate(contact_name=F("contact__name")).defer("body", "text")
    found = (
        (
            message.ref,
            message.phone if shows_phones else phones.mask(message.phone),
            *map(spreadsheets.defused, _cells(message, gateway=gateways.get(message.sender_id, ""))),
        )
        for message in _in_pages(named)
    )
    return spreadsheets.lines(chain([CSV_HEADER], found))


def _in_pages(rows: "QuerySet[Any]") -> Iterator[Any]:
    """All rows in order, a page per statement: no single one runs into the time limit, and memory stays flat."""
    page = list(rows[:PAGE])
    while page:
        yield from page
        last = page[-1]
        further = following(rows, field="created_at", moment=last.created_at, row_id=last.pk, side=After)
        page = list(further[:PAGE])


def _cells(message: Any, *, gateway: str) -> Iterable[str]:
    yield message.contact_name or ""
    yield message.get_state_display()
    yield message.code or message.error_code
    yield why(message, gateway=gateway)
    yield str(message.parts or "")
    for moment in (message.submitted_at, message.final_at, message.replied_at):
        yield moment.isoformat(timespec="seconds") if moment else ""


def decision(message: OutboundMessage, *, gateway: str) -> str:
    """The stored verdict as a sentence: what let it leave, keeps it waiting, or kept it back."""
    if message.code:
        return why(message, gateway=gateway)
    if isinstance(message.verdict, dict) and message.verdict.get("code"):
        return reasons.sentence(str(message.verdict["code"]), _detail(message))
    return reasons.waiting(message.waiting_for, {}) if message.state == S.QUEUED else ""


def timeline(message: OutboundMessage) -> list[tuple[datetime, str]]:
    """(when, what) in order: our own steps and every receipt that came."""
    steps = [
        (message.created_at, "queued"),
        (message.submitted_at, f"handed to the gateway (try {message.submit_no})"),
        (message.accepted_at, "accepted by the gateway"),
        (message.replied_at, "answered by the person"),
        (message.opted_out_at, "opted out"),
    ]
    settled = Settlement.objects.filter(message=message).first()
    if settled is not None:
        words = f"{settled.get_answer_display().lower()}: decided by {settled.by_name}. {settled.reason}"
        steps.append((settled.settled_at, words))
    known = [(moment, words) for moment, words in steps if moment is not None]
    for event in message.events.order_by("received_at", "pk")[:50]:
        code = f", code {event.code}" if event.code else ""
        known.append((event.received_at, f"receipt: {event.word}{code}"))
    return sorted(known, key=lambda entry: entry[0])
