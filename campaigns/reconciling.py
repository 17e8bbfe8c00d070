"""The reconciler works `unknown` rows off: it asks the gateway, and believes only proof.

A "yes" counts at any age. A "never seen" counts only where the gateway's lookup is exact, only from a grace on,
when nothing that was written can still arrive, and only while the gateway surely still has its log: then the row
goes back to `queued` and is judged anew. Where nobody can tell, it is parked for a person; no machine sends it
again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from campaigns import accounts, lanes, receipts
from campaigns.models import GatewayAccount, OutboundMessage, OutboundState
from campaigns.times import TIMES
from contacts.models import Purpose
from smsdesk import clock
from smsdesk.gateways import client, registry
from smsdesk.gateways.contract import Gateway, LookupItem, Receipt
from smsdesk.gateways.errors import GatewayError

log = structlog.get_logger(__name__)

PAGE = 200
MOST_SUBMITS = 3
# No gateway drops its log sooner; from then on "never seen" may only mean "forgotten".
REMEMBERED = timedelta(hours=24)
# A proof-only gateway is asked this long, then the row is parked.
PATIENCE = {
    Purpose.MARKETING: timedelta(hours=24),
    Purpose.TRANSACTIONAL: timedelta(minutes=2),
    Purpose.CONVERSATIONAL: timedelta(minutes=2),
    Purpose.COMPLIANCE: timedelta(minutes=2),
}


def reconcile() -> int:
    """One round: every `unknown` row whose next lookup is due; how many were looked at."""
    rows = _take_due()
    by_account: dict[int, list[OutboundMessage]] = defaultdict(list)
    for row in rows:
        by_account[row.sender.account_id].append(row)
    for own in by_account.values():
        try:
            _settle(own[0].sender.account, own)
        except DatabaseError:
            raise
        except Exception:
            # One account that cannot be asked must not keep the others' rows unknown.
            log.exception("lookup_broken", account=own[0].sender.account_id)
            _in_vain(own[0].sender.account, own)
    return len(rows)


def _take_due() -> list[OutboundMessage]:
    """Win rows by moving their next lookup 30 s on: two reconcilers never ask for the same one."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_outboundmessage SET next_lookup_at = {lanes.later('%s')} WHERE id IN ("
            "SELECT id FROM campaigns_outboundmessage WHERE state = 'unknown' "
            f"AND next_lookup_at <= {lanes.clock()} ORDER BY next_lookup_at LIMIT {PAGE}) "
            f"AND state = 'unknown' AND next_lookup_at <= {lanes.clock()} RETURNING id",
            [30 * settings.TIME_SCALE],
        )
        ids = [row[0] for row in cursor.fetchall()]
    found = OutboundMessage.objects.filter(pk__in=ids).select_related("sender__account")
    return list(found.order_by("pk"))


def _settle(account: GatewayAccount, rows: Sequence[OutboundMessage]) -> None:
    try:
        found, exact = asyncio.run(_ask(account, rows))
    except GatewayError as trouble:
        log.warning("lookup_failed", account=account.pk, code=trouble.code)
        _in_vain(account, rows)
        return
    now = clock.database_now()
    for row in rows:
        receipt = found.get(row.public_id)
        if receipt is None or not receipts.prove(
            row.pk, receipt, account=account, submit_no=row.submit_no, now=now
        ):
            _not_seen(row, exact=exact and receipt is None, now=now)


def _in_vain(account: GatewayAccount, rows: Sequence[OutboundMessage]) -> None:
    """Nobody could be asked: again in 30 s, but not for ever."""
    now = clock.database_now()
    is_exact = registry.capabilities(account.kind).lookup == "exact"
    for row in rows:
        if _is_hopeless(row, is_exact=is_exact, age=_age(row, now=now)):
            _move(row, OutboundState.PARKED, dict(row.evidence or {}), code="NO_PROOF", now=now)


async def _ask(account: GatewayAccount, rows: Sequence[OutboundMessage]) -> tuple[dict[object, Receipt], bool]:
    async with client.session(calls=4, time_scale=settings.TIME_SCALE) as http:
        gateway: Gateway = accounts.gateway(account, http=http)
        if gateway.capabilities.lookup == "none":
            return {}, False
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
        known = await gateway.lookup(items, submitted_after=first - timedelta(minutes=1))
        return {r.reference: r for r in known if r.reference}, gateway.capabilities.lookup == "exact"


def _not_seen(row: OutboundMessage, *, exact: bool, now: datetime) -> None:
    """Back to `queued` by proof of absence, parked when patience ends, else asked again later."""
    age = _age(row, now=now)
    evidence = dict(row.evidence or {})
    evidence["lookups"] = evidence.get("lookups", 0) + 1
    unwritten = bool(evidence.get("nothing_written"))
    grace = TIMES.grace if evidence.get("worker_gone") or row.error_class else TIMES.grace_unsure
    hopeless = _is_hopeless(row, is_exact=exact, age=age)
    if unwritten or (exact and age >= grace and not hopeless):
        if row.submit_no >= MOST_SUBMITS or row.purpose == Purpose.COMPLIANCE:
            _move(row, OutboundState.PARKED, evidence, code="NOT_SEEN", now=now)
        else:
            _move(row, OutboundState.QUEUED, evidence, code="", now=now)
        return
    if hopeless:
        _move(row, OutboundState.PARKED, evidence, code="NO_PROOF", now=now)
        return
    wait = min(600.0, 5.0 * 2 ** min(evidence["lookups"] - 1, 7)) * settings.TIME_SCALE
    if exact:
        wait = min(wait, max(1.0, grace - age))
    _unknown(row).update(next_lookup_at=now + timedelta(seconds=wait), evidence=evidence)


def _age(row: OutboundMessage, *, now: datetime) -> float:
    return (now - row.submitted_at).total_seconds() if row.submitted_at else 0.0


def _is_hopeless(row: OutboundMessage, *, is_exact: bool, age: float) -> bool:
    """No lookup will tell any more."""
    patience = REMEMBERED if is_exact else PATIENCE[Purpose(row.purpose)]
    return age >= patience.total_seconds() * float(settings.TIME_SCALE)


def _move(
    row: OutboundMessage, to: OutboundState, evidence: dict[str, object], *, code: str, now: datetime
) -> None:
    _unknown(row).update(state=to, evidence=evidence, code=code, due_at=now, next_lookup_at=None)


def _unknown(row: OutboundMessage) -> QuerySet[OutboundMessage]:
    """By (id, unknown, submit number): a proof that came meanwhile, or a newer submit, is not touched."""
    return OutboundMessage.objects.filter(pk=row.pk, state=OutboundState.UNKNOWN, submit_no=row.submit_no)
