"""Which process is this, and is that other one still alive? Only the same host, or container, can tell."""

import gc
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path


def identity() -> str:
    """`place:pid:start`: names this process for as long as the machine runs, even when the pid is reused."""
    return _identity(os.getpid())


@contextmanager
def old_objects_uncollected() -> Iterator[None]:
    """Meanwhile the garbage collector leaves alone what lives now: code and models, hundreds of thousands.

    Where very many short-lived objects are made it looks through all of them again and again, which took a fifth
    of an import's time.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def threads_taking_short_turns() -> Iterator[None]:
    """Meanwhile a thread that computes lets others go on after 1 ms, not 5.

    Those have an answer of the database in hand and the next question ready, and it has nothing to do until then.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def is_gone(who: str) -> bool | None:
    """True: the process `who` names has ended; False: it lives; None: it is in another place, nobody can say."""
    place, _, rest = who.rpartition(":")[0].rpartition(":")
    start = who.rpartition(":")[2]
    if place != _place() or not rest.isdigit():
        return None
    return _started(int(rest)) != start


@lru_cache(maxsize=4)
def _identity(pid: int) -> str:
    return f"{_place()}:{pid}:{_started(pid)}"


@lru_cache(maxsize=1)
def _place() -> str:
    """Where a pid has a meaning: containers may share the name of their host, and each has a process 7."""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    try:  # machines made from one image may share a name, and the first namespace has one number everywhere
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        boot = ""
    return f"{socket.gethostname()[:60]}/{namespace}{boot and '/'}{boot}"


def _started(pid: int) -> str:
    """The start time of a live process in clock ticks since boot; "" when there is none (zombies count as gone)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _alive_without_proc(pid)
    return "" if fields[0] in "ZX" else fields[19]


def _alive_without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
