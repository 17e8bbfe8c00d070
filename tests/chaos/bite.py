"""Whether the harness bites: `python -m tests.chaos.bite [--only M13,M2]`.

It puts one fault after the other into a copy of the code and shows what finds it. A mutant nobody finds is a
scenario that is missing; the exit status says so.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import cases, orders, postgres, running, sources, sweep
from tests.chaos.cases import Case


@dataclass(frozen=True, slots=True)
class Hunt:
    """What is tried, in this order, until something is found: tests, cases of the sweep, whole runs.

    `rule`: a rule of the judge that counts as a find although a busy machine can break it too.
    """

    cases: Sequence[Case] = ()
    profile: str = ""
    dialect: str = "infobip"
    tests: Sequence[str] = ()  # what only a test of the suite can see, because no gateway and no run shows it
    rule: str = ""


def lingering(name: str, milliseconds: int, *hits: int) -> Case:
    """The process waits there at each of these hits, long enough for others and short enough to go on."""
    spec = ";".join(f"{name}=hold:{milliseconds}@{hit}" for hit in hits)
    return Case(name, "linger", hits[0], spec)


def _slept(name: str) -> tuple[Case, ...]:
    return Case(name, "sleep", 1), Case(name, "sleep", cases.LATER[name])


# STOP waits for the contact while a submit has it, and the call begins a moment after the commit.
STOP_MEETS_SUBMIT = Case(
    "submit.contacts_locked", "linger", 1, "submit.contacts_locked=hold:600@1;call.before_write=hold:170~1"
)
# A submit that waits for the contact while STOP has it goes on only after STOP has been answered. One STOP lingers
# and the next ones stand behind it: with three that do, the submit would give up first.
SUBMIT_WAITS_FOR_STOP = Case(
    "stop.before_commit", "linger", 1, "stop.before_commit=hold:1300@1;submit.contacts_locked=hold:300~1"
)
HUNTS: Mapping[str, Hunt] = {
    "M1": Hunt((Case("call.after_write", "kill", 1), Case("call.after_answer", "kill", 3))),
    "M2": Hunt((Case("call.after_write", "kill", 1), Case("call.after_write", "kill", 3))),
    "M2b": Hunt((Case("call.after_write", "kill", 1), Case("call.after_write", "kill", 3))),
    "M3": Hunt((Case("record.after_commit", "raise", 3),) * 2, profile="gateway"),
    "M4": Hunt((SUBMIT_WAITS_FOR_STOP,) * 5, profile="all"),
    "M4b": Hunt((SUBMIT_WAITS_FOR_STOP,) * 5, profile="all"),
    "M5": Hunt((STOP_MEETS_SUBMIT,) * 4, profile="all"),
    "M6": Hunt((lingering("stop.locked", 200, 1, 2, 3), lingering("inbound.before_commit", 200, 1, 2, 3)) * 2),
    "M7": Hunt((Case("launch.between_ranges", "raise", 1),) * 3, profile="calm"),
    "M8": Hunt(_slept("call.after_answer"), profile="freeze"),
    "M9": Hunt((cases.SCENES["scene.nameless"],) * 2, dialect="twilio"),
    "M10": Hunt((Case("batch.rendered", "kill", 1), Case("batch.rendered", "kill", 3)), rule="stuck"),
    "M11": Hunt(_slept("batch.rendered")),
    "M12": Hunt((cases.SCENES["scene.unreadable"],) * 3),
    "M13": Hunt(_slept("submit.after_commit"), profile="freeze"),
    "M13b": Hunt(_slept("submit.after_commit"), profile="freeze"),
    "M13c": Hunt(_slept("call.before_write"), profile="freeze"),
    "M13d": Hunt(tests=("tests/test_supervisor.py::test_a_worker_frozen_in_a_batch_is_killed",)),
    "M14": Hunt((Case("launch.between_ranges", "raise", 1),), profile="calm"),
    "M15": Hunt((cases.SCENES["scene.overtaken"],) * 3),
    "M16": Hunt((cases.SCENES["scene.clock"],) * 3),
    "M16b": Hunt((cases.SCENES["scene.overtaken"],) * 3),
    "M17": Hunt((cases.SCENES["scene.late_log"],) * 3),
    "M18": Hunt(
        tests=(
            "tests/test_sending_review.py::test_a_row_with_an_open_outcome_is_parked_where_another_would_be_skipped",
        )
    ),
    "M19": Hunt((cases.SCENES["scene.crossing"],) * 3),
    "M20": Hunt((Case("record.after_commit", "raise", 3),) * 2, profile="gateway"),
}


@dataclass(frozen=True, slots=True)
class Bitten:
    mutant: str
    says: str
    by: str  # "" where nobody found it
    what: str
    seconds: float


def hunt(name: str, *, template: Path, folder: Path, seconds: float, seeds: int) -> Bitten:
    mutant, begun = sources.read(name), time.monotonic()
    wanted = HUNTS.get(name, Hunt(profile="all"))
    by, what = _tests(name, wanted, folder=folder / name)
    if not by:
        by, what = _sweep(name, wanted, template=template, folder=folder / name)
    if not by and wanted.profile:
        by, what = _runs(name, wanted, template=template, seconds=seconds, seeds=seeds)
    return Bitten(name, mutant.says, by, what, round(time.monotonic() - begun, 1))


def _tests(name: str, wanted: Hunt, *, folder: Path) -> tuple[str, str]:
    """On SQLite, in a copy of the code; each of them passes without the mutant."""
    if not wanted.tests:
        return "", ""
    folder.mkdir(parents=True)
    root = sources.tree(folder, (name,))
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *wanted.tests]
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"} | {
        "PYTHONPATH": str(root)
    }
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    if done.returncode != 1 or not failed:
        return "", ""
    return "test", failed[0].removeprefix("FAILED ")[:140]


def _is_find(what: str, *, rule: str) -> bool:
    if rule and what.startswith(rule):
        return True
    return not what.startswith(("never reached", "Traceback", "stuck"))


def _sweep(name: str, wanted: Hunt, *, template: Path, folder: Path) -> tuple[str, str]:
    if not wanted.cases:
        return "", ""
    found = sweep.run(
        list(wanted.cases), dialect=wanted.dialect, jobs=1, mutants=(name,), template=template, folder=folder,
        until_broken=True,
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    # Not reaching the place, or a stage that falls over, is no find: another kind of harm is not what was planted.
    for result in found:
        real = [what for what in result.broken if _is_find(what, rule=wanted.rule)]
        if real:
            return f"sweep {result.case.title}", f"{len(real)} × {real[0].split(' ')[0]} {real[0][:90]}"
    return "", ""


def _runs(name: str, wanted: Hunt, *, template: Path, seconds: float, seeds: int) -> tuple[str, str]:
    for seed in range(1, seeds + 1):
        order = orders.Order(
            seed=str(seed), seconds=seconds, profile=wanted.profile, dialect=wanted.dialect, mutants=(name,),
            template=template,
        )  # fmt: skip
        told = running.run(order, say=lambda line: None)
        if "evidence" in told.line:
            shutil.rmtree(str(told.line["evidence"]), ignore_errors=True)
        if told.is_broken:
            return f"seed {seed}, {wanted.profile}", "; ".join(told.line["violations"])[:120]
    return "", ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="these, separated by commas")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each whole run")
    parser.add_argument("--seeds", type=int, default=3, help="of whole runs, where the sweep finds nothing")
    parser.add_argument("--template", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-bite-"))
    folder.chmod(0o711)
    try:
        template = given.template or postgres.prepare(folder / "prepared")
        bitten = []
        for name in sources.names():
            if given.only and name not in given.only.split(","):
                continue
            one = hunt(name, template=template, folder=folder, seconds=given.seconds, seeds=given.seeds)
            bitten.append(one)
            if not given.json:
                print(f"{one.mutant:5} {one.seconds:6.1f} s  {one.by or 'NOT FOUND':40} {one.what}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    missed = [one.mutant for one in bitten if not one.by]
    print(json.dumps({"mutants": len(bitten), "found": len(bitten) - len(missed), "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
