"""The pulse: what must happen soon, whoever is awake. A running drain beats each second, the tick each minute."""

import time
from collections.abc import Callable

import structlog
from django.db import Error, connection

from campaigns import counting, lifecycle, places, reaping, receipts, reconciling, restoring, strikes
from campaigns.models import Lane
from campaigns.times import TIMES
from contacts import tasks as contact_tasks
from smsdesk import clock, expiry, processes, wakeups
from smsdesk.models import Heartbeat

log = structlog.get_logger(__name__)


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


_reap, _abandon, _finish, _count = Every(TIMES.reaper / 3), Every(2.0), Every(2.0), Every(5.0)


def beat() -> None:
    """Start what is due, settle what is unknown, finish what is done. Safe at any time, anywhere, together."""
    each(start)
    if _abandon():
        each(abandon_dead_workers)
    if _reap():
        each(reaping.reap)
    each(reconciling.reconcile)
    if _finish():
        each(finish)
    if _count():
        each(counting.total)


def each(*steps: Callable[[], object]) -> None:
    """Do each step. One that fails is told to the log and comes again: it must keep no other from being done."""
    for step in steps:
        try:
            step()
        except Exception as trouble:
            log.exception("pulse_step_failed", step=step.__name__)
            if isinstance(trouble, Error) and not connection.in_atomic_block:
                connection.close()


def start() -> None:
    lifecycle.start_due(now=clock.database_now())
    lifecycle.prepare_due(now=clock.database_now())


def finish() -> None:
    lifecycle.sweep_cancelled(now=clock.database_now())
    lifecycle.finish_done(now=clock.database_now())


def rematch() -> None:
    receipts.rematch(now=clock.database_now())


def drop_old_answers() -> None:
    expiry.drop_old_answers(now=clock.database_now())


def forget_answers() -> None:
    strikes.forget(now=clock.database_now())


def heal() -> None:
    """The minute's round: everything a lost task or a dead process would have done."""
    each(restoring.check)
    beat()
    each(reaping.reap, rematch, drop_old_answers, forget_answers)
    contact_tasks.tend_imports()


def abandon_dead_workers() -> None:
    """Lanes whose holder on this host has ended need not wait for their leases, nor the next drain for a tick."""
    holders = Lane.objects.exclude(holder="").values_list("holder", flat=True).distinct()
    for holder in holders:
        if processes.is_gone(holder):
            reaping.abandon(holder)
    for name in filter(places.is_of_drain, Heartbeat.objects.values_list("name", flat=True)):
        # What woke a drain died with it; whoever takes its heartbeat away wakes the next one.
        if processes.is_gone(places.holder(name)) and Heartbeat.objects.filter(name=name).delete()[0]:
            wakeups.wake("campaigns.tasks.tick")
