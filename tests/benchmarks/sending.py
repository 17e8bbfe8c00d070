"""How fast a campaign leaves, through the whole product.

`python -m tests.benchmarks.sending --messages 20000 --dialect twilio --json`

A database of its own (PostgreSQL when DATABASE_URL says so, else SQLite), a real worker cluster, the real adapters
over HTTP, the carrier simulator beside it on the same machine. Duplicates are counted from the carrier's log.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import world
from tests.benchmarks import gauge

FOREVER = 3600.0


def main() -> None:
    options = _options()
    url = os.environ.get("DATABASE_URL", "")
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-bench-"))
    with world.world(folder, database_url=url, workers=options.workers) as desk:
        desk.environment["SMSDESK_SENDING_THREADS"] = str(options.threads)
        figures = measure(desk, options)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:>24}: {value}")
    if figures["duplicates"] or figures["accepted"] != options.messages:
        sys.exit(1)


def measure(desk: world.World, options: argparse.Namespace) -> dict[str, object]:
    desk.accounts_file.write_text(
        json.dumps(
            [{"dialect": options.dialect, "name": "bench", "credentials": world.CREDENTIALS[options.dialect]}]
        )
    )
    desk.migrate()
    made = desk.python(
        "tests.benchmarks.people",
        json.dumps(
            {
                "people": options.messages,
                "dialect": options.dialect,
                "carrier": desk.simulator_url,
                "rate": options.rate,
                "calls": options.calls,
            }
        ),
    )
    carrier = desk.simulator(
        "--no-receipts", "--no-magic-numbers", "--log-level", "accepted", "--latency", str(options.latency)
    )
    cluster = desk.cluster()
    started = _cpu_of_the_start(cluster)
    probe = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.launch", str(made["campaign"]), str(options.messages)],
        env=desk.environment,
        cwd=world.ROOT,
        stdout=subprocess.PIPE,
    )
    memory: dict[int, float] = {}
    cpu: dict[int, float] = {}
    begun = time.monotonic()
    while probe.poll() is None and time.monotonic() - begun < FOREVER:
        _watch(cluster, memory, cpu)
        time.sleep(0.2)
    times = json.loads(probe.communicate()[0].splitlines()[-1])
    cpu_us = {
        "workers_cpu_us": round((sum(cpu.values()) - started) / options.messages * 1e6),
        "database_cpu_us": round(times["database_cpu_seconds"] / options.messages * 1e6),
        "carrier_cpu_us": round(gauge.cpu_seconds(carrier.pid) / options.messages * 1e6),
    }
    world.end(carrier)
    return {**_figures(desk, options, times, memory), **cpu_us}


def _cpu_of_the_start(cluster: subprocess.Popen[bytes]) -> float:
    """CPU seconds of all its processes once they have nothing to do: imports are no part of a message's cost."""
    spent, quiet = 0.0, 0
    while quiet < 3:
        time.sleep(0.5)
        now = sum(gauge.cpu_seconds(pid) for pid in world.workers_of(cluster))
        quiet = quiet + 1 if spent and now - spent < 0.1 else 0
        spent = now
    return spent


def _figures(
    desk: world.World, options: argparse.Namespace, times: dict[str, float], memory: dict[int, float]
) -> dict[str, object]:
    accepted = desk.carrier_log("accepted")
    references = {line["reference"] for line in accepted}
    numbers = {line["to"].lstrip("+") for line in accepted}
    first, last = min(line["t"] for line in accepted), max(line["t"] for line in accepted)
    sending = max(times["finished"], last) - first
    return {
        "messages": options.messages,
        "dialect": options.dialect,
        "database": "postgresql" if desk.environment["DATABASE_URL"].startswith("postgres") else "sqlite",
        "messages_per_second": round(options.messages / sending),
        "carrier_messages_per_second": round(len(accepted) / max(0.001, last - first)),
        "launch_to_first_seconds": round(first - times["launched"], 2),
        "snapshot_seconds": round(times["prepared"] - times["preparing"], 2),
        "seconds": round(sending, 2),
        "accepted": len(accepted),
        "duplicates": 2 * len(accepted) - len(references) - len(numbers),
        "worker_peak_mb": max(memory.values(), default=0.0),
        "queries_per_message": times["queries_per_message"],
        "workers": options.workers,
        "threads": options.threads,
        "latency_ms": options.latency,
        "cores": os.cpu_count(),
        "machine_seconds": gauge.machine_seconds(),
        "python": platform.python_version(),
    }


def _watch(group: subprocess.Popen[bytes], memory: dict[int, float], cpu: dict[int, float]) -> None:
    """Peak resident memory of each process of the cluster, in MB, and its CPU time so far, in seconds."""
    for pid in world.workers_of(group):
        memory[pid] = max(memory.get(pid, 0.0), gauge.peak_mb(pid))
        cpu[pid] = max(cpu.get(pid, 0.0), gauge.cpu_seconds(pid))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--dialect", choices=("twilio", "infobip"), default="twilio")
    parser.add_argument("--rate", type=float, default=20_000.0, help="parts per second the sender may send")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds the carrier takes to answer")
    parser.add_argument("--workers", type=int, default=3, help="workers of the cluster; all but one send")
    parser.add_argument("--threads", type=int, default=4, help="sending threads of each worker")
    parser.add_argument("--calls", type=int, default=50, help="calls open at once per thread")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
