"""Wake-ups of this app. Each may run zero, one or several times."""

from django.utils import timezone

from inbound import holds, reminding
from smsdesk import tallies


def watch_holds() -> None:
    """Each quarter of an hour: a text that may be an opt-out and that nobody read in time counts as one."""
    holds.opt_out_overdue(now=timezone.now())


def tend_sign_ups() -> None:
    """Every few minutes: reminders that are due, ends that have come, counts that are over."""
    now = timezone.now()
    reminding.end_overdue(now=now)
    reminding.remind_due(now=now)
    tallies.drop_old(now=now)
