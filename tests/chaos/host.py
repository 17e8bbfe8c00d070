"""One host of the desk, as `runall` runs it: a web process and a worker cluster under the supervisor.

`python -m tests.chaos.host --port P`, in the desk's environment. All its times are scaled with the protocol's, and
so is the minute tick, which django-q2 cannot run more often than once a minute.
"""

import argparse
import os
import signal
import sys
import threading
import time
from dataclasses import replace

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import DatabaseError, InterfaceError, connection  # noqa: E402

from smsdesk import supervisor  # noqa: E402
from smsdesk.management import desk_processes  # noqa: E402

TICK = 60.0


def main(port: int) -> int:
    scale = settings.TIME_SCALE
    supervisor.WATCH *= scale  # type: ignore[misc]
    supervisor.BRIEF *= scale  # type: ignore[misc]
    supervisor.LONGEST_WAIT = max(1.0, supervisor.LONGEST_WAIT * scale)  # type: ignore[misc]
    web = desk_processes.web(host="127.0.0.1", port=port)
    command = list(web.command)
    command[command.index("--workers") + 1] = "1"
    failpoints = {name: value for name, value in os.environ.items() if name != "SMSDESK_FAILPOINTS"}
    last_tick = time.monotonic()

    def watch(ran: float, group: int) -> str:
        nonlocal last_tick
        if time.monotonic() - last_tick > TICK * scale:
            last_tick = time.monotonic()
            try:
                desk_processes.wake()
            except (DatabaseError, InterfaceError):
                connection.close()
        return desk_processes.trouble_of_cluster(ran, group)

    cluster = replace(desk_processes.cluster(), watch=watch)
    # What freezes on purpose are workers; the web processes only write down where they have been.
    web = replace(web, command=command, is_restarted=True, environment={**failpoints, **_watching()})
    desk_processes.wake()
    connection.close()
    threading.Thread(target=_end_with_the_harness, daemon=True).start()
    return supervisor.Supervisor([web, cluster], say=lambda line: print(line, flush=True)).run()


def _end_with_the_harness() -> None:
    """However the harness ends, its end of our input closes."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _watching() -> dict[str, str]:
    return {"SMSDESK_FAILPOINTS": "*=watch"} if os.environ.get("SMSDESK_FAILPOINTS") else {}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    sys.exit(main(parser.parse_args().port))
