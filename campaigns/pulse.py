"""The pulse: what must happen soon, whoever is awake. A running drain beats each second, the tick each minute."""

import time

from campaigns import lifecycle, reaping, receipts, reconciling
from campaigns.models import Lane
from campaigns.times import TIMES
from contacts import tasks as contact_tasks
from smsdesk import clock, expiry, processes


class Every:
    """True at most once in so many seconds, per process."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = float("-inf")

    def __call__(self) -> bool:
        if time.monotonic() - self._last < self._seconds:
            return False
        self._last = time.monotonic()
        return True


_reap, _abandon, _finish = Every(TIMES.reaper / 3), Every(2.0), Every(2.0)


def beat() -> None:
    """Start what is due, settle what is unknown, finish what is done. Safe at any time, anywhere, together."""
    now = clock.database_now()
    lifecycle.start_due(now=now)
    lifecycle.prepare_due(now=now)
    if _abandon():
        abandon_dead_workers()
    if _reap():
        reaping.reap()
    reconciling.reconcile()
    if _finish():
        lifecycle.sweep_cancelled(now=now)
        lifecycle.finish_done(now=now)


def heal() -> None:
    """The minute's round: everything a lost task or a dead process would have done."""
    beat()
    reaping.reap()
    receipts.rematch(now=clock.database_now())
    expiry.drop_old_answers(now=clock.database_now())
    contact_tasks.tend_imports()


def abandon_dead_workers() -> None:
    """Lanes whose holder on this host has ended need not wait for their leases."""
    holders = Lane.objects.exclude(holder="").values_list("holder", flat=True).distinct()
    for holder in holders:
        if processes.is_gone(holder):
            reaping.abandon(holder)
