"""Databases that are migrated once for the code as it is, and copied: migrating takes longer than most tests.

SQLite's copy lies in the folder for temporary files, PostgreSQL's is a database that `drop` takes away again.
"""

import contextlib
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "smsdesk_migrated_"


def copy_file(target: Path, *, migrate: Callable[[str], None]) -> None:
    """Put a migrated SQLite database at `target` where none is; `migrate` gets a URL, leaves nobody connected."""
    if target.exists():
        return
    with _only_one():
        kept = _folder() / f"{_code()}.sqlite3"
        if not kept.exists():
            fresh = kept.with_suffix(".new")
            for old in _folder().glob("*.sqlite3"):
                old.unlink()
            fresh.unlink(missing_ok=True)
            migrate(f"sqlite:///{fresh}")
            fresh.rename(kept)
    shutil.copyfile(kept, target)


def create_database(url: str, *, migrate: Callable[[str], None]) -> None:
    """Create the migrated PostgreSQL database that `url` names, where there is none."""
    server, _, name = url.rpartition("/")
    with _only_one(), _connected(server) as admin:
        kept = PREFIX + _code()
        there = {row[0] for row in admin.execute("SELECT datname FROM pg_database")}
        if name in there:
            return
        if kept not in there:
            drop(server)
            admin.execute(f'CREATE DATABASE "{kept}_new"')
            migrate(f"{server}/{kept}_new")
            admin.execute(f'ALTER DATABASE "{kept}_new" RENAME TO "{kept}"')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{kept}"')


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
