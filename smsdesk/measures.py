"""How long webhooks took, counted by every web process of this host into a file of its own and added up when asked.

Shared memory instead of the database: counting must cost nothing, and go on while the database is away. A file
is a row of 64-bit counters; files of processes that have ended are added into one.
"""

import contextlib
import mmap
import os
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from django.conf import settings

from smsdesk import processes

# Upper bounds of the histogram in seconds; a STOP may wait eight seconds, and carriers wait ten to fifteen.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
KINDS = ("status", "inbound", "other")
CLASSES = ("2xx", "4xx", "5xx")
_PER_KIND = len(BOUNDS) + 1 + 1 + len(CLASSES)  # buckets, above all of them, microseconds, answers by class
_SLOTS = _PER_KIND * len(KINDS)
_SIZE = 8 * _SLOTS
_ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Of one kind: requests by bucket (the last one is above all bounds), their seconds, answers by class."""

    buckets: tuple[int, ...]
    seconds: float
    answers: dict[str, int]


class _Own:
    """This process's file, made when it first counts: after a fork the child has one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._map: mmap.mmap | bytearray = bytearray(_SIZE)

    def add(self, *changes: tuple[int, int]) -> None:
        with self._lock:
            if self._pid != os.getpid():
                self._map, self._pid = _open(), os.getpid()
            for slot, count in changes:
                (before,) = struct.unpack_from("<Q", self._map, 8 * slot)
                struct.pack_into("<Q", self._map, 8 * slot, before + count)


_own = _Own()


def observe(kind: str, *, status: int, seconds: float) -> None:
    """One webhook was answered."""
    start = _PER_KIND * KINDS.index(kind)
    bucket = next((place for place, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
    answer = len(BOUNDS) + 2 + (0 if status < 400 else 1 if status < 500 else 2)
    _own.add((start + bucket, 1), (start + len(BOUNDS) + 1, round(seconds * 1e6)), (start + answer, 1))


def webhooks() -> dict[str, Webhooks]:
    """By kind, of all web processes this host has had since its files were made."""
    sums = [sum(column) for column in zip(*_all(), strict=True)] or [0] * _SLOTS
    found = {}
    for place, kind in enumerate(KINDS):
        own = sums[_PER_KIND * place : _PER_KIND * (place + 1)]
        above = len(BOUNDS) + 1
        found[kind] = Webhooks(
            buckets=tuple(own[:above]),
            seconds=own[above] / 1e6,
            answers=dict(zip(CLASSES, own[above + 1 :], strict=True)),
        )
    return found


def folder() -> Path:
    return Path(settings.DATA_DIR) / "measures"


def _name() -> str:
    return quote(processes.identity(), safe=":")


def _open() -> mmap.mmap | bytearray:
    """A disk that takes no file is no reason not to answer a webhook: then nobody else sees the counts."""
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        _fold_ended()
        number = os.open(folder() / _name(), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(number, _SIZE)
            return mmap.mmap(number, _SIZE)
        finally:
            os.close(number)
    except OSError:
        return bytearray(_SIZE)


def _fold_ended() -> None:
    """Files of processes that have ended become one; who folds a file first takes it away by renaming it."""
    for path in list(folder().glob("*:*:*")):
        if processes.is_gone(unquote(path.name)):
            with contextlib.suppress(OSError):
                path.replace(folder() / f"{_ENDED}-{path.name.replace(':', '-')}")
    ended = sorted(folder().glob(f"{_ENDED}-*"))
    if len(ended) > 1:
        taken = []
        for path in ended:
            mine = path.with_name(f"folding-{os.getpid()}-{path.name}")
            with contextlib.suppress(OSError):
                path.replace(mine)
                taken.append(mine)
        rows = [row for path in taken if (row := _read(path))]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        if sums:
            beside = folder() / f"folded-{os.getpid()}"
            beside.write_bytes(struct.pack(f"<{_SLOTS}Q", *sums))
            beside.replace(folder() / f"{_ENDED}-{_name().replace(':', '-')}-sum")
        for path in taken:
            path.unlink(missing_ok=True)


def _all() -> Iterator[tuple[int, ...]]:
    for path in folder().glob("*"):
        if row := _read(path):
            yield row


def _read(path: Path) -> tuple[int, ...]:
    try:
        return struct.unpack(f"<{_SLOTS}Q", path.read_bytes())
    except (OSError, struct.error):
        return ()
