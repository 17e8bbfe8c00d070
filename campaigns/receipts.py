"""Receipts: what gateways report afterwards. They only move a row up; a late word never overwrites a better one.

A receipt for a row in `unknown` or `parked` proves that the gateway took it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from campaigns import consequences, states
from campaigns.models import DeliveryEvent, GatewayAccount, OutboundMessage, OutboundState, Sender
from smsdesk import bulk_sql, sms_text
from smsdesk.gateways.contract import Receipt
from smsdesk.gateways.errors import POLICIES, Beyond, ErrorClass

log = structlog.get_logger(__name__)

KEPT_UNMATCHED = timedelta(days=7)
REMATCHED = 500  # at most in one round


def record(account: GatewayAccount, receipts: Sequence[Receipt], *, now: datetime) -> None:
    """Store each receipt once and apply it, in a handful of statements for any number of them.

    A receipt of an unknown message is kept and matched again for 7 days. Commits before it returns.
    """
    with transaction.atomic():
        messages = _match(account, receipts)
        DeliveryEvent.objects.bulk_create(
            [_event(account, r, messages.get(_key(r)), now=now) for r in receipts], ignore_conflicts=True
        )
        _apply(receipts, messages, now=now)
    _follow(account, receipts, messages)


def rematch(*, now: datetime) -> int:
    """Try unmatched receipts again: their message may have got its gateway id meanwhile. How many matched."""
    own = OutboundMessage.objects.filter(sender__account=OuterRef("account"))
    waiting = DeliveryEvent.objects.filter(
        # First those that have a message now: what belongs to nobody must not stand before them.
        Exists(own.filter(public_id=OuterRef("reference")))
        | (~Q(gateway_id="") & Exists(own.filter(gateway_id=OuterRef("gateway_id")))),
        message=None,
        received_at__gt=now - KEPT_UNMATCHED,
    )
    matched = 0
    for event in waiting.select_related("account").order_by("received_at")[:REMATCHED]:
        receipt = _again(event)
        with transaction.atomic():
            messages = _match(event.account, [receipt])
            message = messages.get(_key(receipt))
            if message is None:
                continue
            if DeliveryEvent.objects.filter(pk=event.pk, message=None).update(message=message["id"]):
                _apply([receipt], messages, now=now)
                matched += 1
        _follow(event.account, [receipt], messages)
    return matched


def prove(message_id: int, receipt: Receipt, *, account: GatewayAccount, submit_no: int, now: datetime) -> bool:
    """A lookup found the message at the gateway: `unknown`/`parked` rise, for this very submit only.

    An id that another row of the account already has proves nothing: a list by number and time can name it twice.
    """
    taken = OutboundMessage.objects.filter(gateway_id=receipt.gateway_id, sender__account=account)
    if receipt.gateway_id and taken.exclude(pk=message_id).exists():
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


# A word of acceptance for one of these: the gateway took what it had said it never saw.
_GIVEN_UP = (OutboundState.QUEUED, OutboundState.SKIPPED, OutboundState.CANCELLED)


def _key(receipt: Receipt) -> object:
    return receipt.reference or receipt.gateway_id


def _match(account: GatewayAccount, receipts: Sequence[Receipt]) -> dict[object, dict[str, Any]]:
    """Our reference first, the gateway's id second; only messages of this account."""
    own = OutboundMessage.objects.filter(sender__account=account)
    wanted = ("id", "public_id", "gateway_id", "subscriber_key", "phone", "brand_id", "state", "submit_no")
    references = {r.reference for r in receipts if r.reference}
    found: dict[object, dict[str, Any]] = {
        row["public_id"]: row for row in own.filter(public_id__in=references).values(*wanted)
    }
    ids = {r.gateway_id for r in receipts if not r.reference and r.gateway_id}
    if ids:
        found |= {row["gateway_id"]: row for row in own.filter(gateway_id__in=ids).values(*wanted)}
    return found


def _event(
    account: GatewayAccount, receipt: Receipt, message: dict[str, Any] | None, *, now: datetime
) -> DeliveryEvent:
    return DeliveryEvent(
        account=account,
        event_key=receipt.event_key[:128],
        message_id=message["id"] if message else None,
        reference=receipt.reference,
        gateway_id=receipt.gateway_id[:128],
        word=receipt.word[:60],
        state=receipt.state,
        code=receipt.code[:40],
        error_class=receipt.error_class.value[:12] if receipt.error_class else "",
        occurred_at=receipt.at,
        received_at=now,
        raw=sms_text.storable(receipt.raw),
    )


def _apply(receipts: Iterable[Receipt], messages: dict[object, dict[str, Any]], *, now: datetime) -> None:
    """One statement for all: per message its highest word; rows are locked in id order first."""
    best: dict[int, tuple[Any, ...]] = {}
    for receipt in receipts:
        message = messages.get(_key(receipt))
        if message is None or receipt.state not in states.RANK:
            continue
        rank = states.RANK[OutboundState(receipt.state)]
        known = best.get(message["id"])
        if known is not None and states.RANK[known[1]] >= rank:
            continue
        if message["state"] in _GIVEN_UP and message["submit_no"] and receipt.state != "rejected":
            log.error("accepted_after_given_up", message=str(message["public_id"]))
        final = (receipt.at or now) if rank >= 3 else None
        kind = receipt.error_class.value if receipt.error_class else ""
        best[message["id"]] = (
            message["id"], OutboundState(receipt.state), receipt.gateway_id[:128], receipt.at or now,
            final, receipt.code[:40], kind, "REFUSED" if rank == 3 else "",
        )  # fmt: skip
    if not best:
        return
    states.lock_rows(best)
    _raise([best[message_id] for message_id in sorted(best)])


def _raise(rows: Sequence[tuple[Any, ...]]) -> None:
    """Only upwards, and never a row that was not submitted at all (no honest receipt can name it).

    A row that waits to be tried again rises by words of acceptance only: that it was refused is known.
    """
    unset = ("gateway_id", "error_code", "error_class", "code")
    keep = ", ".join(f"{name} = CASE WHEN x.{name} = '' THEN o.{name} ELSE x.{name} END" for name in unset)
    bulk_sql.update_rows(
        OutboundMessage,
        columns=("state",),
        carried=("gateway_id", "accepted_at", "final_at", "error_code", "error_class", "code"),
        rows=[(row[0], row[1].value, *row[2:]) for row in rows],
        also=f"{keep}, accepted_at = COALESCE(o.accepted_at, x.accepted_at), "
        "final_at = COALESCE(x.final_at, o.final_at), next_lookup_at = NULL",
        where=f"{states.rank_sql('o.state')} < {states.rank_sql('x.state')} AND o.submit_no > 0 "
        "AND NOT (o.state = 'queued' AND x.state = 'rejected')",
    )


def _follow(account: GatewayAccount, receipts: Sequence[Receipt], messages: dict[object, dict[str, Any]]) -> None:
    """Opt-outs and dead numbers a receipt reports."""
    for receipt in receipts:
        message = messages.get(_key(receipt))
        if message is None or receipt.error_class is None:
            continue
        beyond = POLICIES[receipt.error_class].beyond
        if beyond in (Beyond.OPT_OUT, Beyond.MARK_DEAD):
            brand = OutboundMessage.objects.select_related("brand").get(pk=message["id"]).brand
            consequences.apply(
                beyond,
                account_id=account.pk,
                subscriber_key=message["subscriber_key"],
                phone=message["phone"],
                brand=brand,
                permanent=receipt.permanent,
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
