"""The drain: a few threads that win lanes and send batches for 20 seconds, then make room.

Any number of drains may run on any number of hosts; lanes keep them apart. Each thread owns its database
connection, its event loop and its HTTP connections, made here and closed here: nothing crosses a fork.
"""

import asyncio
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

import aiohttp
import structlog
import uvloop
from django.conf import settings
from django.db import Error, connection

from campaigns import accounts, batch, budgets, careful, circuit, lanes, places, pulse, recording, restoring, seats
from campaigns.models import GatewayAccount
from campaigns.times import TIMES
from smsdesk import clock, clusters, processes
from smsdesk.gateways import client
from smsdesk.gateways.contract import Gateway, SubmitBatch, SubmitResult
from smsdesk.gateways.errors import ErrorClass, GatewayError, Unreachable

log = structlog.get_logger(__name__)

LOOK_AGAIN = 1.0  # seconds at most between two looks for work
LEAST = 5  # rows of a batch, however slow the gateway
BUSY = 0.7  # seconds of our own work after which a batch of more than FEW rows was too large
FEW = 50
SOON = 0.15  # seconds of our own work by which campaigns may hold up an answer that leaves in one batch with them
SEARCH = 1.0  # seconds a lane is searched for somebody who may leave, before others get their turn
CROWDED = 0.1  # seconds to wait where all that could be sent is of accounts that have their share of threads
# Seconds before its end in which a drain calls its successor, while it goes on: a cluster looks for tasks once a
# second, and without these all lanes stood still for as long.
RELIEF = 2.0
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

    def is_near(self) -> bool:
        """Time is nearly up."""
        return time.monotonic() > self._until - RELIEF

    def ask(self) -> None:
        self._asked.set()

    def wait(self, seconds: float) -> None:
        self._asked.wait(max(0.0, min(seconds, self._until - time.monotonic())))


def drain(*, relieve: Callable[[], bool], seconds: float | None = None) -> bool:
    """Send for a while, heartbeat and heal meanwhile; at once over where enough other processes do.

    `relieve` wakes a successor where there is something for it, and says whether; it is asked shortly before time
    is up, when this process's place is free. True: we have sent, and nobody was called.
    """
    if not places.take():
        return False
    if not restoring.check():
        places.leave()
        return False
    stop = Stop(TIMES.drain if seconds is None else seconds)
    is_leaving = is_relieved = False
    failures: deque[BaseException] = deque()
    shared = seats.Seats(settings.SENDING_THREADS)
    threads = [
        threading.Thread(target=_send, args=(stop, failures, shared), name=f"lane-{n}", daemon=True)
        for n in range(settings.SENDING_THREADS)
    ]
    # By itself: a long snapshot or a slow lookup must not keep this thread from hearing that it shall end.
    threads.append(threading.Thread(target=_heal, args=(stop,), name="pulse", daemon=True))
    with processes.old_objects_uncollected():
        for thread in threads:
            thread.start()
        try:
            while not stop():
                try:
                    if not is_leaving and stop.is_near():
                        places.give_on()
                        is_relieved = relieve()
                        is_leaving = True
                    places.beat(is_leaving=is_leaving)
                    if clusters.is_stopping() or not restoring.check():
                        stop.ask()
                except Error as trouble:
                    log.warning("database_trouble", trouble=type(trouble).__name__)
                    connection.close()
                stop.wait(LOOK_AGAIN)
        finally:
            stop.ask()
            for thread in threads:
                thread.join()
            places.leave()
    if failures:
        raise failures[0]
    return not is_relieved


def _heal(stop: Stop) -> None:
    try:
        while not stop():
            pulse.beat()
            stop.wait(LOOK_AGAIN)
    finally:
        connection.close()


