"""Wake-ups of this app. Each may run zero, one or several times."""

from django.utils import timezone

from inbound import holds


def watch_holds() -> None:
    """Each quarter of an hour: a text that may be an opt-out and that nobody read in time counts as one."""
    holds.opt_out_overdue(now=timezone.now())
