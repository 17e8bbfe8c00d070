"""The killer: harms the desk at seeded moments, and wakes what was frozen."""

import heapq
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from smsdesk import failpoints
from tests.chaos import acts, processes
from tests.chaos.desk import Desk

_VICTIMS = {
    "kill_worker": ("workers", signal.SIGKILL),
    "kill_helper": ("helpers", signal.SIGKILL),
    "kill_sentinel": ("sentinel", signal.SIGKILL),
    "kill_cluster": ("cluster", signal.SIGKILL),
    "term_cluster": ("cluster", signal.SIGTERM),
    "kill_web_worker": ("web_workers", signal.SIGKILL),
    "kill_web": ("web", signal.SIGKILL),
    "freeze_worker": ("workers", signal.SIGSTOP),
    "freeze_web_worker": ("web_workers", signal.SIGSTOP),
    "freeze_cluster": ("cluster", signal.SIGSTOP),
}
PARTED = 6.0  # seconds for which the way to the carrier is parted at the longest
_ROAD: Mapping[str, Callable[[random.Random], str]] = {
    "road_refuse": lambda draws: f"refuse {draws.uniform(0.2, 2.0):.2f}",
    "road_reset": lambda draws: "reset",
    "road_swallow": lambda draws: f"swallow {draws.uniform(0.1, 1.0):.2f}",
    "road_slow": lambda draws: f"slow {draws.uniform(0.5, 3.0):.2f} {draws.randrange(50, 900)}",
    "road_dribble": lambda draws: f"dribble {draws.uniform(0.3, 2.0):.2f}",
    # Shorter than the grace: what a proxy keeps for longer nobody can know of.
    "road_part": lambda draws: f"hold {draws.uniform(0.5, PARTED):.2f}",
}
PATIENCE = 5.0  # seconds without a call after which the next harm comes all the same
GRACE = 60.0  # seconds, unscaled: freezes last up to twice as long


