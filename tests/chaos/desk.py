"""The desk under chaos: its own database, proxies, two hosts with web and worker cluster, the carrier.

Everything listens on loopback, everything is ended by its id, whatever happens.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests import world
from tests.chaos import acts, postgres, processes, sources
from tests.chaos.orders import CLOCKS, DISK, LOG_LAG, Order

_OPTIONS = "-c idle_in_transaction_session_timeout=1500ms -c lock_timeout=2s -c statement_timeout=6s"


class Desk:
    """`open()`, then harm it, then `close()`."""

    def __init__(self, order: Order, folder: Path) -> None:
        self.order = order
        self.folder = folder
        self.source = sources.tree(folder, order.mutants)
        old = sources.revision(folder, order.old) if order.old else self.source
        self.code = [old] * order.hosts  # that each host runs
        self.is_migrated = not order.old
        self.has_road = any(name.startswith("road_") for name in order.harms)
        self.carrier_log = folder / "carrier.jsonl"
        self.failpoints_journal = folder / "failpoints.jsonl"
        self.port, self.carrier_port, self.database_port, self.road_port = (world.free_port() for _ in range(4))
        self.web_ports = [world.free_port() for _ in range(order.hosts)]
        self.server: postgres.Server | None = None
        self.hosts: list[subprocess.Popen[bytes] | None] = [None] * order.hosts
        self.carrier: subprocess.Popen[bytes] | None = None
        self.is_closing = False
        self.host_deaths = 0
        self._started: list[subprocess.Popen[bytes]] = []
        self._proxy: subprocess.Popen[bytes] | None = None
        self._road: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    # --- Opening -------------------------------------------------------------------------------------

    def open(self) -> dict[str, Any]:
        """Start everything; what the seed says of the people."""
        if self.order.database == "postgres":
            self.server = postgres.Server(
                self.folder / "pg", connections=self.order.connections,
                megabytes=DISK if "fill_disk" in self.order.harms else 0,
            )  # fmt: skip
            if self.order.template is not None and not self.order.old:
                self.server.copy_of(self.order.template)
                self.server.start()
            else:
                self.server.create()
        is_new = self.order.template is None or self.order.database == "sqlite" or self.order.old
        if is_new or sources.has_migrations(self.order.mutants):
            self.run("manage.py", "migrate", "--verbosity", "0", source=self.code[0])
        told = json.loads(
            self.run(
                "-m", "tests.chaos.seed",
                json.dumps(
                    {
                        "people": self.order.people, "dialect": self.order.dialect, "rates": self.order.rates,
                        "carrier": f"http://127.0.0.1:{self.road_port if self.has_road else self.carrier_port}",
                    }
                ),
                source=self.code[0],
            ).splitlines()[-1]
        )  # fmt: skip
        self._open_carrier(told)
        if self.server is not None:
            self._proxy = self._start_proxy(self.database_port, [self.server.port], name="database-proxy")
        self._start_proxy(self.port, self.web_ports, name="web-proxy")
        if self.has_road:
            self._road = self._start_proxy(self.road_port, [self.carrier_port], name="road")
        for number in range(self.order.hosts):
            self._start_host(number)
        world.wait_until(self._answers, seconds=60, what="a web process answers")
        return told

    def _open_carrier(self, told: dict[str, Any]) -> None:
        account = {
            "dialect": self.order.dialect, "name": "carrier", "credentials": world.CREDENTIALS[self.order.dialect],
            "senders": [sender["value"] for sender in told["senders"]],
            "inbound_url": f"{told['hooks']}inbound/", "answers_stop": False,
        }  # fmt: skip
        (self.folder / "accounts.json").write_text(json.dumps([account]))
        command = [
            "-m", "smsdesk.simulator", "--port", str(self.carrier_port), "--log", str(self.carrier_log),
            "--accounts", str(self.folder / "accounts.json"), "--seed", self.order.seed, "--no-magic-numbers",
            "--receipt-delay", "300", "--latency", "15",
        ]  # fmt: skip
        if self.order.faults:
            command += ["--lookup-lag", f"{LOG_LAG * 1000 * self.order.scale:.0f}"]
        for name, rate in self.order.faults.items():
            command += [f"--{name}", str(rate)]
        # The carrier is no part of what is tried: it is that of the checkout, whatever mutants the desk has.
        self.carrier = self._start("carrier", *command, cwd=world.ROOT)
        world.wait_until(
            lambda: acts.call(self.carrier_port, "GET", "/control/stats")[0] == 200, seconds=20, what="the carrier"
        )

    def _answers(self) -> bool:
        return all(acts.call(port, "GET", "/api/v1/me/")[0] not in (0, 502, 503) for port in self.web_ports)

    # --- Processes -----------------------------------------------------------------------------------

    def environment(self, *, direct: bool) -> dict[str, str]:
        """`direct`: past the proxy, which not everybody needs and not everything survives."""
        if self.server is not None:
            port = self.server.port if direct else self.database_port
            options = _OPTIONS.replace(" ", "%20").replace("=", "%3D")
            database = f"postgres://postgres@127.0.0.1:{port}/{postgres.NAME}?options={options}"
            if direct:
                database = self.server.url
        else:
            database = f"sqlite:///{self.folder / 'desk.sqlite3'}"
        return {
            **os.environ,
            "PYTHONPATH": str(self.source),
            "PYTHONDONTWRITEBYTECODE": "" if self.source == world.ROOT else "1",
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database,
            "SQLITE_SYNCHRONOUS": "FULL",
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "SIMULATOR_URL": f"http://127.0.0.1:{self.carrier_port}",
            "SMSDESK_TIME_SCALE": str(self.order.scale),
            "SMSDESK_WORKERS": str(self.order.workers),
            "SMSDESK_SENDING_THREADS": str(self.order.threads),
            "SMSDESK_DATA": str(self.folder),
            "LOG_LEVEL": "INFO",
        }

    def run(self, *command: str, source: Path | None = None) -> str:
        source = source or self.source
        if command[0] == "manage.py":
            command = (str(source / "manage.py"), *command[1:])
        environment = {**self.environment(direct=True), "PYTHONPATH": str(source)}
        done = subprocess.run(
            [sys.executable, *command], env=environment, cwd=source, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command[:3]} failed: {done.stderr[-2000:]}")
        return done.stdout

    def _start(self, name: str, *command: str, cwd: Path | None = None, **more: Any) -> subprocess.Popen[bytes]:
        environment = more.pop("env", None)
        if environment is None:
            environment = {**self.environment(direct=False), "PYTHONPATH": str(cwd or self.source)}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command], env=environment, cwd=cwd or self.source, start_new_session=True,
                **{"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL, **more},
            )  # fmt: skip
        self._started.append(process)
        return process

    def _start_proxy(self, listen: int, targets: list[int], *, name: str) -> subprocess.Popen[bytes]:
        command = ["-m", "tests.chaos.proxy", "--listen", str(listen), "--to", ",".join(map(str, targets))]
        process = self._start(name, *command, cwd=world.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()  # "ready"
        return process

    def _start_host(self, number: int) -> None:
        environment = {
            **self.environment(direct=False),
            "SMSDESK_CHAOS": "true",
            "SMSDESK_FAILPOINTS": self.order.armed,
            "SMSDESK_FAILPOINTS_JOURNAL": str(self.failpoints_journal),
        }
        path = [str(self.code[number])]
        if self.order.profile == "clock":
            environment["SMSDESK_CHAOS_CLOCK"] = str(CLOCKS[number % len(CLOCKS)])
            path.append(str(world.ROOT / "tests/chaos/wrong_clock"))
        environment["PYTHONPATH"] = os.pathsep.join(path)
        self.hosts[number] = self._start(
            f"host{number}",
            "-m",
            "tests.chaos.host",
            "--port",
            str(self.web_ports[number]),
            env=environment,
            cwd=self.code[number],
            stdin=subprocess.PIPE,
        )

    def host_pids(self) -> list[int]:
        with self._lock:
            return [host.pid for host in self.hosts if host is not None and host.poll() is None]

    def kill_host(self, number: int) -> None:
        """kill -9 of the supervisor alone: its undertaker ends what it leaves."""
        with self._lock:
            host = self.hosts[number % len(self.hosts)]
            if host is not None and host.poll() is None:
                host.kill()

    def deploy(self, number: int) -> float:
        """Its supervisor is told to end, and is started again with the other code; seconds until it had ended.

        The first one brings the tables up to date, while both hosts send.
        """
        if not self.is_migrated:
            self.migrate()
        number %= len(self.hosts)
        begun = time.monotonic()
        with self._lock:
            host = self.hosts[number]
            if host is None:
                return 0.0
            host.terminate()
            host.wait(60)
            seconds = time.monotonic() - begun
            if self.order.old:
                old = self.folder / "old"
                self.code[number] = self.source if self.code[number] == old else old
            self._start_host(number)
        world.wait_until(
            lambda: acts.call(self.web_ports[number], "GET", "/api/v1/me/")[0] not in (0, 502, 503), seconds=60,
            what="the host that was deployed",
        )  # fmt: skip
        return seconds

    def migrate(self) -> None:
        """As a deploy does it: again where a lock could not be had."""
        for left in reversed(range(10)):
            try:
                self.run("manage.py", "migrate", "--verbosity", "0")
                break
            except RuntimeError:
                if not left:
                    raise
        self.is_migrated = True

    def keep_hosts(self) -> None:
        """As systemd would: a host that ended is started again, and so is the database."""
        with self._lock:
            if self.server is not None and self.server.has_died() and not self.is_closing:
                self.server.make_room()
                self.restart_database(signal.SIGKILL)
            for number, host in enumerate(self.hosts):
                if host is not None and host.poll() is not None and not self.is_closing:
                    self.host_deaths += 1
                    self._start_host(number)

    # --- The database --------------------------------------------------------------------------------

    def database_proxy(self, command: str) -> None:
        if self._proxy is not None and self._proxy.stdin is not None:
            with contextlib.suppress(OSError):
                self._proxy.stdin.write(f"{command}\n".encode())
                self._proxy.stdin.flush()

    def road(self, command: str) -> None:
        """What becomes of the way between workers and carrier (`proxy.py`)."""
        if self._road is not None and self._road.stdin is not None:
            with contextlib.suppress(OSError):
                self._road.stdin.write(f"{command}\n".encode())
                self._road.stdin.flush()

    def fill_disk(self, seconds: float) -> bool:
        """No room on the database's volume for so long; what died of it is started again."""
        if self.server is None or not self.server.fill():
            return False
        time.sleep(seconds)
        self.server.make_room()
        return True

    def restart_database(self, number: signal.Signals) -> None:
        if self.server is not None:
            self.server.end(number)
            self.server.start()

    def cpu_seconds(self) -> dict[str, float]:
        """Seconds of processor time of what runs now, by role, ended children included."""
        tree = processes.trees(self.host_pids())
        groups = {
            "harness": [os.getpid()],
            "carrier": [self.carrier.pid] if self.carrier else [],
            "proxies": [p.pid for p in self._started if "tests.chaos.proxy" in p.args],
            "database": processes.descendants(self._server_pids()),
            "hosts": self.host_pids(), "web": tree.web + tree.web_workers,
            "clusters": tree.cluster + tree.sentinel + tree.helpers, "workers": tree.workers,
        }  # fmt: skip
        return {role: round(sum(map(processes.cpu_seconds, pids)), 1) for role, pids in groups.items()}

    def _server_pids(self) -> list[int]:
        return [self.server.process.pid] if self.server and self.server.process else []

    # --- Closing -------------------------------------------------------------------------------------

    def close_hosts(self) -> None:
        """SIGTERM to the supervisors, as a deploy does; whatever is left is killed, by its id."""
        with self._lock:
            self.is_closing = True
            hosts = [host for host in self.hosts if host is not None]
            left = processes.descendants([host.pid for host in hosts])
            for host in hosts:
                if host.poll() is None:
                    host.terminate()
            for host in hosts:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    host.wait(12)
            for pid in {*left, *self._strays(b"SMSDESK_CHAOS=true")}:
                processes.send(pid, signal.SIGKILL)
            for host in hosts:
                host.wait()

    def _strays(self, also: bytes = b"") -> list[int]:
        """Processes of this run whose parents were killed: they carry its folder in their environment."""
        marks = {f"SMSDESK_DATA={self.folder}".encode(), *filter(None, [also])}
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            pid = int(path.parent.name)
            with contextlib.suppress(OSError):
                if pid != os.getpid() and marks <= set(path.read_bytes().split(b"\0")):
                    found.append(pid)
        return found

    def close_carrier(self) -> None:
        if self.carrier is not None:
            world.end(self.carrier)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.close_hosts()
        for pid in self._strays():
            processes.send(pid, signal.SIGKILL)
        for process in reversed(self._started):
            with contextlib.suppress(Exception):
                if process.poll() is None:
                    process.kill()
                process.wait(5)
        if self.server is not None:
            with contextlib.suppress(Exception):
                self.server.close()
        time.sleep(0.05)
