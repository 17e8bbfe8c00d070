"""Named places in the send path at which a test makes a process die, fail, freeze or wait (`tests/chaos`).

Off: `hit` tests one attribute and returns. `SMSDESK_FAILPOINTS` arms them, only with DEBUG or SMSDESK_CHAOS:
`submit.after_commit=kill@1;call.before_write=hold:300@4;submit.after_commit=stop~0.01;*=watch`

`@n`: at the n-th hit, counted over all processes that share `SMSDESK_FAILPOINTS_JOURNAL`, and then never again.
`~p`: at each hit by this chance. `*=watch` only writes down which names are reached.
"""

import contextlib
import fcntl
import json
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ACTIONS = ("kill", "raise", "stop", "hold", "watch")
EVERYWHERE = "*"


class Failure(Exception):
    """What the action `raise` raises: nobody expects it, so it stands for any fault of the code."""


class BadFailpoint(ValueError):
    """A failpoint nobody can follow; the text names it and the cure."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    name: str
    action: str
    milliseconds: float = 0.0  # of `hold`
    at: int = 0  # the n-th hit; 0: by chance
    chance: float = 0.0


def parse(text: str) -> list[Failpoint]:
    """Raises `BadFailpoint`."""
    return [_parse_one(entry.strip()) for entry in text.split(";") if entry.strip()]


def _parse_one(entry: str) -> Failpoint:
    name, _, rest = entry.partition("=")
    what, when, chance = rest, "", ""
    if "@" in rest:
        what, _, when = rest.partition("@")
    elif "~" in rest:
        what, _, chance = rest.partition("~")
    action, _, milliseconds = what.partition(":")
    try:
        made = Failpoint(
            name=name,
            action=action,
            milliseconds=float(milliseconds or 0),
            at=int(when or 0),
            chance=float(chance or 0),
        )
    except ValueError as error:
        raise BadFailpoint(f"{entry!r}: write name=action:milliseconds@hit or name=action~chance.") from error
    if not name or action not in ACTIONS:
        raise BadFailpoint(f"{entry!r}: the action must be one of {', '.join(ACTIONS)}.")
    return made


class _Armed:
    def __init__(self, failpoints: list[Failpoint], *, journal: Path, seed: str) -> None:
        self._by_name: Mapping[str, list[Failpoint]] = defaultdict(list)
        for one in failpoints:
            self._by_name[one.name].append(one)
        self._journal = journal
        self._seed = seed
        self._random: dict[int, random.Random] = {}  # by process: a fork must not repeat its parent's draws
        self._met: set[tuple[int, str]] = set()

    def hit(self, name: str) -> None:
        own = [*self._by_name.get(name, ()), *self._by_name.get(EVERYWHERE, ())]
        if not own:
            return
        if (os.getpid(), name) not in self._met:
            self._met.add((os.getpid(), name))
            self._write(name, "met")
        for one in own:
            if one.action != "watch" and self._is_due(one):
                self._write(name, one.action)
                _act(one)

    def _is_due(self, one: Failpoint) -> bool:
        if one.at:
            return self._count(one) == one.at
        draws = self._random.setdefault(os.getpid(), random.Random(f"{self._seed}/{os.getpid()}"))
        return draws.random() < one.chance

    def _count(self, one: Failpoint) -> int:
        """This hit's number; one byte for each in a file that all processes share."""
        with (self._journal.parent / f"{self._journal.name}.{one.name}.{one.action}{one.at}").open("ab") as tally:
            fcntl.flock(tally, fcntl.LOCK_EX)
            tally.write(b".")
            tally.flush()
            return os.fstat(tally.fileno()).st_size

    def _write(self, name: str, what: str) -> None:
        line = json.dumps({"name": name, "what": what, "pid": os.getpid(), "t": time.time()})
        with self._journal.open("a", encoding="ascii") as journal:
            journal.write(line + "\n")


def _act(one: Failpoint) -> None:
    if one.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif one.action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)  # whoever reads the journal sends CONT
    elif one.action == "hold":
        time.sleep(one.milliseconds / 1000)
    else:
        raise Failure(one.name)


_armed: _Armed | None = None


def hit(name: str) -> None:
    """Here a test may interrupt this process."""
    if _armed is not None:
        _armed.hit(name)


def arm(text: str, *, journal: Path | None, seed: str = "1") -> None:
    """Arm the failpoints `text` names; an empty one disarms all. Raises `BadFailpoint`."""
    global _armed
    failpoints = parse(text)
    if failpoints and journal is None:
        raise BadFailpoint("Name a file in SMSDESK_FAILPOINTS_JOURNAL: the hits are written down there.")
    _armed = _Armed(failpoints, journal=journal, seed=seed) if failpoints and journal is not None else None


def read(journal: Path) -> list[dict[str, object]]:
    """The journal so far: {"name", "what" ("met" or an action), "pid", "t"}."""
    found = []
    if journal.exists():
        for line in journal.read_text(encoding="ascii").splitlines():
            with contextlib.suppress(ValueError):  # the last one may still be written
                found.append(json.loads(line))
    return found
