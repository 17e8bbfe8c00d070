"""The reconciler works `unknown` rows off: it asks the gateway, and believes only proof.

A "yes" counts at any age. What else follows stands in `campaigns/uncertainty.py`; here gateways are asked, no more
often than they allow over all processes, and the answers are written down.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from campaigns import accounts, lanes, receipts, states, uncertainty
from campaigns.models import GatewayAccount, OutboundMessage, OutboundState
from campaigns.times import TIMES
from campaigns.uncertainty import Step
from smsdesk import bulk_sql, clock, failpoints
from smsdesk.gateways import client, registry
from smsdesk.gateways.contract import Capabilities, LookupItem, Receipt
from smsdesk.gateways.errors import GatewayError, OutcomeUnknown

log = structlog.get_logger(__name__)

PAGE = 200
ASK_AGAIN = 30  # seconds, where somebody else asks or nobody may
ASKING = 10.0  # seconds for all lookups of one account: sending and everything else of the pulse waits meanwhile
REQUESTS = 50  # of one account in one round, which a gateway that lives answers in that time
SLACK = 1.1  # further apart than allowed, for a burst comes at once


def reconcile() -> int:
    """One round: every `unknown` row whose next lookup is due; how many were looked at."""
    rows = _take_due()
    by_account: dict[int, list[OutboundMessage]] = defaultdict(list)
    for row in rows:
        by_account[row.sender.account_id].append(row)
    for own in by_account.values():
        account = own[0].sender.account
        try:
            _settle(account, own)
        except DatabaseError:
            raise
        except Exception:
            # One account that cannot be asked must not keep the others' rows unknown.
            log.exception("lookup_broken", account=account.pk)
            _in_vain(own, can=registry.capabilities(account.kind), code="lookup_broken")
    return len(rows)


def _take_due() -> list[OutboundMessage]:
    """Win rows by moving their next lookup on: two reconcilers never ask for the same one.

    Rows that somebody writes at this moment, such as many receipts, are left for the next look.
    """
    due = (
        "SELECT message_id FROM campaigns_messageinmotion WHERE state = 'unknown' "
        f"AND next_lookup_at <= {lanes.clock()} ORDER BY next_lookup_at LIMIT {PAGE}"
    )
    if connection.vendor == "postgresql":
        due = f"SELECT id FROM campaigns_outboundmessage WHERE id IN ({due}) FOR NO KEY UPDATE SKIP LOCKED"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_outboundmessage SET next_lookup_at = {lanes.later('%s')} WHERE id IN ({due}) "
            f"AND state = 'unknown' AND next_lookup_at <= {lanes.clock()} RETURNING id",
            [ASK_AGAIN * settings.TIME_SCALE],
        )
        ids = [row[0] for row in cursor.fetchall()]
    found = OutboundMessage.objects.filter(pk__in=ids).select_related("sender__account")
    return list(found.order_by("pk"))


def _settle(account: GatewayAccount, rows: Sequence[OutboundMessage]) -> None:
    can = registry.capabilities(account.kind)
    now = clock.database_now()
    unasked: list[OutboundMessage] = []
    rest: list[OutboundMessage] = []
    for row in rows:
        (unasked if uncertainty.may_queue_unasked(row, can=can, now=now) else rest).append(row)
    _move(unasked, can=can, was_asked=False)
    if not rest:
        return
    if can.lookup == "none":
        _move(rest, can=can, was_asked=False)
        return
    rest = rest[: REQUESTS * can.lookup_batch]  # the others come again in a moment
    if not _may_ask(account, can=can, requests=math.ceil(len(rest) / can.lookup_batch)):
        return  # they come again in a moment
    try:
        failpoints.hit("reconcile.before_lookup")
        found = asyncio.run(_ask(account, rest))
        failpoints.hit("reconcile.after_lookup")
    except GatewayError as trouble:
        log.warning("lookup_failed", account=account.pk, code=trouble.code)
        _in_vain(rest, can=can, code=trouble.code)
        return
    now = clock.database_now()
    unseen = []
    for row in rest:
        receipt = found.get(row.public_id)
        if receipt is None:
            unseen.append(row)
        elif not receipts.prove(row.pk, receipt, account=account, submit_no=row.submit_no, now=now):
            # Somebody was faster, or the id is another row's: not the same as never seen.
            _in_vain([row], can=can, code="id_taken")
    here: list[OutboundMessage] = []
    elsewhere: list[OutboundMessage] = []
    for row in unseen:
        (elsewhere if _is_of_former_key(row, account) else here).append(row)
    for row in elsewhere:
        row.evidence = {**(row.evidence or {}), "another_key": True}
    _move(here, can=can, was_asked=True)
    _move(elsewhere, can=replace(can, tier="C", lookup="proof"), was_asked=True)


def _is_of_former_key(row: OutboundMessage, account: GatewayAccount) -> bool:
    """Whether it went, or may have gone, with another key than the one that asks now."""
    if account.key_changed_at is None or row.submitted_at is None:
        return False
    # Who has a batch in hand sends it with the key it was read with.
    return row.submitted_at < account.key_changed_at + timedelta(seconds=TIMES.lapse)


def _may_ask(account: GatewayAccount, *, can: Capabilities, requests: int) -> bool:
    """Take the account's turn to ask: so many requests a minute over all processes, as the gateway allows."""
    if can.lookups_per_minute is None:
        return True
    now = clock.database_now()
    pause = timedelta(seconds=60 / can.lookups_per_minute * requests * SLACK)
    free = GatewayAccount.objects.filter(pk=account.pk).exclude(next_lookup_at__gt=now)
    return bool(free.update(next_lookup_at=now + pause))


