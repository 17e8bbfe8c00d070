"""Step 4 of a batch: write down what the gateway answered, hand the lane back, and act on what the answer means.

Every write names the token and `submitting`: the answer of a worker that was thought dead can overwrite nothing,
it is filed as late proof.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import Error, connection, transaction

from campaigns import accounts, allowances, circuit, consequences, failures, lanes, states, strikes
from campaigns.batch import Batch, Row, backoff
from campaigns.models import OutboundMessage, OutboundState, Sender
from campaigns.times import TIMES
from smsdesk import bulk_sql, clock, failpoints
from smsdesk.gateways.contract import SubmitResult
from smsdesk.gateways.errors import Beyond, ErrorClass

log = structlog.get_logger(__name__)

_CHANGED = (
    "state", "gateway_id", "accepted_at", "final_at", "code", "error_code", "error_class",
    "due_at", "waiting_for", "attempts", "next_lookup_at",
)  # fmt: skip

MOST_ATTEMPTS = 8  # of a row that the gateway surely did not take


def record(
    results: Sequence[SubmitResult],
    rows: Mapping[UUID, Row],
    *,
    work: Batch,
) -> None:
    """Record one batch's answers, again on new connections for 10 s: answers in hand are worth more than speed.

    What of the pace that submit wrote on the lanes was not used is given back.
    """
    unsent = work.planned
    for result in results:
        if result.outcome != "again":
            row = rows[result.reference]
            unsent[row.lane_id] -= row.parts
    insist(lambda: _record_once(results, rows, together=work.together, unsent=unsent))
    failpoints.hit("record.after_commit")
    _act(results, rows, senders=work.senders)
    is_watched = any(won.is_watched for won in work.together)
    insist(lambda: circuit.learn([result.error for result in results], won=work.together[0]))
    insist(lambda: strikes.learn(results, rows, account=work.account, is_watched=is_watched))


def insist(write: Callable[[], None]) -> None:
    """Try on new connections for 10 s until it is written; then it is as a crash, and the reaper takes over."""
    give_up = time.monotonic() + TIMES.record
    while True:
        try:
            return write()
        except Error:
            connection.close()
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def _record_once(
    results: Sequence[SubmitResult],
    rows: Mapping[UUID, Row],
    *,
    together: Sequence[lanes.Won],
    unsent: Mapping[int, float],
) -> None:
    with transaction.atomic():
        failpoints.hit("lane.before_handback")
        lanes.hand_back(together, unsent=unsent, slow_down=_slow_down(results))
        now = clock.database_now()
        changes = sorted(_change(result, rows[result.reference], now=now) for result in results)
        states.lock_rows(change[0] for change in changes)  # their receipts may come at this moment
        token: object = together[0].token
        if connection.vendor != "postgresql":
            token = together[0].token.hex
        done = bulk_sql.update_rows(
            OutboundMessage,
            columns=_CHANGED,
            rows=changes,
            also="deaths = 0",  # whoever had it lives
            where="o.token = %s AND o.state = 'submitting'",
            parameters=[token],
        )
        if len(done) < len(changes):
            _file_late(set(done), changes, token=token)
        allowances.give_back(_surely_not_left(results, rows, done=set(done)))
        failpoints.hit("record.before_commit")


def _surely_not_left(
    results: Sequence[SubmitResult], rows: Mapping[UUID, Row], *, done: Collection[int]
) -> list[Row]:
    """Of the rows that were recorded now, so that a repeated record gives nothing back twice."""
    own = [
        rows[r.reference] for r in results if r.outcome == "again" or (r.outcome == "rejected" and not r.gateway_id)
    ]
    return [row for row in own if row.id in done]


def _file_late(done: set[int], changes: Sequence[tuple[Any, ...]], *, token: object) -> None:
    """A receipt or the reaper was faster. An acceptance is proof for rows of this very submit, nothing else is.

    Even for one that waits to be sent again, because the gateway had said it never saw it: it must not.
    """
    accepted = [c for c in changes if c[0] not in done and c[1] == OutboundState.ACCEPTED.value]
    bulk_sql.update_rows(
        OutboundMessage,
        columns=("gateway_id",),
        rows=[(c[0], c[2]) for c in accepted],
        where="o.token = %s AND o.gateway_id = ''",
        parameters=[token],
    )
    bulk_sql.update_rows(
        OutboundMessage,
        columns=("state", "accepted_at"),
        rows=[(c[0], c[1], c[3]) for c in accepted],
        where="o.token = %s AND o.state IN ('unknown', 'parked', 'queued')",
        parameters=[token],
    )
    _file_refusals([c for c in changes if c[0] not in done and c[1] in ("rejected", "queued")], token=token)


def _file_refusals(late: Sequence[tuple[Any, ...]], *, token: object) -> None:
    """Words that the gateway did not take it: a refusal ends the row, the others free it to be tried again."""
    refused = [c for c in late if c[5] == "REFUSED"]
    bulk_sql.update_rows(
        OutboundMessage,
        columns=("state", "final_at", "code", "error_code", "error_class"),
        rows=[(c[0], c[1], c[4], *c[5:8]) for c in refused],
        where="o.token = %s AND o.state IN ('unknown', 'parked')",
        parameters=[token],
    )
    bulk_sql.update_rows(
        OutboundMessage,
        columns=(),
        carried=("evidence",),
        rows=[(c[0], _surely_not_taken(c)) for c in late if c[5] != "REFUSED"],
        also=f"{bulk_sql.adding_keys('evidence')}, next_lookup_at = {lanes.clock()}",
        where="o.token = %s AND o.state = 'unknown'",
        parameters=[token],
    )


def _surely_not_taken(change: tuple[Any, ...]) -> dict[str, object]:
    if change[7] == ErrorClass.NOTHING_WRITTEN.value:
        return {"nothing_written": True}
    return {"not_taken": change[6] or change[7]}


def _change(result: SubmitResult, row: Row, *, now: datetime) -> tuple[Any, ...]:
    """(id, state, gateway id, accepted, final, code, error code, class, due, waiting for, attempts, lookup)."""
    error = result.error
    word = (error.code[:40], error.error_class.value) if error else ("", "")
    if result.outcome == "accepted":
        return (row.id, "accepted", result.gateway_id, now, None, "", *word, now, "", row.attempts, None)
    if result.outcome == "rejected":
        state = "parked" if row.outcome_open else "rejected"
        return (row.id, state, result.gateway_id, None, now, "REFUSED", *word, now, "", row.attempts, None)
    if result.outcome == "again":
        return _again(result, row, word, now=now)
    return (row.id, "unknown", result.gateway_id, None, None, "", *word, now, "", row.attempts, now)


def _again(result: SubmitResult, row: Row, word: tuple[str, str], *, now: datetime) -> tuple[Any, ...]:
    """Surely not taken. A paused account or a slow lane is not the row's fault and spends no attempt."""
    error = result.error
    if error is None or error.error_class is ErrorClass.NOTHING_WRITTEN:
        return (row.id, "queued", "", None, None, "STALE_DECISION", *word, now, "", row.attempts, None)
    attempts = row.attempts + error.policy.spends_attempt
    if attempts >= MOST_ATTEMPTS:
        state = "parked" if row.outcome_open else "rejected"
        return (row.id, state, "", None, now, "TRIES_USED_UP", *word, now, "", attempts, None)
    wait = backoff(attempts) if error.policy.spends_attempt else timedelta(seconds=1)
    if error.retry_after:
        wait = timedelta(seconds=min(3600.0, error.retry_after))
    return (row.id, "queued", "", None, None, "", *word, now + wait, error.error_class.value, attempts, None)


