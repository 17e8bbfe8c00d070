"""The drain: a few threads that win lanes and send batches for 20 seconds, then make room.

Any number of drains may run on any number of hosts; lanes keep them apart. Each thread owns its database
connection, its event loop and its HTTP connections, made here and closed here: nothing crosses a fork.
"""

import asyncio
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import timedelta

import aiohttp
import structlog
import uvloop
from django.conf import settings
from django.db import Error, connection

from campaigns import accounts, batch, lanes, pulse, recording
from campaigns.models import GatewayAccount
from campaigns.times import TIMES
from smsdesk import clock, clusters, processes
from smsdesk.gateways import client
from smsdesk.gateways.contract import Gateway, SenderAddress, SubmitBatch, SubmitResult
from smsdesk.gateways.errors import ErrorClass
from smsdesk.models import Heartbeat

log = structlog.get_logger(__name__)

LOOK_AGAIN = 1.0  # seconds at most between two looks for work
LEAST = 5  # rows of a batch, however slow the gateway
FRESH = 0.5  # seconds a list of candidate lanes is used


class Stop:
    """Says when the threads shall take no further batch: time is up, or the process was asked to end."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._asked = threading.Event()
        self._parent = os.getppid()

    def __call__(self) -> bool:
        # An orphan of a killed cluster leaves after its batch.
        return self._asked.is_set() or time.monotonic() > self._until or os.getppid() != self._parent

    def ask(self) -> None:
        self._asked.set()

    def wait(self, seconds: float) -> None:
        self._asked.wait(max(0.0, min(seconds, self._until - time.monotonic())))


def drain(*, seconds: float | None = None) -> bool:
    """Send for a while. False when enough other processes do already. Heartbeats and heals meanwhile."""
    if not _sign_on():
        return False
    stop = Stop(TIMES.drain if seconds is None else seconds)
    failures: deque[BaseException] = deque()
    threads = [
        threading.Thread(target=_send, args=(stop, failures), name=f"lane-{n}", daemon=True)
        for n in range(settings.SENDING_THREADS)
    ]
    # By itself: a long snapshot or a slow lookup must not keep this thread from hearing that it shall end.
    threads.append(threading.Thread(target=_heal, args=(stop,), name="pulse", daemon=True))
    for thread in threads:
        thread.start()
    try:
        while not stop():
            try:
                _beat()
                if clusters.is_stopping():
                    stop.ask()
            except Error as trouble:
                log.warning("database_trouble", trouble=type(trouble).__name__)
                connection.close()
            stop.wait(LOOK_AGAIN)
    finally:
        stop.ask()
        for thread in threads:
            thread.join()
        Heartbeat.objects.filter(name=_name()).delete()
    if failures:
        raise failures[0]
    return True


def _name() -> str:
    return f"drain:{processes.identity()}"


def _sign_on() -> bool:
    """On each host drains leave one worker free, for imports and the clock."""
    fresh = clock.database_now() - timedelta(seconds=5)
    here = _name().rsplit(":", 2)[0] + ":"
    others = Heartbeat.objects.filter(name__startswith=here, beat_at__gt=fresh).exclude(name=_name())
    if others.count() >= max(1, settings.WORKERS - 1):
        return False
    _beat()
    return True


def _beat() -> None:
    Heartbeat.objects.update_or_create(name=_name(), defaults={"beat_at": clock.database_now()})


def _heal(stop: Stop) -> None:
    try:
        while not stop():
            pulse.beat()
            stop.wait(LOOK_AGAIN)
    finally:
        connection.close()


def _send(stop: Stop, failures: deque[BaseException]) -> None:
    """One thread's life: win a lane, one batch, the next; a lost database is waited for."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            desk = _Desk(runner)
            try:
                while not stop():
                    try:
                        desk.turn(stop)
                    except Error as trouble:
                        log.warning("database_trouble", trouble=type(trouble).__name__)
                        connection.close()
                        stop.wait(LOOK_AGAIN)
                    except Exception:
                        # A fault of one lane: it keeps its lease and counts a failure, the other lanes go on.
                        log.exception("batch_failed")
                        stop.wait(LOOK_AGAIN)
            finally:
                desk.close()
    except BaseException as failure:
        failures.append(failure)
        stop.ask()
        raise
    finally:
        connection.close()


