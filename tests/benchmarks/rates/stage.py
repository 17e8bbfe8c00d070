"""What the measurements of rates share: a desk with its carriers, and what these took of each sender, and when."""

import argparse
import contextlib
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from smsdesk.simulator import journal
from tests import world

WARM = 3.0  # seconds after the first message that do not count
PATIENCE = 120.0

Taken = dict[str, list[float]]


@contextlib.contextmanager
def desk(options: argparse.Namespace) -> Iterator[world.World]:
    """An empty, migrated desk whose cluster sends with `options.senders` workers."""
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-rates-"))
    url = os.environ.get("DATABASE_URL", "")
    with world.world(folder, database_url=url, workers=options.senders + 1) as made:
        made.environment["SMSDESK_SENDING_THREADS"] = str(options.threads)
        made.accounts_file.write_text(
            json.dumps(
                [{"dialect": options.dialect, "name": "bench", "credentials": world.CREDENTIALS[options.dialect]}]
            )
        )
        made.migrate()
        yield made


def carrier(desk: world.World, *, name: str, latency: float) -> str:
    """The address of one more carrier, with a log of its own."""
    port = world.free_port()
    address = f"http://127.0.0.1:{port}"
    desk.start(
        name, "-m", "smsdesk.simulator", "--port", str(port), "--accounts", str(desk.accounts_file),
        "--log", str(desk.folder / f"{name}.jsonl"), "--log-level", "accepted", "--no-receipts",
        "--no-magic-numbers", "--latency", str(latency),
    )  # fmt: skip
    world.wait_until(lambda: desk.answers(address + "/control/stats"), seconds=20, what=f"carrier {name}")
    return address


def value(number: int) -> str:
    """The number-th sender's."""
    return f"+1202555{number:04}"


def sender(rate: float, *, messages: float, carrier: str) -> dict[str, object]:
    """One in the order to `fill`."""
    return {"rate": rate, "messages": round(messages), "carrier": carrier}


def fill(desk: world.World, options: argparse.Namespace, senders: list[dict[str, object]]) -> None:
    order = {
        "dialect": options.dialect,
        "calls": options.calls,
        "senders": [{**one, "value": value(number)} for number, one in enumerate(senders)],
    }
    desk.python("tests.benchmarks.rates.senders", json.dumps(order))


def send(desk: world.World, *, names: list[str], seconds: float) -> tuple[Taken, int]:
    """Let a cluster send; the moments of the parts each sender had taken within `seconds`, and duplicates of all.

    The window begins some seconds after the first message, when every thread has found its pace.
    """
    cluster = desk.cluster()
    files = [desk.folder / f"{name}.jsonl" for name in names]
    world.wait_until(lambda: any(map(_has_lines, files)), seconds=PATIENCE, what="the first message")
    begin = time.time() + WARM
    time.sleep(WARM + seconds + 0.2)  # the log is written every 50 ms
    world.end(cluster)
    return taken(files, begin=begin, end=begin + seconds), duplicates(files)


def taken(files: list[Path], *, begin: float, end: float) -> Taken:
    found: Taken = defaultdict(list)
    for file in files:
        for line in journal.read(file, kind="accepted"):
            if begin <= line["t"] < end:
                found[line["from"]] += [line["t"]] * line["parts"]
    return found


def duplicates(files: list[Path]) -> int:
    references = [line["reference"] for file in files for line in journal.read(file, kind="accepted")]
    return len(references) - len(set(references))


def _has_lines(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0
