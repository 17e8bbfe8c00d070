"""What a gateway said while the database was away: on disk before it is acknowledged, until it is in the database.

Files of lines in `SMSDESK_DATA/spool`, one file for each process, sealed with the credentials' key and readable by
this user only. A line is on the disk when `keep` returns. What can never be read or stored is set aside, not lost.
"""

import contextlib
import fcntl
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from smsdesk import sealing
from smsdesk.errors import DomainError
from smsdesk.gateways.contract import HookEvents, InboundText, Receipt
from smsdesk.gateways.errors import ErrorClass

log = structlog.get_logger(__name__)

_BOUND = "spool "
_WAITING, _ASIDE = "*.waiting", "set-aside"


@dataclass(frozen=True, slots=True)
class Kept:
    """One webhook that was verified, and when it came."""

    account: UUID
    events: HookEvents
    at: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """How much is in the spool: bytes that wait, entries that nobody could store."""

    waiting: int
    set_aside: int


class Full(OSError):
    """The spool holds as much as it may."""


class _File:
    """This process's own file. Threads write one after the other and share their fsyncs."""

    def __init__(self) -> None:
        self._write, self._sync = threading.Lock(), threading.Lock()
        self._number = -1
        self._end = self._synced = 0

    def append(self, line: bytes) -> None:
        with self._write:
            if self._number < 0:
                self._open()
            number = self._number
            try:
                if os.write(number, line) != len(line):
                    raise OSError("the disk took a part only")
            except OSError:
                os.ftruncate(number, self._end)  # half a line would make the next one unreadable
                raise
            self._end = end = self._end + len(line)
        with self._sync:
            if self._number != number or self._synced >= end:
                return  # somebody else's fsync, or that of `close`, has covered it
            reached = self._end
            os.fsync(number)
            self._synced = reached

    def close(self) -> None:
        """Nobody writes to it any more: it may be replayed."""
        with self._write, self._sync:
            if self._number >= 0:
                os.fsync(self._number)
                os.close(self._number)
                self._number = -1

    def _open(self) -> None:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        name = folder() / uuid.uuid4().hex
        self._number = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        # Locked as long as this process may write to it, and before anybody who replays can see it.
        fcntl.flock(self._number, fcntl.LOCK_EX)
        name.rename(name.with_suffix(".waiting"))
        _fsync_folder()
        self._end = self._synced = 0


_own = _File()


def folder() -> Path:
    return Path(settings.DATA_DIR) / "spool"


def keep(account: UUID, events: HookEvents, *, now: datetime) -> None:
    """On disk when this returns; raises `OSError` (`Full`) where it cannot be."""
    line = _line(Kept(account, events, now))
    if content().waiting + len(line) > settings.SPOOL_MB * 1_000_000:
        raise Full(f"the spool holds {settings.SPOOL_MB} MB already")
    _own.append(line)


def content() -> Content:
    return Content(waiting=sum(map(_size, folder().glob(_WAITING))), set_aside=_lines(folder() / _ASIDE))


def is_empty() -> bool:
    return next(folder().glob(_WAITING), None) is None


def replay(store: Callable[[Kept], None], *, given_up: tuple[type[Exception], ...]) -> int:
    """Hand every entry to `store`, which must not mind seeing one twice. How many it took.

    An entry that `store` refuses with one of `given_up` is set aside; any other error ends the replay, and all of
    that file comes again. Files another process still writes to are left to it.
    """
    _own.close()
    taken = 0
    for path in sorted(folder().glob(_WAITING)):
        with _alone(path) as lines:
            for line in lines:
                taken += _replay_line(line, store, given_up=given_up)
            if lines:
                path.unlink(missing_ok=True)
    return taken


def _replay_line(line: bytes, store: Callable[[Kept], None], *, given_up: tuple[type[Exception], ...]) -> int:
    try:
        kept = _read(line)
    except (ValueError, KeyError, TypeError, DomainError) as unreadable:
        _set_aside(line, why=type(unreadable).__name__)
        return 0
    try:
        store(kept)
    except given_up as trouble:
        _set_aside(line, why=type(trouble).__name__)
        return 0
    return 1


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file nobody writes to or replays; none where somebody does."""
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError:
        yield []
        return
    with os.fdopen(number, "rb") as file:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield []
            return
        # A line that was cut off by a power failure was never acknowledged.
        yield [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")] or [b"\n"]


def _set_aside(line: bytes, *, why: str) -> None:
    if not line.strip():
        return
    log.error("spool_entry_set_aside", why=why)
    number = os.open(folder() / _ASIDE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(number, "ab") as file:
        file.write(line)
        file.flush()
        os.fsync(number)


def _fsync_folder() -> None:
    number = os.open(folder(), os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # replayed meanwhile


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


# --- A line -----------------------------------------------------------------------------------------------


def _line(kept: Kept) -> bytes:
    said = json.dumps(
        {
            "at": kept.at.isoformat(),
            "receipts": [asdict(one) for one in kept.events.receipts],
            "inbound": [asdict(one) for one in kept.events.inbound],
        },
        default=_plain,
    )
    return f"{kept.account.hex} {sealing.seal({'said': said}, bound_to=_BOUND + kept.account.hex)}\n".encode()


def _read(line: bytes) -> Kept:
    account, sealed = line.decode("ascii").split()
    said = json.loads(sealing.unseal(sealed, bound_to=_BOUND + account)["said"])
    receipts = tuple(Receipt(**_typed(Receipt, one)) for one in said["receipts"])
    inbound = tuple(InboundText(**_typed(InboundText, one)) for one in said["inbound"])
    return Kept(UUID(hex=account), HookEvents(receipts, inbound), datetime.fromisoformat(said["at"]))


def _typed(kind: type[Receipt] | type[InboundText], said: dict[str, Any]) -> dict[str, Any]:
    """What JSON made plain, as it was; fields of another version of this code are left out."""
    known = {field.name for field in fields(kind)}
    values = {name: value for name, value in said.items() if name in known}
    if values.get("at"):
        values["at"] = datetime.fromisoformat(values["at"])
    if values.get("reference"):
        values["reference"] = UUID(values["reference"])
    if values.get("error_class"):
        values["error_class"] = ErrorClass(values["error_class"])
    return values


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
