"""Wake-ups of this app. Each may run zero, one or several times."""

import time

from django.utils import timezone

from inbound import holds, reminding
from smsdesk import tallies, wakeups


def watch_holds() -> None:
    """Each quarter of an hour: a text that may be an opt-out and that nobody read in time counts as one."""
    holds.opt_out_overdue(now=timezone.now())


TEND_SIGN_UPS = "inbound.tasks.tend_sign_ups"
_PATIENCE = 60.0  # seconds of one run; a task may take 120


def tend_sign_ups(after: int = 0) -> None:
    """Every few minutes: reminders that are due, ends that have come, counts that are over.

    What a long queue of reminders leaves over, the successor does, from behind the sign-up `after` on.
    """
    now, started = timezone.now(), time.monotonic()
    reminding.end_overdue(now=now)
    tallies.drop_old(now=now)
    done = reminding.remind_due(now=now, after=after, is_late=lambda: time.monotonic() - started > _PATIENCE)
    if done.rest_after is not None:
        wakeups.wake(TEND_SIGN_UPS, done.rest_after)
