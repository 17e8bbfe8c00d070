"""Every failpoint, one at a time: `python -m tests.chaos.sweep [--only submit.] [--core] [--json]`.

Each name × {kill, raise, sleep past the lease} × {first, later hit} is a small case of its own: a campaign of sixty
people in three batches, three of whom say STOP while the shop sends to them. It is judged by the same judge as a
chaos run. A name that is never reached fails too. It finds the narrow places that random killing rarely meets.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests import world
from tests.chaos import acts, judge, postgres, sources
from tests.chaos.cases import ACTIONS, SCALE, Case, cases
from tests.chaos.evidence import Database, collect

SECONDS = 40.0  # a case at the longest; most take four


@dataclass(slots=True)
class Result:
    case: Case
    seconds: float
    broken: list[str] = field(default_factory=list)
    met: set[str] = field(default_factory=set)


class Ended(Exception):
    """The stage's process is no more."""


class Sweep:
    """One PostgreSQL server and one carrier for all stages; a database and an account for each."""

    def __init__(self, folder: Path, *, dialect: str, mutants: tuple[str, ...], template: Path | None) -> None:
        self.folder, self.dialect, self.template = folder, dialect, template
        self.source = sources.tree(folder, mutants)
        self.mutants = mutants
        self.server = postgres.Server(folder / "pg")
        self.carrier_port = world.free_port()
        self.carrier_log = folder / "carrier.jsonl"
        self.stages: list[_Stage] = []
        self._processes: list[subprocess.Popen[Any]] = []

    def open(self, stages: int) -> None:
        if self.template is not None:
            self.server.copy_of(self.template)
            self.server.start()
        else:
            self.server.create()
        if self.template is None or sources.has_migrations(self.mutants):
            self._manage("migrate", "--verbosity", "0")
        (self.folder / "accounts.json").write_text("[]")
        self._open_carrier()
        self.stages = [_Stage(self, number) for number in range(stages)]
        accounts = [stage.open() for stage in self.stages]
        (self.folder / "accounts.json").write_text(json.dumps(accounts))
        time.sleep(0.7)  # the carrier reads it twice a second

    def _open_carrier(self) -> None:
        command = [
            sys.executable, "-m", "smsdesk.simulator", "--port", str(self.carrier_port), "--log",
            str(self.carrier_log), "--accounts", str(self.folder / "accounts.json"),
            "--receipt-delay", "4000", "--latency", "5", "--rate-duplicate-inbound", "0.3",
        ]  # fmt: skip
        with (self.folder / "carrier.log").open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": str(world.ROOT)}
            self._processes.append(
                subprocess.Popen(
                    command, cwd=world.ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
                )
            )
        is_up = lambda: acts.call(self.carrier_port, "GET", "/control/stats")[0] == 200  # noqa: E731
        world.wait_until(is_up, seconds=20, what="the carrier")

    def environment(self, database: str) -> dict[str, str]:
        options = "-c%20idle_in_transaction_session_timeout%3D1500ms"
        return {
            **os.environ,
            "PYTHONPATH": str(self.source),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": f"{self.server.url.rpartition('/')[0]}/{database}?options={options}",
            "PUBLIC_URL": "http://127.0.0.1:1",  # each stage has its own
            "SMSDESK_TIME_SCALE": str(SCALE),
            "SMSDESK_WORKERS": "3",
            "SMSDESK_SENDING_THREADS": "2",
            "SMSDESK_DATA": str(self.folder),
            "SMSDESK_CHAOS": "true",
            "LOG_LEVEL": "INFO",
        }

    def _manage(self, *arguments: str) -> None:
        command = [sys.executable, str(self.source / "manage.py"), *arguments]
        subprocess.run(command, env=self.environment(postgres.NAME), cwd=self.source, check=True)

    def run(self, wanted: list[Case]) -> Iterator[Result]:
        """The cases' results as they come; each stage takes the next one when it is done."""
        waiting = iter(wanted)
        results: list[Result] = []
        lock = threading.Lock()
        told = threading.Condition()

        def play(stage: "_Stage") -> None:
            while True:
                with lock:
                    case = next(waiting, None)
                if case is None:
                    return
                try:
                    result = stage.play(case)
                except Ended as ended:
                    result = Result(case, 0.0, [f"Traceback: {ended}"])
                with told:
                    results.append(result)
                    told.notify()

        threads = [threading.Thread(target=play, args=(stage,), daemon=True) for stage in self.stages]
        for thread in threads:
            thread.start()
        for _ in wanted:
            with told:
                told.wait_for(lambda: results or not any(t.is_alive() for t in threads))
                if not results:
                    return
                result = results.pop(0)
            yield result

    def close(self) -> None:
        for stage in self.stages:
            stage.close()
        for process in self._processes:
            process.kill()
            process.wait()
        self.server.end()


