"""Ends what a killed supervisor leaves behind: `python -m smsdesk.undertaker`, started by `smsdesk/supervisor.py`.

It reads `+<process group>` and `-<process group>` lines. At the end of its input, which comes however the
supervisor ended, the leaders that are left get SIGTERM, and SIGKILL goes to their groups ten seconds later.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE = 10.0  # seconds from SIGTERM to SIGKILL


def bury(groups: Iterable[int], *, grace: float = GRACE) -> None:
    """SIGTERM to each group's leader alone (a cluster's workers must finish their batch), SIGKILL to what stays."""
    left = set(groups)
    for group in left:
        with contextlib.suppress(OSError):
            os.kill(group, signal.SIGTERM)
    until = time.monotonic() + grace
    while left and time.monotonic() < until:
        left = {group for group in left if is_alive(group)}
        time.sleep(0.1)
    for group in left:
        kill(group)


def is_alive(group: int) -> bool:
    """Whether some process is in the group; permission denied means it is another's by now."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def kill(group: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    bury(groups)


if __name__ == "__main__":
    main()
