"""How long a cluster in full flight takes to end when it is asked to, and what it leaves behind: nothing.

`python -m tests.benchmarks.shutdown --times 10 --json`: a campaign is being sent; SIGTERM to the main process; the
ledger is looked into; the next cluster is started.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests import world

ASK = (
    "import json; from django.db.models import Count; from campaigns.models import MessageInMotion as M; "
    "print(json.dumps(dict(M.objects.values_list('state').annotate(n=Count('pk')).order_by())))"
)
LAUNCH = (
    "from django.utils import timezone; from campaigns import lifecycle; from campaigns.models import Campaign; "
    "lifecycle.launch(Campaign.objects.get(), by=None, now=timezone.now())"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--rate", type=float, default=400.0)
    parser.add_argument("--latency", type=float, default=50.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-bench-"))
    with world.world(folder, database_url=os.environ.get("DATABASE_URL", "")) as desk:
        figures = measure(desk, options)
    print(json.dumps(figures) if options.json else figures)
    if figures["left_open"] or figures["longest_seconds"] >= 10 or figures["duplicates"]:
        sys.exit(1)


def measure(desk: world.World, options: argparse.Namespace) -> dict[str, object]:
    credentials = world.CREDENTIALS["twilio"]
    desk.accounts_file.write_text(json.dumps([{"dialect": "twilio", "name": "bench", "credentials": credentials}]))
    desk.migrate()
    order = {
        "people": options.messages, "dialect": "twilio", "carrier": desk.simulator_url, "rate": options.rate,
        "calls": 50,
    }  # fmt: skip
    desk.python("tests.benchmarks.people", json.dumps(order))
    desk.simulator(
        "--no-receipts", "--no-magic-numbers", "--log-level", "accepted", "--latency", str(options.latency)
    )
    desk.manage("shell", "-v", "0", "-c", LAUNCH)
    took: list[float] = []
    left = 0
    for _ in range(options.times):
        before = len(desk.carrier_log("accepted"))
        cluster = desk.cluster()
        world.wait_until(
            lambda before=before: len(desk.carrier_log("accepted")) > before + options.rate,
            seconds=60,
            what="flight",
        )
        begun = time.monotonic()
        cluster.send_signal(signal.SIGTERM)
        cluster.wait(60)
        took.append(round(time.monotonic() - begun, 2))
        assert world.workers_of(cluster) == []
        desk.processes.remove(cluster)
        states = json.loads(desk.manage("shell", "-v", "0", "-c", ASK).strip().splitlines()[-1])
        left += sum(count for state, count in states.items() if state != "queued")
    accepted = desk.carrier_log("accepted")
    return {
        "times": options.times,
        "seconds": took,
        "longest_seconds": max(took),
        "left_open": left,
        "accepted": len(accepted),
        "duplicates": len(accepted) - len({line["reference"] for line in accepted}),
    }


if __name__ == "__main__":
    main()