def _slow_down(results: Sequence[SubmitResult]) -> float:
    """Seconds the whole lane waits because the gateway said so."""
    asked = [
        r.error.retry_after or 1.0
        for r in results
        if r.error is not None and r.error.policy.beyond is Beyond.SLOW_LANE
    ]
    return min(max(asked, default=0.0), 300.0)


def _act(results: Sequence[SubmitResult], rows: Mapping[UUID, Row], *, senders: Mapping[int, Sender]) -> None:
    """What an answer means beyond its row, each in a transaction of its own."""
    paused: set[int] = set()  # accounts, once each
    for result in results:
        error = result.error
        if error is None or error.policy.beyond is Beyond.NONE:
            continue
        sender = senders[rows[result.reference].sender_id]
        if error.policy.beyond is Beyond.PAUSE_ACCOUNT:
            if sender.account_id in paused:
                continue
            paused.add(sender.account_id)
            now = clock.database_now()
            words = failures.explain(sender.account.kind, error.code, error.error_class.value)
            reason = f"{words.cause} {words.advice} It said: {error.message} ({error.code})"
            if accounts.pause(sender.account_id, reason=reason, now=now):
                log.error("account_paused", account=sender.account_id, code=error.code)
            continue
        insist(
            partial(
                consequences.apply,
                error.policy.beyond,
                account_id=sender.account_id,
                subscriber_key=rows[result.reference].subscriber_key,
                phone=rows[result.reference].phone,
                brand=sender.brand,
                permanent=error.permanent,
            )
        )