class Appetite:
    """How many rows a batch of one account may have so that all its calls begin in time.

    A gateway that answers slowly cannot begin 200 calls in the second before the deadline: what it handed back
    was too much. It grows again while nothing is.
    """

    def __init__(self) -> None:
        self.most = batch.MOST

    def learn(self, results: Sequence[SubmitResult]) -> None:
        late = sum(r.error is not None and r.error.error_class is ErrorClass.NOTHING_WRITTEN for r in results)
        if late:
            self.most = max(LEAST, len(results) - late)
        else:
            self.most = min(batch.MOST, self.most + LEAST)


class _Desk:
    """A thread's loop, HTTP sessions and list of candidate lanes."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._gateways: dict[int, tuple[object, Gateway, aiohttp.ClientSession]] = {}
        self._appetites: defaultdict[int, Appetite] = defaultdict(Appetite)
        self._candidates: deque[int] = deque()
        self._looked_at = 0.0

    def turn(self, stop: Stop) -> None:
        """One batch of the most urgent lane, or a short sleep."""
        if not self._candidates or time.monotonic() - self._looked_at > FRESH:
            self._candidates = deque(lanes.candidates())
            self._looked_at = time.monotonic()
        if not self._candidates:
            wait = lanes.earliest()
            stop.wait(LOOK_AGAIN if wait is None else max(0.01, min(wait, LOOK_AGAIN)))
            return
        won = lanes.win(self._candidates.popleft())
        if won is not None:
            self._one_batch(won)

    def _one_batch(self, won: lanes.Won) -> None:
        try:
            work = batch.read(won, most=self._appetites[won.account_id].most)
            gateway = self._connected(work, won)
            if gateway is None:
                return
            submitted = batch.submit(work) if work.rows else None
        except Error:
            # A lock not got, a connection lost, perhaps at the commit: nothing was called.
            connection.close()
            batch.undo(won)
            raise
        if submitted is None:
            lanes.slow(won, seconds=0.0)
            return
        order = SubmitBatch(
            items=submitted.items,
            sender=SenderAddress(value=work.sender.value, kind=work.sender.kind),
            callback_url=f"{accounts.hook_base(work.sender.account)}status/",
        )
        results = self._runner.run(gateway.submit(order, deadline=submitted.deadline))
        self._appetites[won.account_id].learn(results)
        recording.record(results, submitted.rows, won=won, sender=work.sender, planned=work.parts)

    def _connected(self, work: batch.Batch, won: lanes.Won) -> Gateway | None:
        """The account's adapter, ready to write; None where it cannot be used, and the lane is given back."""
        account = work.sender.account
        try:
            gateway = self._gateway(account)
            # Before submit, so that a slow handshake is not taken from the second the first byte has.
            trouble = self._runner.run(gateway.connect(len(work.rows))) if work.rows else None
        except Error:
            raise
        except Exception as fault:
            # Credentials that cannot be opened, an address that is none: the account's fault, not a message's.
            log.exception("account_unusable", account=account.pk)
            reason = f"This account cannot be used: {fault}"
            accounts.pause(account.pk, reason=reason, now=clock.database_now())
            lanes.slow(won, seconds=0.0)
            return None
        if trouble is not None:
            log.warning("gateway_unreachable", account=account.pk, code=trouble.code)
            lanes.slow(won, seconds=trouble.retry_after or 5.0)
            return None
        return gateway

    def _gateway(self, account: GatewayAccount) -> Gateway:
        key = (account.kind, account.base_url, account.credentials, account.max_calls)
        known = self._gateways.get(account.pk)
        if known is None or known[0] != key:
            if known is not None:
                self._runner.run(self._gateways.pop(account.pk)[2].close())
            session = self._runner.run(_open(account))
            try:
                known = (key, accounts.gateway(account, http=session), session)
            except BaseException:
                self._runner.run(session.close())
                raise
            self._gateways[account.pk] = known
        return known[1]

    def close(self) -> None:
        for _, _, session in self._gateways.values():
            self._runner.run(session.close())


async def _open(account: GatewayAccount) -> aiohttp.ClientSession:
    return client.session(calls=account.max_calls, time_scale=settings.TIME_SCALE)
