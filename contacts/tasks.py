"""Wake-ups of this app. Each may run zero, one or several times."""

import time

import structlog
from django.utils import timezone

from contacts import anchoring, dry_run, import_lease, importing, lapsing, retention, undoing
from contacts.models import ImportState
from smsdesk import wakeups

log = structlog.get_logger(__name__)


def run_import(import_id: int) -> None:
    if importing.run(import_id):
        wakeups.wake(importing.RUN, import_id)


def check_import(import_id: int) -> None:
    if dry_run.run(import_id):
        wakeups.wake(dry_run.RUN, import_id)
    else:
        dry_run.forget()


def undo_import(import_id: int) -> None:
    if undoing.run(import_id):
        wakeups.wake(undoing.RUN, import_id)


_WORK = {
    ImportState.CHECKING: dry_run.RUN,
    ImportState.RUNNING: importing.RUN,
    ImportState.UNDOING: undoing.RUN,
}


def tend_imports() -> None:
    """For the minute tick: heals imports whose worker died or whose wake-up was lost, discards abandoned files."""
    importing.discard_abandoned(now=timezone.now())
    dry_run.forget()
    for import_id, state in import_lease.stalled().values_list("pk", "state"):
        wakeups.wake(_WORK[ImportState(state)], import_id)


DAILY = "contacts.tasks.daily"
_PATIENCE = 60.0  # seconds of one run; a task may take 120


def daily() -> None:
    """Once a day: what has run out ends or goes, and the ledger's head goes to its witness. Twice does no harm."""
    now, started = timezone.now(), time.monotonic()

    def is_late() -> bool:
        return time.monotonic() - started > _PATIENCE

    try:
        anchoring.hand_over_daily(now=now)
    except OSError:
        log.exception("anchor_not_handed_over")  # a full disk or a mail server that is away keeps no data alive
    if not (lapsing.run(now=now, is_late=is_late) and retention.run(now=now, is_over=is_late)):
        wakeups.wake(DAILY)
