"""A database that was restored starts *held*: what it calls queued may have been sent after the backup was made.

The database says who it is, and counts a beat with each look at it; each host keeps the last beat it saw in a file.
Where the database is another than it says, or its count went back, nothing is sent until a person releases it: no
lane can be won (`campaigns/lanes.py` asks in the statement that wins), campaigns in motion are paused, and what
waited is looked up at gateways that can be asked, or parked.
"""

import fcntl
import json
import uuid
from datetime import datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from campaigns import states
from campaigns.models import Campaign, CampaignState, Instance, OutboundMessage, OutboundState
from smsdesk import bulk_sql, clock
from smsdesk.errors import WrongState
from smsdesk.gateways import registry

log = structlog.get_logger(__name__)

THE_ONE = 1
CODE = "RESTORED"
PAGE = 2_000
MOST_REMEMBERED = 50  # databases a host has seen
IN_MOTION = (CampaignState.SCHEDULED, CampaignState.PREPARING, CampaignState.SENDING)


def check() -> bool:
    """May this database send? Asked before a drain wins a lane, each second while it runs, and each tick."""
    seen = _seen()
    now = clock.database_now()
    own = identity()
    before = Instance.objects.filter(pk=THE_ONE).first()
    instance = _beat(own, now=now)
    if instance.held_at is not None:
        _doubt(instance)
        return False
    reason = _reason(instance, own=own, seen=seen)
    if reason:
        hold(reason=reason, known_until=before.beat_at if before else now, now=now)
        return False
    _remember(instance)
    return True


def identity() -> str:
    """What the database says it is: PostgreSQL its system, timeline and database, SQLite its file.

    Not the file's device: its number may change when the machine starts anew.
    """
    if connection.vendor != "postgresql":
        name = str(connection.settings_dict["NAME"])
        path = Path(name)
        return f"file:{path.stat().st_ino}" if path.is_file() else "memory"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (pg_control_system()).system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return ":".join(str(part) for part in cursor.fetchone())


def held() -> Instance | None:
    """The instance while it is held."""
    return Instance.objects.filter(pk=THE_ONE, held_at__isnull=False).first()


def hold(*, reason: str, known_until: datetime, now: datetime) -> bool:
    """Send nothing until a person releases it. False when it is held already."""
    with transaction.atomic():
        instance = Instance.objects.select_for_update(no_key=True).get(pk=THE_ONE)
        if instance.held_at is not None:
            return False
        instance.held_at, instance.known_until = now, known_until
        Instance.objects.filter(pk=THE_ONE).update(
            held_at=now, restored_at=now, known_until=known_until, held_reason=reason[:300]
        )
        paused = Campaign.objects.filter(state__in=IN_MOTION).update(
            state=CampaignState.PAUSED,
            updated_at=now,
            paused_reason="The database was restored. Who was sent to after its backup may be sent to again: "
            "compare with the gateway's own figures before you resume it, or cancel the rest.",
        )
    log.error("desk_held", reason=reason, campaigns=paused)
    _doubt(instance)
    return True


def release(*, by: str, now: datetime) -> None:
    """A person has looked: the database is taken as it is, under a new name. `WrongState` if it is not held."""
    instance = held()
    if instance is None or instance.held_at is None:
        raise WrongState("not_held", "The desk is not held.", cure="Nothing has to be released.")
    _doubt(instance)
    released = Instance.objects.filter(pk=THE_ONE, held_at=instance.held_at).update(
        nonce=uuid.uuid4(),
        database=identity(),
        held_at=None,
        held_reason="",
        released_at=now,
        released_by=by[:150],
    )
    if not released:
        raise WrongState("not_held", "Somebody else has just released it.", cure="Reload the page.")
    log.warning("desk_released", by=by)


def _doubt(instance: Instance) -> int:
    """Rows queued before the hold may have been sent since the backup; how many were taken out of the queue.

    Where the gateway can be asked for our reference they are `unknown` and looked up, with those of campaigns.
    Elsewhere single messages are parked. Each once: what was proven never seen is queued again and stays so.
    """
    held_at = instance.held_at
    assert held_at is not None
    exact = [kind for kind, gateway in registry.GATEWAYS.items() if gateway.capabilities.lookup == "exact"]
    waiting = OutboundMessage.objects.filter(
        Q(campaign=None) | Q(sender__account__kind__in=exact),
        motion__state=OutboundState.QUEUED,
        state=OutboundState.QUEUED,
        created_at__lt=held_at,
    ).exclude(evidence__has_key="restored")
    doubted = 0
    while page := list(waiting.order_by("pk").values_list("pk", "sender__account__kind")[:PAGE]):
        with transaction.atomic():
            states.lock_rows(pk for pk, _ in page)
            asked = [pk for pk, kind in page if kind in exact]
            rows = OutboundMessage.objects.filter(state=OutboundState.QUEUED)
            # Its submit, if there was one, came after what the backup knows.
            rows.filter(pk__in=asked).update(
                state=OutboundState.UNKNOWN,
                submitted_at=Coalesce("submitted_at", instance.known_until),
                next_lookup_at=held_at,
            )
            rows.filter(pk__in=[pk for pk, kind in page if kind not in exact]).update(
                state=OutboundState.PARKED,
                code=CODE,
                waiting_for="",
                # So that it counts for caps, should it have been sent.
                submitted_at=Coalesce("submitted_at", instance.known_until),
            )
            evidence = {"restored": held_at.isoformat(timespec="seconds"), "worker_gone": True}
            bulk_sql.update_rows(
                OutboundMessage,
                columns=(),
                carried=("evidence",),
                rows=[(pk, evidence) for pk, _ in page],
                also=bulk_sql.adding_keys("evidence"),
            )
        doubted += len(page)
    if doubted:
        log.warning("queued_messages_doubted", count=doubted)
    return doubted


def _beat(own: str, *, now: datetime) -> Instance:
    while True:
        counted = Instance.objects.filter(pk=THE_ONE, held_at=None).update(beats=F("beats") + 1, beat_at=now)
        instance = Instance.objects.filter(pk=THE_ONE).first()
        if instance is not None and (counted or instance.held_at is not None):
            return instance  # else somebody has made it since we counted: 0 beats would look as if it were set back
        made = Instance(pk=THE_ONE, nonce=uuid.uuid4(), database=own, beat_at=now)
        Instance.objects.bulk_create([made], ignore_conflicts=True)


def _reason(instance: Instance, *, own: str, seen: dict[str, int]) -> str:
    if instance.database != own:
        return (
            "This database is a copy, was restored from a backup, or is a standby that took over: "
            f"it was {instance.database} and is {own}."
        )
    last = seen.get(instance.nonce.hex, 0)
    if instance.beats <= last:
        return f"This database was set back: its count stands at {instance.beats}, this host has seen {last}."
    return ""


# --- What this host has seen --------------------------------------------------------------------------


def _file() -> Path:
    return Path(settings.DATA_DIR) / "databases-seen.json"


def _seen() -> dict[str, int]:
    """By nonce the highest beat this host has seen; empty on a new host."""
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
        return {str(nonce): int(beats) for nonce, beats in known.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _remember(instance: Instance) -> None:
    """Written after the beat was committed; several processes of a host keep the highest."""
    path = _file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = _seen()
            beats = max(instance.beats, known.pop(instance.nonce.hex, 0))
            kept = dict([*known.items(), (instance.nonce.hex, beats)][-MOST_REMEMBERED:])
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(kept), encoding="utf-8")
            fresh.replace(path)
    except OSError as trouble:
        log.warning("beat_not_remembered", file=str(path), trouble=str(trouble))
