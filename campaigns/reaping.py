"""The reaper: a row that stays in `submitting` belongs to a worker that died or froze. It becomes `unknown`."""

from django.db import connection, transaction

from campaigns import lanes
from campaigns.models import OutboundMessage, OutboundState
from campaigns.times import TIMES
from smsdesk import processes
from smsdesk.clock import ClockTimestamp

PAGE = 500


def reap() -> int:
    """`submitting → unknown` for rows past their lapse, never `queued`; how many. Runs until none is left."""
    reaped = 0
    while page := _reap_page():
        reaped += page
    return reaped


def _reap_page() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.id, l.holder, l.token, o.token FROM campaigns_outboundmessage o "
            "JOIN campaigns_lane l ON l.id = o.lane_id "
            f"WHERE o.state = 'submitting' AND o.submitted_at < {lanes.later('%s')} ORDER BY o.id LIMIT {PAGE}",
            [-TIMES.lapse],
        )
        rows = cursor.fetchall()
        known_gone = [row[0] for row in rows if row[2] == row[3] and processes.is_gone(row[1])]
        _mark([row[0] for row in rows if row[0] not in set(known_gone)], evidence=None)
        _mark(known_gone, evidence={"worker_gone": True})
    return len(rows)


def _mark(ids: list[int], *, evidence: dict[str, bool] | None) -> None:
    rows = OutboundMessage.objects.filter(pk__in=ids, state=OutboundState.SUBMITTING)
    rows.update(state=OutboundState.UNKNOWN, evidence=evidence, next_lookup_at=ClockTimestamp())


def abandon(holder: str) -> int:
    """A process is known to have ended (`processes.is_gone`): its rows need not wait for the lapse. How many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.id FROM campaigns_outboundmessage o JOIN campaigns_lane l ON l.id = o.lane_id "
            "WHERE o.state = 'submitting' AND l.holder = %s AND o.token = l.token ORDER BY o.id",
            [holder],
        )
        ids = [row[0] for row in cursor.fetchall()]
        _mark(ids, evidence={"worker_gone": True})
    lanes.free_lanes_of(holder)
    return len(ids)