class _Stage:
    def __init__(self, sweep: Sweep, number: int) -> None:
        self.sweep, self.number = sweep, number
        self.database = f"stage_{number}"
        self.web_port = world.free_port()
        self.journal = sweep.folder / f"acts-{number}.jsonl"
        self.folder = sweep.folder / f"stage-{number}"
        self.folder.mkdir()
        self.process: subprocess.Popen[str] | None = None

    @property
    def credentials(self) -> dict[str, str]:
        if self.sweep.dialect == "infobip":
            return {"api_key": f"test-key-{self.number}"}
        return {"account_sid": f"AC{self.number:032}", "auth_token": f"test-token-{self.number}"}

    def open(self) -> dict[str, Any]:
        """Start it; the carrier's account for it."""
        base = self.sweep.server.url.rpartition("/")[0]
        with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {self.database} TEMPLATE {postgres.NAME}")
        environment = {**self.sweep.environment(self.database), "PUBLIC_URL": f"http://127.0.0.1:{self.web_port}"}
        with (self.folder / "stage.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.stage"], cwd=self.sweep.source, env=environment, stderr=log,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip
        order = {
            "name": f"stage {self.number}", "dialect": self.sweep.dialect, "carrier": self.sweep.carrier_port,
            "web": self.web_port, "folder": str(self.folder), "journal": str(self.journal),
            "credentials": self.credentials, "first_number": 100_000 * (self.number + 1),
        }  # fmt: skip
        told = self._ask(order)
        return {
            "dialect": self.sweep.dialect, "name": told["account"], "credentials": self.credentials,
            "inbound_url": f"{told['hooks']}inbound/", "answers_stop": False,
        }  # fmt: skip

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if self.process.stdin.closed or self.process.poll() is not None:
            raise Ended("the stage is closed")
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except (OSError, ValueError) as problem:  # closed at this very moment
            raise Ended("the stage is closed") from problem
        for line in self.process.stdout:
            if line.startswith("@"):
                return dict(json.loads(line[1:]))
        raise Ended(f"the stage ended; see {self.folder / 'stage.log'}")

    def play(self, case: Case) -> Result:
        told = self._ask({"name": case.name, "spec": case.spec, "faults": case.faults, "seconds": SECONDS})
        if "broken" in told:
            return Result(case, 0.0, [told["broken"]])
        result = Result(case, told["seconds"], met=set(told["met"]))
        action = "scene" if case.action == "scene" else ACTIONS.get(case.action, "hold").partition(":")[0]
        if f"{case.name}={action}" not in told["fired"]:
            result.broken.append(f"never reached; met were {', '.join(told['met'])}")
        verdict = judge.judge(self._evidence(told))
        result.broken += [f"{v.rule}: {v.what} {' '.join(v.references)}" for v in verdict.violations]
        if told.get("state", "finished") != "finished":
            result.broken.append(f"the import is {told['state']}")
        return result

    def _evidence(self, told: dict[str, Any]) -> Any:
        database = Database(url=f"{self.sweep.server.url.rpartition('/')[0]}/{self.database}")
        self._wait_for_the_carrier(set(told["phones"]))
        evidence = collect(
            database, carrier_log=self.sweep.carrier_log, journal_file=self.journal,
            rates=told["rates"], scale=SCALE, is_lookup_exact=self.sweep.dialect == "infobip",
        )  # fmt: skip
        phones = set(told["phones"])
        evidence.carrier = [
            line for line in evidence.carrier
            if judge.number(str(line.get("to", ""))) in phones or judge.number(str(line.get("from", ""))) in phones
        ]  # fmt: skip
        evidence.acts = [act for act in evidence.acts if act["t"] >= told["begun"]]
        evidence.rows = [row for row in evidence.rows if row.phone in phones]
        evidence.campaigns = {
            name: state for name, state in evidence.campaigns.items() if name in told["campaigns"]
        }
        own = {line["gateway_id"] for line in evidence.carrier if line["kind"] == "inbound"}
        evidence.inbound = Counter({key: count for key, count in evidence.inbound.items() if key in own})
        evidence.most_submitting = told.get("most_submitting", {})
        evidence.deadlocks = told["deadlocks"]
        evidence.people = {f"List {name}": group for name, group in told["people"].items()}
        return evidence

    def _wait_for_the_carrier(self, phones: set[str]) -> None:
        """Its log is written twenty times a second."""
        time.sleep(0.12)

    def close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait()


