"""What a run is asked to do, and what each profile does to the desk."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Kinds of harm and how often each is chosen, by profile; `killer.py` says what they are.
_PROCESS = {
    "kill_worker": 20, "kill_helper": 1.5, "kill_sentinel": 0.4, "kill_cluster": 0.4, "term_cluster": 0.4,
    "kill_web_worker": 0.5, "kill_web": 0.2, "kill_host": 0.15, "lose_wakeups": 0.5,
}  # fmt: skip
_FREEZE = {"freeze_worker": 5, "freeze_web_worker": 0.4, "freeze_cluster": 0.2}
_DATABASE = {
    "end_connection": 5, "cut_connections": 0.6, "cut_at_commit": 5, "hold_database": 1, "take_connections": 0.6,
    "restart_fast": 0.25, "restart_immediate": 0.25, "kill_database": 0.25,
}  # fmt: skip
# Between the workers and the carrier.
_ROAD = {"road_refuse": 1, "road_reset": 6, "road_swallow": 2, "road_slow": 2, "road_dribble": 1.5, "road_part": 2}
PROFILES: Mapping[str, Mapping[str, float]] = {
    "process": _PROCESS,
    "freeze": {**_FREEZE, "kill_worker": 4},
    "db": {**_DATABASE, "kill_worker": 4},
    "gateway": {"kill_worker": 8},
    "net": {**_ROAD, "kill_worker": 2},
    "clock": {"kill_worker": 8, "freeze_worker": 1, "kill_web_worker": 0.5},
    "disk": {"fill_disk": 1, "kill_worker": 2},
    "deploy": {"deploy_host": 1},
    "sqlite": {
        name: weight
        for name, weight in {**_PROCESS, **_FREEZE}.items()
        if name not in ("kill_host", "lose_wakeups")
    },
    "calm": {},
    "all": {**_PROCESS, **_FREEZE, **_DATABASE},
}
# What the carrier does wrong by itself, in shares of calls (the first six) and of messages.
FAULTS = {
    "rate-429": 0.002, "rate-5xx": 0.004, "rate-reset-before": 0.002, "rate-reset-after": 0.003,
    "rate-accept-then-timeout": 0.003, "rate-garbage": 0.002,
    "rate-duplicate-receipts": 0.05, "rate-early-receipts": 0.05, "rate-reordered-receipts": 0.05,
    "rate-duplicate-inbound": 0.1,
}  # fmt: skip
HEAVY_FAULTS = {name: value * (5 if value < 0.05 else 2) for name, value in FAULTS.items()}
# Narrow places that random killing meets too seldom: the process freezes there, or waits, by chance.
CLOCKS = (3600, -3600)  # seconds by which the hosts' clocks are wrong in the profile `clock`
DISK = 420  # megabytes of the database's volume in the profile `disk`
LOG_LAG = 20.0  # seconds, unscaled, until a lookup shows what was accepted: well within the grace
CONNECTIONS = 60  # that the database takes where they are taken away on purpose
FREEZES = "submit.after_commit=stop~0.004;submit.before_commit=stop~0.001;record.before_commit=stop~0.001"
HOLDS = "submit.after_recheck=hold:30~0.03;submit.contacts_locked=hold:20~0.02;call.before_write=hold:15~0.02"


@dataclass(frozen=True, slots=True)
class Order:
    seed: str
    seconds: float
    profile: str = "all"
    dialect: str = "infobip"
    database: str = "postgres"
    scale: float = 0.2
    mutants: tuple[str, ...] = ()
    people: int = 8_000
    rates: tuple[float, ...] = (*([400.0] * 3), *([100.0] * 2), *([25.0] * 5))  # parts a second, one sender each
    workers: int = 3
    threads: int = 4
    hosts: int = 2
    pace: float = 0.6  # seconds between two harms, on the average
    folder: Path | None = None  # kept where it is given
    template: Path | None = None  # a prepared PostgreSQL folder (`postgres.prepare`)
    failpoints: str = ""  # instead of those of the profile
    old: str = ""  # a revision: the hosts begin with its code, and the database with its tables
    weights: Mapping[str, float] = field(default_factory=dict)  # instead of those of the profile

    @property
    def harms(self) -> Mapping[str, float]:
        if self.weights:
            return self.weights
        known = PROFILES[self.profile]
        return {name: w for name, w in known.items() if self.database == "postgres" or name not in _DATABASE}

    @property
    def armed(self) -> str:
        """The failpoints of the worker clusters."""
        if self.failpoints:
            return self.failpoints
        freezes = FREEZES if "freeze_worker" in self.harms else ""
        if self.profile == "deploy":
            return "*=watch"
        return ";".join(filter(None, [freezes, HOLDS, "*=watch"]))

    @property
    def connections(self) -> int:
        return CONNECTIONS if "take_connections" in self.harms else 120

    @property
    def faults(self) -> Mapping[str, float]:
        if self.profile in ("calm", "deploy"):  # of a deploy alone nothing may become unknown
            return {}
        return HEAVY_FAULTS if self.profile == "gateway" else FAULTS


def parser(description: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description)
    add = made.add_argument
    add("--seconds", type=float, default=50.0, help="how long the desk is harmed")
    add("--profile", choices=sorted(PROFILES), default="all")
    add("--dialect", choices=("infobip", "twilio"), default="infobip")
    add("--database", choices=("postgres", "sqlite"), default="postgres")
    add("--scale", type=float, default=0.2, help="of all times of the send protocol (1: as in production)")
    add("--mutant", action="append", default=[], help="a fault put into a copy of the code, such as M2")
    add("--people", type=int, default=8_000)
    add("--pace", type=float, default=0.6, help="seconds between two harms, on the average")
    add("--folder", type=Path, help="keep everything the run wrote here")
    add("--template", type=Path, help="a prepared PostgreSQL folder")
    add("--failpoints", default="", help="instead of those of the profile (smsdesk/failpoints.py)")
    add("--old", default="", help="a revision whose code and tables the run begins with (profile deploy)")
    add("--json", action="store_true", help="nothing but one line of JSON")
    return made


def from_arguments(values: argparse.Namespace, *, seed: str) -> Order:
    is_small = values.database == "sqlite"
    return Order(
        seed=seed,
        seconds=values.seconds,
        profile="sqlite" if is_small and values.profile == "all" else values.profile,
        dialect=values.dialect,
        database=values.database,
        scale=values.scale,
        mutants=tuple(values.mutant),
        people=values.people,
        hosts=1 if is_small else 2,
        pace=values.pace,
        folder=values.folder,
        template=values.template,
        failpoints=values.failpoints,
        old=values.old,
    )


def as_arguments(order: Order) -> Sequence[str]:
    """The command that repeats this run."""
    words = ["--seed", order.seed, "--seconds", f"{order.seconds:g}", "--profile", order.profile]
    words += ["--dialect", order.dialect, "--database", order.database, "--scale", f"{order.scale:g}"]
    if order.old:
        words += ["--old", order.old]
    for mutant in order.mutants:
        words += ["--mutant", mutant]
    return words
