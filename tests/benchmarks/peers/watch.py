"""Waits until a peer has recorded all of its texts as sent; prints when that was, as JSON."""

import json
import os
import sys
import time
import urllib.request

import django

django.setup()

from post_office.models import STATUS, Email  # noqa: E402

from tests.benchmarks.peers.models import Text  # noqa: E402


def main(peer: str, count: int, patience: float) -> None:
    until = time.time() + patience
    unsent = {
        "celery": Text.objects.exclude(state="sent"),
        "post_office": Email.objects.exclude(status=STATUS.sent),
    }[peer]
    print("watching", flush=True)
    # The database is asked only once the carrier has them all, so that asking slows nobody down.
    while time.time() < until and _accepted() < count:
        time.sleep(0.1)
    while time.time() < until and unsent.exists():
        time.sleep(0.02)
    print(json.dumps({"finished": time.time(), "unsent": unsent.count()}))


def _accepted() -> int:
    with urllib.request.urlopen(f"{os.environ['SIMULATOR_URL']}/control/stats", timeout=5) as answer:
        return int(json.loads(answer.read())["accepted"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
