"""Receipts: what gateways report afterwards. They only move a row up; a late word never overwrites a better one.

A receipt for a row in `unknown` or `parked` proves that the gateway took it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, Q

from campaigns import consequences, receipt_rows, states, strikes
from campaigns.models import DeliveryEvent, GatewayAccount, OutboundMessage, OutboundState, Sender, TakenMessage
from smsdesk import bulk_sql, failpoints, tallies
from smsdesk.gateways.contract import Receipt
from smsdesk.gateways.errors import POLICIES, Beyond, ErrorClass

log = structlog.get_logger(__name__)

KEPT_UNMATCHED = timedelta(days=7)
REMATCHED = 500  # at most in one round
_TRIES = 3
_DEADLOCK = "40P01"


def record(account: GatewayAccount, receipts: Sequence[Receipt], *, now: datetime) -> None:
    """Store each receipt once and apply it, in one round trip for any number of them.

    A receipt of an unknown message is kept and matched again for 7 days. Commits before it returns.
    """
    failpoints.hit("receipt.before_commit")
    for left in reversed(range(_TRIES)):
        try:
            stored = receipt_rows.store(account.pk, receipts, now=now)
            break
        except OperationalError as problem:
            if not left or getattr(problem.__cause__, "sqlstate", "") != _DEADLOCK:
                raise
    failpoints.hit("receipt.after_commit")
    for public_id in stored.given_up:
        log.error("accepted_after_given_up", message=str(public_id))
        tallies.count_today("accepted_after_given_up", now=now)
    _follow(account, receipts, now=now)
    strikes.learn_late(stored.failed, account=account, now=now)


def rematch(*, now: datetime) -> int:
    """Try unmatched receipts again: their message may have got its gateway id meanwhile. How many matched."""
    own = OutboundMessage.objects.filter(sender__account=OuterRef("account"))
    waiting = DeliveryEvent.objects.filter(
        # First those that have a message now: what belongs to nobody must not stand before them.
        Exists(own.filter(public_id=OuterRef("reference")))
        | (Q(reference=None) & ~Q(gateway_id="") & Exists(own.filter(taken__gateway_id=OuterRef("gateway_id")))),
        message=None,
        received_at__gt=now - KEPT_UNMATCHED,
    )
    events = list(waiting.select_related("account").order_by("received_at")[:REMATCHED])
    if not events:
        return 0
    matched = set(receipt_rows.match_again([event.pk for event in events]))
    for event in events:
        if event.pk in matched:
            _follow(event.account, [_again(event)])
    return len(matched)


def prove(message_id: int, receipt: Receipt, *, account: GatewayAccount, submit_no: int, now: datetime) -> bool:
    """A lookup found the message at the gateway: `unknown`/`parked` rise, for this very submit only.

    An id that another row of the account already has proves nothing: a list by number and time can name it twice.
    """
    taken = TakenMessage.objects.filter(gateway_id=receipt.gateway_id, message__sender__account=account)
    if receipt.gateway_id and taken.exclude(message=message_id).exists():
        return False
    state = OutboundState(receipt.state) if receipt.state in states.RANK else OutboundState.ACCEPTED
    final = (receipt.at or now) if states.RANK[state] >= 3 else None
    values = (receipt.gateway_id, receipt.at or now, final, receipt.code[:40])
    kind = receipt.error_class.value if receipt.error_class else ""
    with transaction.atomic():
        return bool(
            bulk_sql.update_rows(
                OutboundMessage,
                columns=("state", "gateway_id", "accepted_at", "final_at", "error_code", "error_class", "code"),
                rows=[(message_id, state.value, *values, kind, "REFUSED" if states.RANK[state] == 3 else "")],
                where="o.state IN ('unknown', 'parked') AND o.submit_no = %s",
                parameters=[submit_no],
            )
        )


def record_reply(message: OutboundMessage, *, now: datetime, opted_out: bool) -> None:
    """The person answered this message; told from above, so that reports read the ledger only."""
    rows = OutboundMessage.objects.filter(pk=message.pk)
    if opted_out:
        rows.filter(opted_out_at=None).update(opted_out_at=now)
    else:
        rows.filter(replied_at=None).update(replied_at=now)


def latest_message_to(subscriber_key: str, sender: Sender) -> OutboundMessage | None:
    """The message an inbound text most likely answers: the latest one that left from this sender."""
    return (
        OutboundMessage.objects.filter(subscriber_key=subscriber_key, sender=sender, submit_no__gt=0)
        .order_by("-id")
        .first()
    )


def latest_sender_to(subscriber_key: str, account: GatewayAccount) -> Sender | None:
    """Whoever texted this phone last through the account."""
    messages = OutboundMessage.objects.filter(
        subscriber_key=subscriber_key, sender__account=account, submit_no__gt=0
    ).select_related("sender__brand")
    latest = messages.order_by("-id").first()
    return latest.sender if latest else None


def _follow(account: GatewayAccount, receipts: Sequence[Receipt], *, now: datetime | None = None) -> None:
    """Opt-outs and dead numbers a receipt reports; most calls hold none and ask for nothing.

    `now` is when these came: one that had come before says what it said then, and nothing new.
    """
    for receipt in receipts:
        beyond = POLICIES[receipt.error_class].beyond if receipt.error_class else Beyond.NONE
        if beyond is not Beyond.OPT_OUT and not (beyond is Beyond.MARK_DEAD and receipt.permanent):
            continue
        event = DeliveryEvent.objects.select_related("message__brand").get(
            account=account, event_key=receipt.event_key[:128]
        )
        if event.message is not None:
            consequences.apply(
                beyond,
                account_id=account.pk,
                subscriber_key=event.message.subscriber_key,
                phone=event.message.phone,
                brand=event.message.brand,
                permanent=receipt.permanent,
                told_at=event.occurred_at or event.received_at,
                is_repeated=now is not None and event.received_at < now,
            )


def _again(event: DeliveryEvent) -> Receipt:
    state: Any = event.state  # was a State when it was stored
    return Receipt(
        event_key=event.event_key,
        reference=event.reference,
        gateway_id=event.gateway_id,
        word=event.word,
        state=state,
        code=event.code,
        error_class=ErrorClass(event.error_class) if event.error_class else None,
        at=event.occurred_at,
    )
