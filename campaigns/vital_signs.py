"""How the desk is doing, in numbers: what waits, what is under way, who is alive.

A handful of queries on narrow tables and indexes, none of which grows with the ledger; asked at most every five
seconds by one process. Counts of what waits end at `MOST`; those of the last minute and of open outcomes are whole.
"""

import shutil
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q

from campaigns import allowances, lanes, restoring, sender_choice
from campaigns.models import (
    Campaign,
    CampaignState,
    DeliveryEvent,
    GatewayAccount,
    Lane,
    MessageInMotion,
    OutboundState,
    Priority,
    TakenMessage,
)
from smsdesk import clock, spool, tallies
from smsdesk.models import Heartbeat

MOST = 10_000
KEPT = 5.0  # seconds
COUNTED = ("stop_drain_timeout", "accepted_after_given_up")  # rare events, by day (`smsdesk/tallies.py`)


@dataclass(frozen=True, slots=True)
class Due:
    """Rows of one priority whose time has come; `oldest` is None where there are none."""

    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A campaign that is being sent, and since when its oldest row has been due."""

    campaign: int
    name: str
    account: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Signs:
    """`at`: the database's clock; `clock_gap`: seconds by which this host's is ahead of it."""

    at: datetime
    clock_gap: float
    due: dict[int, Due]
    open_calls: int
    oldest_call: datetime | None
    unknown: int
    oldest_unknown: datetime | None
    parked: int
    lanes: dict[str, int]
    accepted_lately: int  # within the last minute
    delivered_lately: int
    heartbeats: dict[str, datetime]
    unmatched_receipts: int
    accounts: list[GatewayAccount]
    campaigns: dict[str, int]
    sending: list[Waiting]
    counted_today: dict[str, int]
    held_reason: str  # "" unless a person must release the desk (`campaigns/restoring.py`)
    spool: spool.Content
    disk_free: int  # bytes
    disk_total: int

    def age(self, moment: datetime | None) -> float:
        """Seconds since then, 0 where there is none."""
        return max(0.0, (self.at - moment).total_seconds()) if moment else 0.0

    @property
    def newest_beat(self) -> datetime | None:
        return max(self.heartbeats.values(), default=None)


_lock = threading.Lock()
_kept: tuple[float, Signs] | None = None


def read() -> Signs:
    """As they were within the last five seconds."""
    global _kept
    with _lock:
        if _kept is None or time.monotonic() - _kept[0] > KEPT:
            _kept = (time.monotonic(), take())
        return _kept[1]


def take() -> Signs:
    """Now."""
    now = clock.database_now()
    gap = time.time() - now.timestamp()
    outcomes = _outcomes()
    calls = MessageInMotion.objects.filter(state=OutboundState.SUBMITTING)
    open_calls = calls.aggregate(count=Count("pk"), oldest=Min("submitted_at"))
    sending = _sending()
    held = restoring.held()
    usage = shutil.disk_usage(_existing(Path(settings.DATA_DIR)))
    return Signs(
        at=now,
        clock_gap=gap,
        due=_due(now, sending),
        open_calls=open_calls["count"],
        oldest_call=open_calls["oldest"],
        unknown=outcomes.get("unknown", (0, None))[0],
        oldest_unknown=outcomes.get("unknown", (0, None))[1],
        parked=outcomes.get("parked", (0, None))[0],
        lanes=_lanes(now),
        accepted_lately=TakenMessage.objects.filter(accepted_at__gt=now - timedelta(minutes=1)).count(),
        delivered_lately=TakenMessage.objects.filter(delivered_at__gt=now - timedelta(minutes=1)).count(),
        heartbeats=dict(Heartbeat.objects.values_list("name", "beat_at")),
        unmatched_receipts=DeliveryEvent.objects.filter(message=None, received_at__gt=now - timedelta(days=7))[
            :MOST
        ].count(),
        accounts=list(GatewayAccount.objects.order_by("name").defer("credentials", "hook_secret")),
        campaigns=dict(
            Campaign.objects.filter(state__in=_ACTIVE).values_list("state").annotate(count=Count("pk")).order_by()
        ),
        sending=sending,
        counted_today={name: tallies.today(name, now=now) for name in COUNTED},
        held_reason=held.held_reason if held else "",
        spool=spool.content(),
        disk_free=usage.free,
        disk_total=usage.total,
    )


_ACTIVE = (
    CampaignState.AWAITING_APPROVAL,
    CampaignState.SCHEDULED,
    CampaignState.PREPARING,
    CampaignState.SENDING,
    CampaignState.PAUSED,
)


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


def _due(now: datetime, sending: list[Waiting]) -> dict[int, Due]:
    """By priority. The oldest of a lane is the first entry of an index; so are those of a campaign's lanes."""
    own = "FROM campaigns_messageinmotion m WHERE m.lane_id = l.id AND m.state = 'queued' AND m.campaign_id IS NULL"
    found: dict[int, Due] = {}
    for priority in Priority.values:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT MIN((SELECT m.due_at {own} AND m.priority = %s AND m.due_at <= {lanes.clock()} "
                "ORDER BY m.due_at LIMIT 1)) FROM campaigns_lane l",
                [priority],
            )
            oldest = _moment(cursor.fetchone()[0])
        single = MessageInMotion.objects.filter(state=OutboundState.QUEUED, campaign=None, priority=priority)
        count = single.filter(due_at__lte=now)[:MOST].count() if oldest else 0
        found[priority] = Due(count, oldest)
    of_campaigns = [one.oldest for one in sending if one.oldest is not None]
    if of_campaigns:
        ids = [one.campaign for one in sending if one.oldest is not None]
        rows = MessageInMotion.objects.filter(state=OutboundState.QUEUED, campaign__in=ids, due_at__lte=now)
        alone = found[Priority.CAMPAIGN]
        oldest = min([*of_campaigns, *([alone.oldest] if alone.oldest else [])])
        found[Priority.CAMPAIGN] = Due(alone.count + rows[:MOST].count(), oldest)
    return found


def _sending() -> list[Waiting]:
    """By campaign and account, of which its senders may have several; what waits for a daily cap is not due."""
    each = " UNION ALL ".join(
        f"SELECT c.id, c.name, s.account_id, CASE WHEN {allowances.is_open(now=lanes.clock())} THEN ("
        "SELECT m.due_at FROM campaigns_messageinmotion m "
        f"WHERE m.campaign_id = c.id AND m.lane_id = l.id AND m.state = 'queued' AND m.due_at <= {lanes.clock()} "
        "ORDER BY m.due_at LIMIT 1) END AS oldest "
        f"FROM {pairs.source} JOIN campaigns_sender s ON s.id = {pairs.sender} "
        "JOIN contacts_brand b ON b.id = s.brand_id JOIN campaigns_lane l ON l.sender_id = s.id "
        "WHERE c.state = 'sending'"
        for pairs in sender_choice.PAIRS
    )
    statement = (
        f"SELECT id, name, account_id, MIN(oldest) FROM ({each}) AS lanes GROUP BY id, name, account_id ORDER BY id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [])
        return [Waiting(row[0], row[1], row[2], _moment(row[3])) for row in cursor.fetchall()]


def _moment(value: Any) -> datetime | None:
    """SQLite gives what it made of a time as text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value is None:
        return None
    return cast(datetime, value if value.tzinfo else value.replace(tzinfo=UTC))


def _outcomes() -> dict[str, tuple[int, datetime | None]]:
    open_ones = MessageInMotion.objects.filter(state__in=[OutboundState.UNKNOWN, OutboundState.PARKED])
    rows = open_ones.values_list("state").annotate(count=Count("pk"), oldest=Min("submitted_at")).order_by()
    return {state: (count, oldest) for state, count, oldest in rows}


def _lanes(now: datetime) -> dict[str, int]:
    """Held: a batch is in hand. Pausing: by its pace, or a gateway's wish. Ready: rows are due, nobody has it."""
    counts = Lane.objects.aggregate(
        held=Count("pk", filter=Q(lease_until__gt=now)),
        pausing=Count("pk", filter=Q(lease_until__lte=now, next_free_at__gt=now)),
        idle=Count("pk", filter=Q(lease_until__lte=now, next_free_at__lte=now)),
    )
    ready = len(lanes.candidates())  # no more than a worker looks at
    return {**counts, "idle": max(0, counts["idle"] - ready), "ready": ready}
