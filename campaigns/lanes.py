"""Lanes: who may send for a sender right now, and how soon again.

A lane is won for one batch with one conditional update that sets a new token and a lease, by the database's
clock. Whoever holds the token may submit; a stale one matches no row.
"""

import math
import uuid
from dataclasses import dataclass

from django.db import connection, transaction

from campaigns.models import Lane, Sender
from campaigns.times import TIMES
from smsdesk import processes

# One lane per this many parts a second.
LANE_RATE = 2_000
# Failures before a lane turns careful; then so many batches of one, for the row that did it may stand far behind.
FAILURES = 2
CAREFUL = 200
_RECOVERED = (
    f"failures = CASE WHEN failures > {FAILURES} AND failures < {FAILURES + CAREFUL} THEN failures ELSE 0 END"
)
# So many candidates are looked up at once; each is still won by its own conditional update.
CANDIDATES = 16


@dataclass(frozen=True, slots=True)
class Won:
    """The right to send one batch for a sender."""

    lane_id: int
    sender_id: int
    account_id: int
    token: uuid.UUID
    is_careful: bool  # the last holders died: batches of one, attempts counted first
    rate: float  # parts per second of this lane


def ensure(sender: Sender) -> list[Lane]:
    """The lanes a sender's throughput asks for; lanes are only ever added."""
    wanted = max(1, math.ceil(sender.parts_per_second / LANE_RATE))
    present = set(sender.lanes.values_list("number", flat=True))
    epoch = "1970-01-01T00:00:00Z"
    Lane.objects.bulk_create(
        [
            Lane(sender=sender, number=number, lease_until=epoch, next_free_at=epoch)
            for number in range(wanted)
            if number not in present
        ],
        ignore_conflicts=True,
    )
    return list(sender.lanes.order_by("number"))


def clock() -> str:
    """SQL of the database's clock at this statement."""
    return (
        "clock_timestamp()" if connection.vendor == "postgresql" else "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"
    )


def later(seconds: str) -> str:
    """SQL of the database's clock plus `seconds` (SQL of a number)."""
    if connection.vendor == "postgresql":
        return f"clock_timestamp() + ({seconds}) * interval '1 second'"
    return f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', ({seconds}) || ' seconds')"


def candidates() -> list[int]:
    """Lanes that are free and have a row due, the most urgent first."""
    now = clock()
    due = "FROM campaigns_outboundmessage o WHERE o.lane_id = l.id AND o.state = 'queued'"
    single = f"EXISTS (SELECT 1 {due} AND o.campaign_id IS NULL AND o.priority = %s AND o.due_at <= {now})"
    campaign = (
        "EXISTS (SELECT 1 FROM campaigns_campaign c WHERE c.state = 'sending' AND c.sender_id = l.sender_id "
        f"AND EXISTS (SELECT 1 {due} AND o.campaign_id = c.id AND o.due_at <= {now}))"
    )
    statement = f"""
        SELECT id FROM (
            SELECT l.id, l.next_free_at,
                CASE WHEN {single} THEN 10 WHEN {single} THEN 20 WHEN {single} OR {campaign} THEN 50 END AS urgency
            FROM campaigns_lane l
            JOIN campaigns_sender s ON s.id = l.sender_id
            JOIN campaigns_gatewayaccount a ON a.id = s.account_id
            WHERE l.lease_until < {now} AND l.next_free_at <= {now} AND a.paused_at IS NULL
        ) AS ready
        WHERE urgency IS NOT NULL ORDER BY urgency, next_free_at LIMIT {CANDIDATES}"""
    with connection.cursor() as cursor:
        cursor.execute(statement, [10, 20, 50])
        return [row[0] for row in cursor.fetchall()]


def win(lane_id: int) -> Won | None:
    """Take the lane for one batch, or None: somebody has it. What a dead holder left behind becomes `unknown`."""
    token = uuid.uuid4()
    now = clock()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_lane SET token = %s, lease_until = {later('%s')}, holder = %s, "
            f"failures = failures + 1 WHERE id = %s AND lease_until < {now} AND next_free_at <= {now} "
            "RETURNING sender_id, failures",
            [_plain(token), TIMES.lease, processes.identity(), lane_id],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(
            f"UPDATE campaigns_outboundmessage SET state = 'unknown', next_lookup_at = {now} "
            "WHERE lane_id = %s AND state = 'submitting' AND token <> %s",
            [lane_id, _plain(token)],
        )
        cursor.execute(
            "SELECT s.parts_per_second, s.account_id, COUNT(*) FROM campaigns_sender s "
            "JOIN campaigns_lane l ON l.sender_id = s.id WHERE s.id = %s GROUP BY s.parts_per_second, s.account_id",
            [row[0]],
        )
        rate, account_id, count = cursor.fetchone()
    return Won(
        lane_id=lane_id,
        sender_id=row[0],
        account_id=account_id,
        token=token,
        is_careful=row[1] > FAILURES,
        rate=rate / count,
    )


