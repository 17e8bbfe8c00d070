"""A whole desk for a test or a benchmark: database of its own, web, worker cluster and carrier, all real processes.

Everything listens on loopback, ends with the test, and only processes started here are ever killed, by their ids.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from smsdesk.simulator import journal
from tests import migrated

# What the carrier's test accounts open with, by dialect.
CREDENTIALS = {
    "twilio": {"account_sid": "AC" + "0" * 32, "auth_token": "test-token"},
    "infobip": {"api_key": "test-key"},
}
ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(check: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """The first true answer of `check`; an AssertionError that names `what` when time is up.

    `seconds` are those of a good machine; others take three times as long.
    """
    until = time.monotonic() + 3 * seconds
    while time.monotonic() < until:
        answer = check()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class World:
    """Start what you need: `migrate()` first, then `simulator()`, `web()`, `cluster()`; `close()` ends it all."""

    def __init__(self, folder: Path, *, database_url: str = "", time_scale: float = 1.0, workers: int = 3) -> None:
        self.folder = folder
        self.log_file = folder / "carrier.jsonl"
        self.accounts_file = folder / "accounts.json"
        self._own_postgres = ""
        if database_url.startswith("postgres"):
            database_url = self._own_postgres = f"{database_url.rpartition('/')[0]}/smsdesk_{uuid.uuid4().hex[:10]}"
        self.web_port, self.simulator_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.web_port}"
        self.simulator_url = f"http://127.0.0.1:{self.simulator_port}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url or f"sqlite:///{folder / 'desk.sqlite3'}",
            "PUBLIC_URL": self.url,
            "SIMULATOR_URL": self.simulator_url,
            "SMSDESK_TIME_SCALE": str(time_scale),
            "SMSDESK_WORKERS": str(workers),
            "SMSDESK_DATA": str(folder),
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    # --- Processes -----------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Make the desk's database, unless it has been."""
        if self._own_postgres:
            migrated.create_database(self._own_postgres)
        else:
            path = Path(self.environment["DATABASE_URL"].removeprefix("sqlite:///"))
            migrated.copy_file(path)

    def migrate_others(self) -> None:
        """Make a database for other settings than smsdesk's."""
        if self._own_postgres:
            migrated.create_empty(self._own_postgres)
        self.manage("migrate", "--run-syncdb", "--verbosity", "0")

    def simulator(self, *options: str) -> subprocess.Popen[bytes]:
        process = self.start(
            "carrier", "-m", "smsdesk.simulator", "--port", str(self.simulator_port), "--desk", self.url,
            "--accounts", str(self.accounts_file), "--log", str(self.log_file), *options,
        )  # fmt: skip
        wait_until(lambda: self.answers(self.simulator_url + "/control/stats"), seconds=20, what="the carrier")
        return process

    def web(self, *, processes: int = 1) -> subprocess.Popen[bytes]:
        process = self.start(
            "web", "-m", "gunicorn", "smsdesk.wsgi:application", "--bind", f"127.0.0.1:{self.web_port}",
            "--worker-class", "gthread", "--workers", str(processes), "--threads", "8", "--no-control-socket",
        )  # fmt: skip
        wait_until(lambda: self.answers(self.url + "/admin/login/"), seconds=30, what="the web process")
        return process

    def cluster(self) -> subprocess.Popen[bytes]:
        return self.start("cluster", str(ROOT / "manage.py"), "qcluster")

    def manage(self, *arguments: str) -> str:
        return self._run(str(ROOT / "manage.py"), *arguments)

    def python(self, module: str, *arguments: str) -> Any:
        """Run a module against this desk's database; what it prints last, read as JSON."""
        return json.loads(self._run("-m", module, *arguments).strip().splitlines()[-1])

    def close(self) -> None:
        for process in reversed(self.processes):
            end(process)
        if self._own_postgres:
            import psycopg

            with psycopg.connect(self._own_postgres.rpartition("/")[0] + "/postgres", autocommit=True) as admin:
                admin.execute(f'DROP DATABASE IF EXISTS "{self._own_postgres.rpartition("/")[2]}" WITH (FORCE)')
        os.environ.get("SMSDESK_KEEP") or shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        output = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, *command],
            env=self.environment,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        output.close()
        self.processes.append(process)
        return process

    def _run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], env={**self.environment, **environment}, cwd=ROOT, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def answers(self, url: str) -> bool:
        for process in self.processes:
            if process.poll() is not None:
                names = [path.name for path in self.folder.glob("*.log")]
                texts = "".join((self.folder / name).read_text(errors="replace")[-2000:] for name in names)
                raise AssertionError(f"a process ended early ({process.args}): {texts}")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status < 500)
        return False

    # --- What the carrier saw ------------------------------------------------------------------------

    def carrier_log(self, kind: str) -> list[dict[str, Any]]:
        """The lines of one kind ("seen", "accepted", "answered", "receipt", "inbound") of the carrier's own log."""
        return list(journal.read(self.log_file, kind=kind))

    def text(self, *, phone: str, sender: str, text: str) -> dict[str, Any]:
        """Somebody texts us; returns the carrier's note of our answer ({"status", "seconds", …})."""
        answer = self.post_json(
            self.simulator_url + "/control/inbound", {"from": phone, "sender": sender, "to": sender, "text": text}
        )
        return answer

    def post_json(self, url: str, body: Mapping[str, Any], *, headers: Mapping[str, str] = {}) -> dict[str, Any]:
        request = urllib.request.Request(
            url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=90) as answer:
            return dict(json.loads(answer.read()))


def end_when_asked() -> None:
    """For a main program: SIGTERM ends it like Ctrl-C, so that what it started ends with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def end(process: subprocess.Popen[bytes], *, seconds: float = 12) -> None:
    """SIGTERM to the process itself, then SIGKILL to its whole group, which is its own session."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of the process and everything it started, which is its own session."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Pids of all living processes in the group of `process`, itself first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == process.pid and fields[0] != "Z":
                found.append(int(path.parent.name))
    return sorted(found)


@contextlib.contextmanager
def world(folder: Path, **options: Any) -> Iterator[World]:
    made = World(folder, **options)
    try:
        yield made
    finally:
        made.close()
