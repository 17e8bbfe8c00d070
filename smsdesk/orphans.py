"""No process of a cluster outlives the one that looks after it.

django-q2's guard and its children keep working when their parent is killed, beside the cluster that replaces them.
The kernel ends guard, pusher and monitor with their parent; a worker finishes what it has in hand and leaves. On
systems without that wish to the kernel (not Linux) only workers leave.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Any

import structlog
from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

log = structlog.get_logger(__name__)

LOOK = 0.5  # seconds between two looks of a worker at its parent
PATIENCE = 25.0  # seconds for what it has in hand: longer than any batch
_PR_SET_PDEATHSIG = 1
_busy = threading.Event()


def guard_children() -> None:
    """From now on what this process forks, and what that forks, ends with its parent."""
    parent = os.getpid()

    def born() -> None:
        nonlocal parent
        _end_with_parent(signal.SIGKILL)
        if os.getppid() != parent:  # it was killed before the kernel had heard our wish
            os._exit(1)
        parent = os.getpid()

    os.register_at_fork(after_in_child=born)
    post_spawn.connect(_worker_is_born, dispatch_uid="orphans")
    pre_execute.connect(_task_begins, dispatch_uid="orphans")
    post_execute_in_worker.connect(_task_ended, dispatch_uid="orphans")


def _worker_is_born(**_: Any) -> None:
    _end_with_parent(0)  # a batch in hand is worth more than a quick end
    _busy.clear()
    threading.Thread(target=_leave_when_orphaned, args=(os.getppid(),), name="orphans", daemon=True).start()


def _task_begins(**_: Any) -> None:
    _busy.set()


def _task_ended(**_: Any) -> None:
    _busy.clear()


def _leave_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK)
    until = time.monotonic() + PATIENCE
    while _busy.is_set() and time.monotonic() < until:
        time.sleep(0.05)
    log.warning("orphan_left", was_busy=_busy.is_set())
    os._exit(1)


def _end_with_parent(number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