def renew(won: Won, *, pause: float) -> bool:
    """Inside submit: still ours? Renews the lease and writes the pace, so that a crash does not forget it.

    `pause` is in seconds: what the batch's parts take at the lane's rate, counted from when the lane was last
    free if that is less than a quarter of a second ago, so that overhead does not slow a sender down.
    """
    now = clock()
    recent = (
        f"GREATEST(next_free_at, {now} - interval '0.25 second') + (%s) * interval '1 second'"
        if connection.vendor == "postgresql"
        else "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', MAX(next_free_at, STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', "
        "'-0.25 seconds')), (%s) || ' seconds')"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_lane SET lease_until = {later('%s')}, next_free_at = {recent} "
            f"WHERE id = %s AND token = %s AND lease_until > {now}",
            [TIMES.lease, pause, won.lane_id, _plain(won.token)],
        )
        return bool(cursor.rowcount)


def hand_back(won: Won, *, unsent: int, slow_down: float) -> None:
    """Give the lane back: the pace of `unsent` parts was not used, `slow_down` seconds come on top."""
    now = clock()
    change = slow_down - unsent / won.rate
    free_at = (
        "next_free_at + (%s) * interval '1 second'"
        if connection.vendor == "postgresql"
        else "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', next_free_at, (%s) || ' seconds')"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_lane SET lease_until = {now}, {_RECOVERED}, holder = '', next_free_at = {free_at} "
            "WHERE id = %s AND token = %s",
            [change, won.lane_id, _plain(won.token)],
        )


def slow(won: Won, *, seconds: float) -> None:
    """Give an unused lane back and leave it alone for so many seconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_lane SET lease_until = {clock()}, {_RECOVERED}, holder = '', "
            f"next_free_at = {later('%s')} WHERE id = %s AND token = %s",
            [seconds, won.lane_id, _plain(won.token)],
        )


def earliest() -> float | None:
    """Seconds until some lane that has rows queued is free and due; None: nothing is queued anywhere."""
    due = "FROM campaigns_outboundmessage o WHERE o.lane_id = l.id AND o.state = 'queued'"
    first = "MAX" if connection.vendor == "sqlite" else "GREATEST"
    statement = f"""
        SELECT MIN({first}(l.next_free_at, l.lease_until, ready_at)) FROM (
            SELECT l.id, (SELECT MIN(o.due_at) {due} AND o.campaign_id IS NULL) AS ready_at FROM campaigns_lane l
            UNION ALL
            SELECT l.id, (SELECT MIN(o.due_at) {due} AND o.campaign_id = c.id)
            FROM campaigns_campaign c JOIN campaigns_lane l ON l.sender_id = c.sender_id WHERE c.state = 'sending'
        ) AS waiting JOIN campaigns_lane l ON l.id = waiting.id
        JOIN campaigns_sender s ON s.id = l.sender_id JOIN campaigns_gatewayaccount a ON a.id = s.account_id
        WHERE ready_at IS NOT NULL AND a.paused_at IS NULL"""
    seconds = (
        f"SELECT EXTRACT(EPOCH FROM (({statement}) - {clock()}))"
        if connection.vendor == "postgresql"
        else f"SELECT (JULIANDAY(({statement})) - JULIANDAY('now')) * 86400.0"
    )
    with connection.cursor() as cursor:
        cursor.execute(seconds, [])
        value = cursor.fetchone()[0]
    return None if value is None else max(0.0, float(value))


def free_lanes_of(holder: str) -> int:
    """A process is known to be dead: its lanes need not wait for their leases."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_lane SET lease_until = {clock()} WHERE holder = %s AND lease_until > {clock()}",
            [holder],
        )
        return int(cursor.rowcount)


def _plain(token: uuid.UUID) -> uuid.UUID | str:
    return token if connection.vendor == "postgresql" else token.hex