def run(
    wanted: list[Case], *, dialect: str, jobs: int, mutants: tuple[str, ...] = (), template: Path | None = None,
    folder: Path | None = None, until_broken: bool = False, say: Any = None,
) -> list[Result]:  # fmt: skip
    is_kept = folder is not None
    folder = folder or Path(tempfile.mkdtemp(prefix="smsdesk-sweep-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    sweep = Sweep(folder, dialect=dialect, mutants=mutants, template=template)
    results = []
    try:
        sweep.open(jobs)
        for result in sweep.run(wanted):
            results.append(result)
            if say is not None:
                say(result)
            if until_broken and result.broken:
                break
    finally:
        sweep.close()
        if not is_kept and not any(result.broken for result in results):
            shutil.rmtree(folder, ignore_errors=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names that begin so")
    parser.add_argument("--core", action="store_true", help="the few cases every change must pass")
    parser.add_argument("--dialect", choices=("infobip", "twilio"), default="infobip")
    parser.add_argument("--jobs", type=int, default=2, help="cases at once")
    parser.add_argument("--mutant", action="append", default=[])
    parser.add_argument("--template", type=Path, help="a prepared PostgreSQL folder")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true", help="nothing but one line of JSON")
    given = parser.parse_args()
    begun = time.monotonic()

    def say(result: Result) -> None:
        if not given.json:
            word = "ok" if not result.broken else "BROKEN " + "; ".join(result.broken)[:600]
            print(f"{result.case.title:36} {result.seconds:5.1f} s  {word}", flush=True)

    wanted = cases(only=given.only, core=given.core)
    results = run(
        wanted, dialect=given.dialect, jobs=given.jobs, mutants=tuple(given.mutant), template=given.template,
        folder=given.folder, say=say,
    )  # fmt: skip
    broken = [result for result in results if result.broken]
    reached = {result.case.name for result in results if "never reached" not in " ".join(result.broken)}
    told = {
        "cases": len(results),
        "of": len(wanted),
        "broken": len(broken),
        "names": len({case.name for case in wanted}),
        "names_reached": len(reached),
        "actions": sorted(ACTIONS),
        "dialect": given.dialect,
        "seconds": round(time.monotonic() - begun),
        "first_broken": [f"{r.case.title}: {r.broken[0][:300]}" for r in broken[:5]],
    }
    print(json.dumps(told))
    return 0 if not broken and len(results) == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
