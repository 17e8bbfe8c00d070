"""Wake-ups of this app. Each may run zero, one or several times."""

from django.utils import timezone

from contacts import importing
from smsdesk import wakeups


def run_import(import_id: int) -> None:
    if importing.run(import_id):
        wakeups.wake(importing.RUN, import_id)


def tend_imports() -> None:
    """For the minute tick: heals imports whose worker died or whose wake-up was lost, discards abandoned files."""
    importing.discard_abandoned(now=timezone.now())
    for import_id in importing.stalled().values_list("pk", flat=True):
        wakeups.wake(importing.RUN, import_id)