@dataclass(slots=True)
class Killer:
    desk: Desk
    journal: acts.Journal
    failpoints_journal: Path
    calls: Callable[[], int]  # that the carrier has seen so far
    stop: threading.Event = field(default_factory=threading.Event)
    counts: "Counter[str]" = field(default_factory=Counter)
    _frozen: list[tuple[float, int]] = field(default_factory=list)
    _seen_stops: int = 0
    _deployed: int = -1

    def run(self) -> None:
        draws = random.Random(f"{self.desk.order.seed}/killer")
        wakes = random.Random(f"{self.desk.order.seed}/thaw")
        names, weights = list(self.desk.order.harms), list(self.desk.order.harms.values())
        next_at, next_calls, at_the_latest = time.monotonic() + draws.uniform(1.0, 2.0), 1, time.monotonic() + 15
        while not self.stop.is_set():
            self._thaw()
            self._note_stopped(wakes)
            now = time.monotonic()
            # A desk that does not send cannot be harmed in the middle of it; a slow machine needs longer to.
            if names and now >= next_at and (self.calls() >= next_calls or now >= at_the_latest):
                self._harm(draws.choices(names, weights)[0], draws)
                next_at = time.monotonic() + draws.uniform(0.4, 1.6) * self.desk.order.pace
                next_calls, at_the_latest = self.calls() + 1, time.monotonic() + PATIENCE
            self.desk.keep_hosts()
            self.stop.wait(0.05)

    def end(self) -> None:
        """Wake everybody who still lies frozen."""
        self.stop.set()
        self._note_stopped(random.Random(0))
        for _, pid in self._frozen:
            self._wake(pid)
        self._frozen.clear()

    def keep_awake(self, over: threading.Event) -> None:
        """After the end: failpoints still freeze workers, and nobody else would wake them."""
        while not over.wait(0.5):
            self.end()

    # --- Freezing ------------------------------------------------------------------------------------

    def _freeze(self, pid: int, seconds: float) -> None:
        heapq.heappush(self._frozen, (time.monotonic() + seconds, pid))

    def _thaw(self) -> None:
        while self._frozen and self._frozen[0][0] <= time.monotonic():
            self._wake(heapq.heappop(self._frozen)[1])

    def _wake(self, pid: int) -> None:
        self.journal.write("thaw", pid=pid, was_alive=processes.send(pid, signal.SIGCONT))

    def _note_stopped(self, draws: random.Random) -> None:
        """Those that a failpoint froze are ours to wake."""
        stops = [line for line in failpoints.read(self.failpoints_journal) if line["what"] == "stop"]
        for line in stops[self._seen_stops :]:
            self.counts[f"freeze at {line['name']}"] += 1
            self.journal.write("freeze", pid=line["pid"], place=line["name"])
            self._freeze(int(str(line["pid"])), self._seconds(draws))
        self._seen_stops = len(stops)

    def _seconds(self, draws: random.Random) -> float:
        return draws.uniform(0.3, 2.0 * GRACE * self.desk.order.scale)

    # --- Harm ----------------------------------------------------------------------------------------

    def _harm(self, kind: str, draws: random.Random) -> None:
        details: dict[str, Any] = {}
        if kind in _VICTIMS:
            role, number = _VICTIMS[kind]
            victims = sorted(processes.trees(self.desk.host_pids()).of(role))
            pick = draws.random()
            if not victims:
                return
            pid = victims[int(pick * len(victims))]
            details = {"pid": pid}
            self.journal.write("harm", kind=kind, **details)
            if not processes.send(pid, number):
                return
            if number == signal.SIGSTOP:
                self._freeze(pid, self._seconds(draws))
        else:
            self.journal.write("harm", kind=kind)
            if not self._to_the_rest(kind, draws):
                return
        self.counts[kind] += 1

    def _to_the_rest(self, kind: str, draws: random.Random) -> bool:
        if kind == "kill_host":
            self.desk.kill_host(draws.randrange(len(self.desk.host_pids()) or 1))
        elif kind == "end_connection":
            return self._end_connection(draws)
        elif kind == "lose_wakeups":
            return self._lose_wakeups()
        elif kind == "take_connections":
            return self._take_connections(draws.uniform(0.5, 2.5))
        elif kind == "fill_disk":
            return self.desk.fill_disk(draws.uniform(1.0, 4.0))
        elif kind == "deploy_host":
            self._deploy(draws.randrange(2))
        elif kind.startswith("road_"):
            self.desk.road(_ROAD[kind](draws))
        elif kind == "cut_connections":
            self.desk.database_proxy("cut one" if draws.random() < 0.7 else "cut")
        elif kind == "cut_at_commit":
            self.desk.database_proxy("commit")
        elif kind == "hold_database":
            self.desk.database_proxy(f"hold {draws.uniform(0.1, 1.5):.2f}")
        else:
            number = {
                "restart_fast": signal.SIGINT,
                "restart_immediate": signal.SIGQUIT,
                "kill_database": signal.SIGKILL,
            }[kind]
            self.desk.restart_database(number)
        return True

    def _deploy(self, number: int) -> None:
        """One host after the other, and each again and again."""
        self._deployed = (self._deployed + 1) if self._deployed >= 0 else number
        seconds = self.desk.deploy(self._deployed)
        self.journal.write("deployed", host=self._deployed % 2, seconds=round(seconds, 2))

    def _lose_wakeups(self) -> bool:
        """All that wait in the queue; the rows they were about are left."""
        assert self.desk.server is not None
        try:
            with psycopg.connect(self.desk.server.url, autocommit=True, connect_timeout=2) as admin:
                return bool(admin.execute("DELETE FROM django_q_ormq").rowcount)
        except psycopg.Error:
            return False

    def _take_connections(self, seconds: float) -> bool:
        """All that the database has to give."""
        assert self.desk.server is not None
        taken: list[psycopg.Connection[Any]] = []
        try:
            while len(taken) < 200:
                taken.append(psycopg.connect(self.desk.server.url, connect_timeout=2))
        except psycopg.Error:
            time.sleep(seconds)
        finally:
            for connection in taken:
                connection.close()
        return bool(taken)

    def _end_connection(self, draws: random.Random) -> bool:
        assert self.desk.server is not None
        try:
            with psycopg.connect(self.desk.server.url, autocommit=True, connect_timeout=2) as admin:
                pids = admin.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid() ORDER BY backend_start"
                ).fetchall()
                if not pids:
                    return False
                admin.execute("SELECT pg_terminate_backend(%s)", [draws.choice(pids)[0]])
        except psycopg.Error:
            return False
        return True
