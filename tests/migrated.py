"""Databases that are migrated once for the code as it is, and copied: migrating takes longer than most tests.

SQLite's copy lies in the folder for temporary files, PostgreSQL's is a database that `drop` takes away again.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import django

from smsdesk.management.demo_home import Home

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "smsdesk_migrated_"


def copy_file(target: Path) -> None:
    """Put a migrated SQLite database at `target` where none is."""
    if not target.exists():
        shutil.copyfile(_file(), target)


def prepare_demo(folder: Path) -> None:
    """Put a demo's database, with nothing in it but its tables, into its folder; the demo seeds it as it starts."""
    home = Home(folder)
    home.enter()
    home.secrets()  # refused where a database is there without them
    copy_file(home.database)
    home.mark()
    home.leave()


def copy_to_memory(name: str) -> sqlite3.Connection:
    """Fill SQLite's database in memory that the URI `name` means; it lives while one of its connections is open."""
    memory = sqlite3.connect(name, uri=True)
    with contextlib.closing(sqlite3.connect(_file())) as kept:
        kept.backup(memory)
    return memory


def create_database(url: str) -> None:
    """Create the migrated PostgreSQL database that `url` names, where there is none."""
    server, _, name = url.rpartition("/")
    kept = template(server)
    with _connected(server) as admin:
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{kept}"')


def template(server: str) -> str:
    """The name of a migrated database on this PostgreSQL server, from which others are made."""
    kept = PREFIX + _code()
    with _only_one(), _connected(server) as admin:
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [kept]).fetchone():
            drop(server)
            admin.execute(f'CREATE DATABASE "{kept}_new"')
            _migrate(f"{server}/{kept}_new")
            admin.execute(f'ALTER DATABASE "{kept}_new" RENAME TO "{kept}"')
    return kept


def create_empty(url: str) -> None:
    server, _, name = url.rpartition("/")
    with _connected(server) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')


def drop(server: str) -> None:
    """Take away what was kept on a PostgreSQL server, of whatever code."""
    with _connected(server) as admin:
        names = admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX]).fetchall()
        for (name,) in names:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _file() -> Path:
    """A migrated SQLite database, not to be written to."""
    with _only_one():
        kept = _folder() / f"{_code()}.sqlite3"
        if not kept.exists():
            fresh = kept.with_suffix(".new")
            for old in _folder().glob("*.sqlite3"):
                old.unlink()
            fresh.unlink(missing_ok=True)
            _migrate(f"sqlite:///{fresh}")
            fresh.rename(kept)
    return kept


def _migrate(url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"migrate: {done.stdout}{done.stderr}"


@contextlib.contextmanager
def _connected(server: str) -> Iterator:
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        yield admin


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    with open(_folder() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / "smsdesk-migrated"
    folder.mkdir(exist_ok=True)
    return folder


@cache
def _code() -> str:
    """Changes with everything a migration may call."""
    told = hashlib.sha256(django.get_version().encode())
    for app in ("smsdesk", "contacts", "campaigns", "inbound"):
        for path in sorted((ROOT / app).rglob("*.py")):
            told.update(path.read_bytes())
    return told.hexdigest()[:16]
