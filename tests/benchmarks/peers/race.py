"""One run of one contestant, each with a folder, a database and a carrier of its own."""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import world
from tests.benchmarks import sending

Figures = dict[str, object]
SETTINGS = "tests.benchmarks.peers.settings"


def smsdesk(options: argparse.Namespace) -> Figures:
    with _world(options) as desk:
        desk.environment["SMSDESK_SENDING_THREADS"] = str(options.threads)
        whole = sending.measure(desk, options)
    queued = float(str(whole["launch_to_first_seconds"]))
    return {
        "messages_per_second": whole["messages_per_second"],
        "from_launch_per_second": round(options.messages / (queued + float(str(whole["seconds"])))),
        "queueing_seconds": queued,
        "accepted": whole["accepted"],
        "duplicates": whole["duplicates"],
    }


def celery(options: argparse.Namespace) -> Figures:
    with _world(options, settings=SETTINGS) as desk, _redis(desk.folder) as broker:
        desk.environment["PEERS_BROKER"] = broker
        return _run(
            desk,
            options,
            peer="celery",
            command=[
                "-m", "celery", "--app", "tests.benchmarks.peers.celery_app", "--quiet", "worker",
                "--pool", "prefork", "--concurrency", str(options.processes), "--loglevel", "WARNING",
                "--without-gossip", "--without-mingle", "--without-heartbeat",
            ],
        )  # fmt: skip


def post_office(options: argparse.Namespace) -> Figures:
    with _world(options, settings=SETTINGS) as desk:
        desk.environment["PEERS_BROKER"] = "memory://"
        desk.environment["PEERS_POST_OFFICE_BATCH"] = str(options.post_office_batch)
        desk.environment["PEERS_POST_OFFICE_THREADS"] = str(options.post_office_threads)
        return _run(
            desk,
            options,
            peer="post_office",
            command=[
                str(world.ROOT / "manage.py"), "send_queued_mail", "--processes", str(options.processes),
                "--lockfile", str(desk.folder / "post_office"),
            ],
        )  # fmt: skip


CONTESTANTS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "smsdesk": smsdesk,
    "celery": celery,
    "post_office": post_office,
}


@contextlib.contextmanager
def _world(options: argparse.Namespace, *, settings: str = "") -> Iterator[world.World]:
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-peers-"))
    url = os.environ.get("DATABASE_URL", "")
    with world.world(folder, database_url=url, workers=options.processes + 1) as desk:
        if settings:
            desk.environment["DJANGO_SETTINGS_MODULE"] = settings
        yield desk


def _run(desk: world.World, options: argparse.Namespace, *, peer: str, command: list[str]) -> Figures:
    """Rows and queue first, then the workers: who fills the queue takes no time from those who empty it."""
    desk.accounts_file.write_text(
        json.dumps([{"dialect": "twilio", "name": "bench", "credentials": world.CREDENTIALS["twilio"]}])
    )
    desk.migrate_others()
    desk.simulator(
        "--no-receipts", "--no-magic-numbers", "--log-level", "accepted", "--latency", str(options.latency)
    )
    filling = desk.python("tests.benchmarks.peers.fill", peer, str(options.messages))
    watch = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.peers.watch", peer, str(options.messages), str(options.patience)],
        env=desk.environment,
        cwd=world.ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert watch.stdout is not None
        watch.stdout.readline()
        desk.start(peer, *command)
        seen = json.loads(watch.communicate()[0].splitlines()[-1])
    finally:
        watch.kill()
        watch.wait()
    accepted = desk.carrier_log("accepted")
    assert accepted, f"{peer} sent nothing: {(desk.folder / f'{peer}.log').read_text(errors='replace')[-3000:]}"
    first, last = min(line["t"] for line in accepted), max(line["t"] for line in accepted)
    sending_seconds = max(last, seen["finished"]) - first
    queueing_seconds = filling["filled"] - filling["begun"]
    return {
        "messages_per_second": round(options.messages / sending_seconds),
        "from_launch_per_second": round(options.messages / (queueing_seconds + sending_seconds)),
        "queueing_seconds": round(queueing_seconds, 2),
        "accepted": len(accepted),
        "duplicates": len(accepted) - len({line["reference"] for line in accepted}),
        **({"unsent": seen["unsent"]} if seen["unsent"] else {}),
    }


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A Redis of our own; it writes no snapshots, which would only slow it down."""
    port = world.free_port()
    with (folder / "redis.log").open("ab") as log:
        process = subprocess.Popen(
            [
                "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
                "--save", "", "--appendonly", "no",
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    try:
        world.wait_until(lambda: _listens(port), seconds=10, what="redis-server")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        world.end(process)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    time.sleep(0.05)
    return False