def _in_vain(rows: Sequence[OutboundMessage], *, can: Capabilities, code: str) -> None:
    """Nobody could be asked: again in a moment, but not for ever."""
    for row in rows:
        evidence = dict(row.evidence or {})
        row.evidence = {**evidence, "failed_lookups": evidence.get("failed_lookups", 0) + 1, "lookup_error": code}
    _move(rows, can=can, was_asked=False)


async def _ask(account: GatewayAccount, rows: Sequence[OutboundMessage]) -> dict[UUID, Receipt]:
    async with client.session(calls=4, time_scale=settings.TIME_SCALE) as http:
        gateway = accounts.gateway(account, http=http)
        items = [
            LookupItem(
                reference=row.public_id,
                to=row.phone,
                body=row.body,
                gateway_id=row.gateway_id,
                sender=row.sender.value,
                submitted_at=row.submitted_at,
            )
            for row in rows
        ]
        first = min(row.submitted_at for row in rows if row.submitted_at)
        try:
            async with asyncio.timeout(ASKING * settings.TIME_SCALE):
                known = await gateway.lookup(items, submitted_after=first - timedelta(minutes=1))
        except TimeoutError as problem:
            raise OutcomeUnknown("timeout", "The gateway did not say in time what it knows.") from problem
        return {r.reference: r for r in known if r.reference}


def _move(rows: Sequence[OutboundMessage], *, can: Capabilities, was_asked: bool) -> None:
    """The next step of each, in one statement.

    By (id, unknown, submit number): a proof that came meanwhile, or a newer submit, is not touched.
    """
    if not rows:
        return
    now = clock.database_now()
    steps = [(row, uncertainty.next_step(row, can=can, was_asked=was_asked, now=now)) for row in rows]
    with transaction.atomic():
        states.lock_rows(row.pk for row in rows)
        bulk_sql.update_rows(
            OutboundMessage,
            columns=("state", "evidence", "code", "next_lookup_at", "outcome_open", "open_until"),
            carried=("submit_no",),
            rows=sorted((_change(row, step) for row, step in steps), key=lambda change: change[0]),
            where="o.state = 'unknown' AND o.submit_no = x.submit_no",
        )
        failpoints.hit("reconcile.before_commit")
    parked = sum(step.state == OutboundState.PARKED for _, step in steps)
    if parked:
        log.warning("messages_parked", account=rows[0].sender.account_id, count=parked)


def _change(row: OutboundMessage, step: Step) -> tuple[object, ...]:
    open_until = step.open_until if step.state == OutboundState.QUEUED else row.open_until
    is_open = row.outcome_open or step.open_until is not None
    return (row.pk, step.state.value, step.evidence, step.code, step.look_at, is_open, open_until, row.submit_no)
