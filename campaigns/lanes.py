"""Lanes: who may send for a sender right now, and how soon again.

Lanes are won for one batch with one conditional update that sets a new token and a lease, by the database's
clock. Whoever holds the token may submit; a stale one matches no row. Slow lanes of one account are won together,
because a batch of one message costs as much as one of a hundred.
"""

import math
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from campaigns import allowances, circuit, sender_choice
from campaigns.models import Lane, Sender
from campaigns.times import TIMES
from smsdesk import failpoints, processes

# One lane per this many parts a second: a lane has one batch on its way, which holds about a second's worth.
LANE_RATE = 500
# Failures before a lane turns careful; then so many batches of one, for the row that did it may stand far behind.
FAILURES = 2
CAREFUL = 200
_RECOVERED = (
    f"failures = CASE WHEN failures > {FAILURES} AND failures < {FAILURES + CAREFUL} THEN failures ELSE 0 END"
)
# So many candidates are looked up at once; each is still won by its own conditional update.
CANDIDATES = 200
# Lanes slower than this (parts a second) are won together, so many at most.
SLOW = 20.0
TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lane that looked free and had a row due a moment ago."""

    lane_id: int
    account_id: int
    rate: float  # parts per second of this lane
    goes_alone: bool  # its last holders died, or its account's circuit is half open

    def may_join(self, first: "Candidate") -> bool:
        """Whether it can be won together with another one. SQLite could not read for several at once."""
        if connection.vendor != "postgresql":
            return False
        alone = self.goes_alone or first.goes_alone
        return not alone and self.account_id == first.account_id and max(self.rate, first.rate) < SLOW


# No lane is won, and no batch submitted, of a database that was restored (`campaigns/restoring.py`).
NOT_HELD = "NOT EXISTS (SELECT 1 FROM campaigns_instance WHERE held_at IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class Won:
    """The right to send one batch on a lane; lanes won together have one token."""

    lane_id: int
    sender_id: int
    account_id: int
    token: uuid.UUID
    is_careful: bool  # the last holders died: batches of one, deaths counted first
    rate: float  # parts per second of this lane
    is_probe: bool  # the account's circuit is half open: one message tells whether it may be closed
    troubles: int  # batches of the account in a row that met only trouble
    is_watched: bool  # something went wrong lately in a campaign of the sender
    is_further: bool  # some campaign has it as a further sender


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


def candidates() -> list[Candidate]:
    """Lanes that are free and have a row due, the most urgent first."""
    now = clock()
    due = "FROM campaigns_messageinmotion o WHERE o.lane_id = l.id AND o.state = 'queued'"
    single = f"EXISTS (SELECT 1 {due} AND o.campaign_id IS NULL AND o.priority = %s AND o.due_at <= {now})"
    is_due = f"c.state = 'sending' AND EXISTS (SELECT 1 {due} AND o.campaign_id = c.id AND o.due_at <= {now})"
    campaign = f"({sender_choice.of_any('l.sender_id', where=is_due)}) AND {allowances.is_open(now=now)}"
    statement = f"""
        SELECT id, account_id, rate, alone FROM (
            SELECT l.id, l.next_free_at, s.account_id,
                s.parts_per_second / (SELECT COUNT(*) FROM campaigns_lane n WHERE n.sender_id = s.id) AS rate,
                (l.failures > 0 OR a.circuit_until IS NOT NULL) AS alone,
                CASE WHEN {single} THEN 10 WHEN {single} THEN 20 WHEN {single} OR {campaign} THEN 50 END AS urgency
            FROM campaigns_lane l
            JOIN campaigns_sender s ON s.id = l.sender_id
            JOIN contacts_brand b ON b.id = s.brand_id
            JOIN campaigns_gatewayaccount a ON a.id = s.account_id
            WHERE l.lease_until < {now} AND l.next_free_at <= {now} AND a.paused_at IS NULL
                AND (a.circuit_until IS NULL OR a.circuit_until <= {now}) AND {NOT_HELD}
        ) AS ready
        WHERE urgency IS NOT NULL ORDER BY urgency, next_free_at LIMIT {CANDIDATES}"""
    with connection.cursor() as cursor:
        cursor.execute(statement, [10, 20, 50])
        return [Candidate(lane, account, rate, bool(alone)) for lane, account, rate, alone in cursor.fetchall()]


def win(lane_ids: Collection[int]) -> list[Won]:
    """Take those of the lanes that are free, for one batch; all are of one account.

    What a dead holder left behind becomes `unknown`.
    """
    token = uuid.uuid4()
    now = clock()
    free = f"{_among(lane_ids)} AND lease_until < {now} AND next_free_at <= {now} AND {NOT_HELD}"
    if connection.vendor == "postgresql":  # in order, and past those that somebody else is taking
        free = f"id IN (SELECT id FROM campaigns_lane WHERE {free} ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_lane SET token = %s, lease_until = {later('%s')}, holder = %s, "
            f"failures = failures + 1 WHERE {free} RETURNING id, sender_id, failures",
            [_plain(token), TIMES.lease, processes.identity(), *lane_ids],
        )
        rows = sorted(cursor.fetchall())
        if not rows:
            return []
        # Elsewhere whoever had it last gave it back, and left nothing.
        if left := [lane_id for lane_id, _, failures in rows if failures > 1]:
            cursor.execute(
                f"UPDATE campaigns_outboundmessage SET state = 'unknown', next_lookup_at = {now} "
                f"WHERE id IN (SELECT message_id FROM campaigns_messageinmotion WHERE {_among(left, 'lane_id')} "
                "AND state = 'submitting') AND state = 'submitting' AND token <> %s",
                [*left, _plain(token)],
            )
        sender_ids = sorted({sender_id for _, sender_id, _ in rows})
        cursor.execute(
            "SELECT s.id, s.account_id, a.paused_at IS NOT NULL, a.circuit_until, a.troubles, s.parts_per_second / "
            "(SELECT COUNT(*) FROM campaigns_lane l WHERE l.sender_id = s.id), "
            f"({sender_choice.of_any('s.id', where=f'c.watched_until > {now}')}), "
            "EXISTS (SELECT 1 FROM campaigns_campaignsender f WHERE f.sender_id = s.id) "
            "FROM campaigns_sender s "
            f"JOIN campaigns_gatewayaccount a ON a.id = s.account_id WHERE {_among(sender_ids, 's.id')}",
            sender_ids,
        )
        senders = {sender_id: about for sender_id, *about in cursor.fetchall()}
        account_id, is_paused, open_until, troubles, *_ = senders[sender_ids[0]]
        # One has just been given another account, or somebody has just paused it.
        if is_paused or any(about[0] != account_id for about in senders.values()):
            transaction.set_rollback(True)
            return []
        # Whoever tries a half-open circuit goes alone.
        if open_until is not None and (len(rows) > 1 or not circuit.claim(account_id, token=token)):
            transaction.set_rollback(True)
            return []
    failpoints.hit("lane.won")
    return [
        Won(
            lane_id=lane_id,
            sender_id=sender_id,
            account_id=account_id,
            token=token,
            is_careful=failures > FAILURES,
            rate=senders[sender_id][4],
            is_probe=open_until is not None,
            troubles=troubles,
            is_watched=bool(senders[sender_id][5]),
            is_further=bool(senders[sender_id][6]),
        )
        for lane_id, sender_id, failures in rows
    ]


def renew(together: Sequence[Won], *, pauses: Mapping[int, float]) -> set[int]:
    """Inside submit: the lanes that are still ours.

    Renews their leases and writes their pace, so that a crash does not forget it: `pauses` are the seconds by lane
    that the batch's parts take at its rate, counted from when it was last free if that is less than a quarter of a
    second ago, so that overhead does not slow a sender down.
    """
    now = clock()
    if connection.vendor == "postgresql":
        last = f"GREATEST(l.next_free_at, {now} - interval '0.25 second')"
    else:
        last = f"MAX(l.next_free_at, {later('-0.25')})"
    changes = f"lease_until = {later('%s')}, next_free_at = {_moved(last, 'x.change')}"
    ours = f"AND l.lease_until > {now} AND {NOT_HELD}"
    return _each(pauses, changes, token=together[0].token, first=[TIMES.lease], where=ours)


def refund(together: Sequence[Won], *, pauses: Mapping[int, float]) -> None:
    """The pace that `renew` has written in this transaction for what does not leave after all."""
    given = {lane_id: -pause for lane_id, pause in pauses.items() if pause}
    _each(given, f"next_free_at = {_moved('l.next_free_at', 'x.change')}", token=together[0].token)


def hand_back(together: Sequence[Won], *, unsent: Mapping[int, float], slow_down: float) -> None:
    """Give the lanes back: the pace of `unsent` parts (by lane) was not used, `slow_down` seconds come on top."""
    _each(
        {won.lane_id: slow_down - unsent.get(won.lane_id, 0.0) / won.rate for won in together},
        f"lease_until = {clock()}, {_RECOVERED}, holder = '', "
        f"next_free_at = {_moved('l.next_free_at', 'x.change')}",
        token=together[0].token,
    )


def slow(together: Sequence[Won], *, seconds: float) -> None:
    """Give unused lanes back and leave them alone for so many seconds."""
    _each(
        {won.lane_id: seconds for won in together},
        f"lease_until = {clock()}, {_RECOVERED}, holder = '', next_free_at = {later('x.change')}",
        token=together[0].token,
    )


def earliest() -> float | None:
    """Seconds until a lane is free that was not when it was looked for, a moment ago; None: there is none.

    What is queued for it is not asked: that took three seconds for 300 lanes of a table the planner knew nothing
    of, and a look in vain takes a few milliseconds.
    """
    first = "MAX" if connection.vendor == "sqlite" else "GREATEST"
    free_at = f"{first}(l.next_free_at, l.lease_until, COALESCE(a.circuit_until, l.next_free_at))"
    statement = f"""
        SELECT MIN({free_at}) FROM campaigns_lane l JOIN campaigns_sender s ON s.id = l.sender_id
        JOIN campaigns_gatewayaccount a ON a.id = s.account_id
        WHERE {free_at} > {later("-0.05")} AND a.paused_at IS NULL AND {NOT_HELD}"""
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


def _each(
    changes: Mapping[int, float],
    assignments: str,
    *,
    token: uuid.UUID,
    first: Sequence[float] = (),
    where: str = "",
) -> set[int]:
    """Update lanes (alias l) that still have this token, each with its own number (`x.change`); which did."""
    if not changes:
        return set()
    ordered = sorted(changes.items())
    if connection.vendor == "postgresql":
        values = "SELECT * FROM unnest(%s::bigint[], %s::double precision[]) AS u(id, change)"
        parameters: list[Any] = [[lane_id for lane_id, _ in ordered], [change for _, change in ordered]]
    else:
        one = "SELECT CAST(%s AS bigint) AS id, CAST(%s AS double precision) AS change"
        values = " UNION ALL ".join([one] * len(ordered))
        parameters = [value for pair in ordered for value in pair]
    returned = "l.id" if connection.vendor == "postgresql" else "id"
    with connection.cursor() as cursor:
        if len(changes) > 1 and connection.vendor == "postgresql":
            cursor.execute(
                f"SELECT 1 FROM campaigns_lane WHERE {_among(changes)} ORDER BY id FOR NO KEY UPDATE", [*changes]
            )
        cursor.execute(
            f"UPDATE campaigns_lane AS l SET {assignments} FROM ({values}) AS x "
            f"WHERE l.id = x.id AND l.token = %s {where} RETURNING {returned}",
            [*first, *parameters, _plain(token)],
        )
        return {row[0] for row in cursor.fetchall()}


def _among(ids: Collection[int], column: str = "id") -> str:
    return f"{column} IN ({', '.join(['%s'] * len(ids))})"


def _moved(moment: str, seconds: str) -> str:
    """SQL of a moment so many seconds (SQL of a number) later."""
    if connection.vendor == "postgresql":
        return f"{moment} + ({seconds}) * interval '1 second'"
    return f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', {moment}, ({seconds}) || ' seconds')"


def _plain(token: uuid.UUID) -> uuid.UUID | str:
    return token if connection.vendor == "postgresql" else token.hex