def _send(stop: Stop, failures: deque[BaseException], shared: seats.Seats) -> None:
    """One thread's life: win a lane, one batch, the next; a lost database is waited for."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            desk = _Desk(runner, shared)
            try:
                while not stop():
                    try:
                        desk.turn(stop)
                    except Error as trouble:
                        log.warning("database_trouble", trouble=type(trouble).__name__)
                        _come_back(stop)
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


def _come_back(stop: Stop) -> None:
    """After trouble with the database: it may be another one by now, or have been set back."""
    while not stop():
        connection.close()
        stop.wait(LOOK_AGAIN)
        try:
            if not restoring.check():
                stop.ask()
            return
        except Error as trouble:
            log.warning("database_trouble", trouble=type(trouble).__name__)


class Appetite:
    """How many rows a batch of one account may have so that all its calls begin in time, and it is over soon.

    A gateway that answers slowly cannot begin 200 calls in the second before the deadline: what it handed back
    was too much. So is what keeps this machine busy for long: a reply or a pause waits behind it. It grows again
    while nothing is.
    """

    def __init__(self) -> None:
        self.most = batch.MOST_WITH_LOOKUP
        self._seconds = 0.0  # of our own work, for a row

    @property
    def beside_urgent(self) -> int:
        """Rows of campaigns that go along with somebody who waits for an answer.

        By time, not by number: a gateway that is far away is not fed by handfuls where answers trickle.
        """
        return max(FEW, int(SOON / self._seconds)) if self._seconds else self.most

    def learn(self, results: Sequence[SubmitResult], *, busy: float = 0.0) -> None:
        """`busy`: seconds that reading, judging and recording took, which shrink with the batch."""
        if results:
            self._seconds = (self._seconds + busy / len(results)) / (2 if self._seconds else 1)
        late = sum(r.error is not None and r.error.error_class is ErrorClass.NOTHING_WRITTEN for r in results)
        if late:
            self.most = max(LEAST, len(results) - late)
        elif busy > BUSY and len(results) > FEW:
            self.most = max(FEW, min(self.most, len(results) * 3 // 4))
        else:
            self.most = min(batch.MOST_WITH_LOOKUP, self.most + LEAST)


class _Desk:
    """A thread's loop, HTTP sessions and list of candidate lanes."""

    def __init__(self, runner: asyncio.Runner, shared: seats.Seats) -> None:
        self._runner = runner
        self._seats = shared
        self._gateways: dict[int, tuple[object, Gateway, aiohttp.ClientSession]] = {}
        self._appetites: defaultdict[int, Appetite] = defaultdict(Appetite)
        self._candidates: deque[lanes.Candidate] = deque()
        self._looked_at = 0.0

    def turn(self, stop: Stop) -> None:
        """One batch of the most urgent lane, or a short sleep."""
        if not self._candidates or time.monotonic() - self._looked_at > FRESH:
            self._candidates = deque(lanes.candidates())
            self._looked_at = time.monotonic()
            self._seats.seen({one.account_id for one in self._candidates})
        if not self._candidates:
            wait = lanes.earliest()
            stop.wait(LOOK_AGAIN if wait is None else max(0.01, min(wait, LOOK_AGAIN)))
            return
        first = next((one for one in self._candidates if self._seats.is_free(one.account_id)), None)
        if first is None:
            self._candidates.clear()
            stop.wait(CROWDED)
            return
        with self._seats.taken(first.account_id) as has_seat:
            if has_seat and (together := lanes.win(self._choose(first))):
                self._one_batch(together, stop)

    def _choose(self, first: lanes.Candidate) -> list[int]:
        """A lane with others of its kind; they are no candidates any more."""
        chosen = [first]
        for other in self._candidates:
            if len(chosen) < lanes.TOGETHER and other is not first and other.may_join(first):
                chosen.append(other)
        self._candidates = deque(one for one in self._candidates if one not in chosen)
        return [one.lane_id for one in chosen]

    def _one_batch(self, together: Sequence[lanes.Won], stop: Stop) -> None:
        account_id = together[0].account_id
        begun = time.monotonic()
        until = begun + SEARCH
        looked_at = 1
        work: batch.Batch | None = None
        try:
            while True:
                appetite = self._appetites[account_id]
                work = batch.read(
                    together, most=appetite.most, at_least=looked_at, beside_urgent=appetite.beside_urgent
                )
                gateway = self._connected(work)
                if gateway is None:
                    careful.forgive(together, work.rows)
                    return
                submitted = batch.submit(work) if work.rows else None
                if submitted is not None or not work.rows or work.is_lost or work.goes_alone:
                    break
                # All of them wait or may not leave: a slow sender looks at more for the one it may send now.
                if work.spent or stop() or time.monotonic() > until:
                    break
                looked_at = min(batch.MOST, 4 * max(looked_at, len(work.rows) // len(together)))
        except Error:
            # A lock not got, a connection lost, perhaps at the commit: nothing was called.
            connection.close()
            rows = work.rows if work else ()
            recording.insist(lambda: batch.undo(together, rows=rows))
            raise
        if submitted is None:
            careful.forgive(together, work.rows)
            circuit.release(together[0])
            lanes.slow(together, seconds=0.0)
            budgets.pause_spent(work.spent)
            return
        called = time.monotonic()
        results = self._runner.run(_call(gateway, work, submitted))
        answered = time.monotonic()
        recording.record(results, submitted.rows, work=work)
        busy = time.monotonic() - begun - (answered - called)
        self._appetites[account_id].learn(results, busy=busy)
        budgets.pause_spent(work.spent)

    def _connected(self, work: batch.Batch) -> Gateway | None:
        """The account's adapter, ready to write; None where it cannot be used, and the lanes are given back."""
        account, together = work.account, work.together
        try:
            gateway = self._gateway(account)
            trouble = self._handshake(gateway, len(work.rows)) if work.rows else None
        except Error:
            raise
        except Exception as fault:
            # Credentials that cannot be opened, an address that is none: the account's fault, not a message's.
            log.exception("account_unusable", account=account.pk)
            reason = f"This account cannot be used: {fault}"
            accounts.pause(account.pk, reason=reason, now=clock.database_now())
            circuit.release(together[0])
            lanes.slow(together, seconds=0.0)
            return None
        if trouble is not None:
            log.warning("gateway_unreachable", account=account.pk, code=trouble.code)
            circuit.learn([trouble], won=together[0])
            lanes.slow(together, seconds=trouble.retry_after or 5.0)
            return None
        return gateway

    def _handshake(self, gateway: Gateway, rows: int) -> GatewayError | None:
        """The trouble, or None. Before submit: a slow one must not use up the second the first byte has."""
        calls = -(-rows // gateway.capabilities.recipients_per_call)
        try:
            return self._runner.run(gateway.connect(calls))
        except ValueError:  # an address that is none
            raise
        except Exception:
            # Nobody's fault that a person could mend, and perhaps gone in a minute: the circuit tries it again.
            log.exception("connect_failed")
            return Unreachable("connect_failed", "Connecting to the gateway failed, nothing was written.")

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


async def _call(gateway: Gateway, work: batch.Batch, submitted: batch.Submitted) -> list[SubmitResult]:
    """What the gateway says of each row."""
    callback = f"{accounts.hook_base(work.account)}status/"
    order = SubmitBatch(submitted.items(), callback)
    return await gateway.submit(order, deadline=submitted.deadline)
