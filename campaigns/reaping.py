"""The reaper: a row that stays in `submitting` belongs to a worker that died or froze. It becomes `unknown`."""

from collections.abc import Sequence

from django.db import connection, transaction

from campaigns import lanes
from campaigns.models import OutboundMessage
from campaigns.times import TIMES
from smsdesk import bulk_sql, failpoints, processes

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
            "SELECT o.id, o.token, l.token, l.holder FROM campaigns_messageinmotion m "
            "JOIN campaigns_outboundmessage o ON o.id = m.message_id JOIN campaigns_lane l ON l.id = m.lane_id "
            f"WHERE m.state = 'submitting' AND m.submitted_at < {lanes.later('%s')} AND o.state = 'submitting' "
            f"ORDER BY m.message_id LIMIT {PAGE}",
            [-TIMES.lapse],
        )
        rows = cursor.fetchall()
        if not rows:
            return 0
        failpoints.hit("reaper.selected")
        _mark([(pk, own, _evidence(holder if own == token else "")) for pk, own, token, holder in rows])
        failpoints.hit("reaper.before_commit")
    return len(rows)


def _evidence(holder: str) -> dict[str, object] | None:
    """Who had the row in hand; "": its lane has another holder by now."""
    if not holder:
        return None
    return {"worker": holder, **({"worker_gone": True} if processes.is_gone(holder) else {})}


def _mark(rows: Sequence[tuple[int, object, dict[str, object] | None]]) -> int:
    """Of these (id, token, evidence): recorded meanwhile, or submitted anew, a row is not touched."""
    return len(
        bulk_sql.update_rows(
            OutboundMessage,
            columns=(),
            carried=("token", "evidence"),
            rows=rows,
            also=f"{bulk_sql.adding_keys('evidence')}, state = 'unknown', next_lookup_at = {lanes.clock()}",
            where="o.state = 'submitting' AND o.token = x.token",
        )
    )


def abandon(holder: str) -> int:
    """A process is known to have ended (`processes.is_gone`): its rows need not wait for the lapse. How many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.id, o.token FROM campaigns_lane l JOIN campaigns_messageinmotion m ON m.lane_id = l.id "
            "JOIN campaigns_outboundmessage o ON o.id = m.message_id "
            "WHERE m.state = 'submitting' AND l.holder = %s AND o.token = l.token ORDER BY o.id",
            [holder],
        )
        evidence = {"worker": holder, "worker_gone": True}
        marked = _mark([(pk, token, evidence) for pk, token in cursor.fetchall()])
    lanes.free_lanes_of(holder)
    return marked
