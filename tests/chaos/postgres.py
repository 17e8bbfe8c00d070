"""A PostgreSQL server of the run's own: durable, on a port of its own, crashed and started again at will."""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from tests.world import ROOT, free_port

NAME = "desk"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "log_min_error_statement": "panic",  # statements hold numbers and texts
    "logging_collector": "off",
    "autovacuum_naptime": "5s",
}


class CannotStart(Exception):
    """PostgreSQL is missing or does not start; the text says what was tried."""


class Server:
    """`url` speaks to the server itself; the desk is given the address of a proxy."""

    def __init__(self, folder: Path, *, connections: int = 120, megabytes: int = 0) -> None:
        """`megabytes`: the folder is a volume of its own, of this size."""
        self.folder = folder
        self._settings = {**_SETTINGS, "max_connections": str(connections)}
        self._megabytes = megabytes
        if megabytes:
            self._settings |= {"max_wal_size": "64MB", "min_wal_size": "32MB"}
            _mount(folder, megabytes)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder.parent / f"{folder.name}.log"

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{NAME}"

    def create(self) -> None:
        """An empty cluster with an empty database."""
        _own_folder(self.folder)
        _run("initdb", "-D", str(self.folder), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.start()
        with psycopg.connect(self.url.replace(f"/{NAME}", "/postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {NAME}")

    def copy_of(self, template: Path) -> None:
        _own_folder(self.folder)
        subprocess.run(["cp", "-a", f"{template}/.", str(self.folder)], check=True)

    def start(self, *, seconds: float = 30.0) -> None:
        """Ready to be asked; what is left of a killed server may need some tries."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._spawn()
            while self.process is not None and self.process.poll() is None and time.monotonic() < until:
                if self.answers():
                    return
                time.sleep(0.05)
            time.sleep(0.2)
        raise CannotStart(f"PostgreSQL does not start; see {self.log}.")

    def _spawn(self) -> None:
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        command = [binary("postgres"), "-D", str(self.folder), "-p", str(self.port), "-k", str(self.folder)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, **_as_owner()
            )

    def fill(self) -> bool:
        """No room is left on its volume until `make_room`."""
        with (self.folder / "ballast").open("ab", buffering=0) as ballast:
            for piece in (8_000_000, 64_000, 4_096):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(piece)) == piece:
                        pass
        return shutil.disk_usage(self.folder).free < 1_000_000

    def make_room(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def deadlocks(self) -> int:
        """Of rows, by its log; those of whole tables come from a migration, which waits for everybody."""
        told = self.log.read_text(errors="replace").split("deadlock detected")[1:]
        return sum("AccessExclusiveLock on relation" not in one[:1_000] for one in told)

    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def close(self) -> None:
        """Crash it, and give its volume back."""
        self.end(signal.SIGQUIT)
        if self._megabytes:
            subprocess.run(["umount", str(self.folder)], check=False, capture_output=True)

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as problem:
            return "does not exist" in str(problem)
        return True

    def end(self, number: signal.Signals = signal.SIGINT, *, seconds: float = 20.0) -> None:
        """SIGINT is fast, SIGQUIT immediate, SIGKILL a crash of the main process."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        # Its backends see that their parent is gone and end; until then no other may start on the folder.
        time.sleep(0.1)
        for pid in _group(self.process.pid):
            try:
                os.kill(pid, signal.SIGQUIT)
            except ProcessLookupError:
                continue
        self.process = None


def _mount(folder: Path, megabytes: int) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "smsdesk-chaos", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotStart(f"A small volume for the database needs root: {done.stderr.strip()[:200]}")


def prepare(folder: Path) -> Path:
    """A migrated cluster that runs copy, at rest."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    server = Server(folder / "template")
    server.create()
    try:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": server.url}
        command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"]
        subprocess.run(command, env=environment, cwd=ROOT, check=True)
    finally:
        server.end()
    return server.folder


def binary(name: str) -> str:
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}")) or [shutil.which(name) or ""]
    if not found[-1]:
        raise CannotStart(f"{name} was not found. Install PostgreSQL (Debian: apt install postgresql).")
    return found[-1]


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run([binary(name), *arguments], capture_output=True, text=True, check=False, **_as_owner())
    if done.returncode:
        raise CannotStart(f"{name} failed: {done.stderr.strip()[-400:]}")


def _as_owner() -> dict[str, object]:
    """PostgreSQL refuses root: there it runs as its own account, which its package has made."""
    if os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "extra_groups": [], "cwd": "/"}


def _own_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)


def _group(pgid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == pgid:  # the session: backends make groups of their own
            found.append(int(path.parent.name))
    return found
