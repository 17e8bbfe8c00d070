"""The reaper: a row that stays in `submitting` belongs to a worker that died or froze. It becomes `unknown`."""

from collections.abc import Sequence

from django.db import connection, transaction

from campaigns import lanes
from campaigns.models import OutboundMessage
from campaigns.times import TIMES
from smsdesk import bulk_sql, processes

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
            "SELECT o.id, o.token, l.token, l.holder FROM campaigns_outboundmessage o "
            "JOIN campaigns_lane l ON l.id = o.lane_id "
            f"WHERE o.state = 'submitting' AND o.submitted_at < {lanes.later('%s')} ORDER BY o.id LIMIT {PAGE}",
            [-TIMES.lapse],
        )
        rows = cursor.fetchall()
        known_gone = [(pk, own) for pk, own, token, holder in rows if own == token and processes.is_gone(holder)]
        _mark([row[:2] for row in rows if row[:2] not in set(known_gone)], evidence=None)
        _mark(known_gone, evidence={"worker_gone": True})
    return len(rows)


def _mark(rows: Sequence[tuple[int, object]], *, evidence: dict[str, bool] | None) -> int:
    """Of these (id, token): recorded meanwhile, or submitted anew, a row is not touched."""
    return len(
        bulk_sql.update_rows(
            OutboundMessage,
            columns=("evidence",),
            carried=("token",),
            rows=[(pk, evidence, token) for pk, token in rows],
            also=f"state = 'unknown', next_lookup_at = {lanes.clock()}",
            where="o.state = 'submitting' AND o.token = x.token",
        )
    )


def abandon(holder: str) -> int:
    """A process is known to have ended (`processes.is_gone`): its rows need not wait for the lapse. How many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.id, o.token FROM campaigns_outboundmessage o JOIN campaigns_lane l ON l.id = o.lane_id "
            "WHERE o.state = 'submitting' AND l.holder = %s AND o.token = l.token ORDER BY o.id",
            [holder],
        )
        marked = _mark(cursor.fetchall(), evidence={"worker_gone": True})
    lanes.free_lanes_of(holder)
    return marked
