"""smsdesk beside what a Django team would build instead, one after the other on the same machine and carrier.

`python -m tests.benchmarks.peers --messages 20000 --dialect twilio --json`

* smsdesk, as in `tests.benchmarks.sending`: snapshot, consent, quiet hours, Liquid, locks, pace, evidence.
* Celery with Redis: one task per message (read the row, post with `requests`, mark it sent).
* django-post-office: `send_queued_mail` with processes and threads, through a backend that posts to the carrier.

The peers judge nothing, render nothing and keep no pace: they do less for each message. A ratio above 1 says that
smsdesk is faster. Each has the same database server, the same kind of carrier and the same number of processes.
"""

import argparse
import importlib.util
import json
import os
import platform
import shutil
import statistics
import sys

from tests import world
from tests.benchmarks import gauge
from tests.benchmarks.peers import race

NEEDED = {"celery": "celery", "redis": "redis", "requests": "requests", "post_office": "django-post-office"}


def main() -> None:
    options = _options()
    world.end_when_asked()
    if {"celery", "post_office"} & set(options.only):
        _refuse_missing(needs_redis="celery" in options.only)
    rounds: dict[str, list[race.Figures]] = {name: [] for name in options.only}
    for number in range(options.repeat):
        # In turn, and the other way round each second time: a machine that slows down slows them all.
        for name in options.only if number % 2 == 0 else options.only[::-1]:
            rounds[name].append(race.CONTESTANTS[name](options))
    result = {
        "messages": options.messages,
        "dialect": options.dialect,
        "database": "postgresql" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "sqlite",
        "latency_ms": options.latency,
        "processes": options.processes,
        "repeat": options.repeat,
        "cores": os.cpu_count(),
        "machine_seconds": gauge.machine_seconds(),
        "python": platform.python_version(),
        **{name: _middle(found) for name, found in rounds.items()},
        "ratios": _ratios(rounds),
    }
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>14}: {value}")
    ours = rounds.get("smsdesk", [])
    if any(found["duplicates"] or found["accepted"] != options.messages for found in ours):
        sys.exit(1)


def _middle(rounds: list[race.Figures]) -> race.Figures:
    """Rates as the median of the rounds, with the lowest and highest; duplicates and lost ones of all rounds."""
    rates = {
        name: round(statistics.median(_values(rounds, name)), 2)
        for name in ("messages_per_second", "from_launch_per_second", "queueing_seconds")
    }
    sums = {name: int(sum(_values(rounds, name))) for name in ("accepted", "duplicates", "unsent")}
    every = sorted(_values(rounds, "messages_per_second"))
    return {**rates, "lowest": every[0], "highest": every[-1], **sums}


def _ratios(rounds: dict[str, list[race.Figures]]) -> dict[str, dict[str, float]]:
    """smsdesk / peer, of the medians: while sending, and from the launch on with snapshot or queueing."""
    ours = rounds.get("smsdesk")
    return {
        f"smsdesk/{peer}": {
            name: round(statistics.median(_values(ours, column)) / statistics.median(_values(found, column)), 2)
            for name, column in (("sending", "messages_per_second"), ("from_launch", "from_launch_per_second"))
        }
        for peer, found in rounds.items()
        if ours and peer != "smsdesk"
    }


def _values(rounds: list[race.Figures], name: str) -> list[float]:
    return [float(str(found.get(name, 0))) for found in rounds]


def _refuse_missing(*, needs_redis: bool) -> None:
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        sys.exit(f"The peers are not installed ({', '.join(missing)}): run pip install -e '.[peers]' first.")
    if needs_redis and shutil.which("redis-server") is None:
        sys.exit("There is no redis-server on the PATH: install Redis, or leave Celery out with --only.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--messages", type=int, default=20_000)
    add("--dialect", choices=("twilio",), default="twilio", help="what all of them speak with the carrier")
    add("--repeat", type=int, default=1, help="rounds; figures are medians")
    add("--only", type=_names, default=list(race.CONTESTANTS), help=f"some of {','.join(race.CONTESTANTS)}")
    add("--latency", type=float, default=0.0, help="milliseconds the carrier takes to answer")
    add("--processes", type=int, default=2, help="sending processes of each")
    add("--threads", type=int, default=4, help="smsdesk: sending threads of each process")
    add("--calls", type=int, default=50, help="smsdesk: calls open at once per thread")
    add("--rate", type=float, default=20_000.0, help="smsdesk: parts per second the sender may send")
    add("--post-office-threads", type=int, default=10, help="django-post-office: threads of each process")
    add("--post-office-batch", type=int, default=1_000, help="django-post-office: BATCH_SIZE (its own: 100)")
    add("--patience", type=float, default=3_600.0, help="seconds after which a peer is not waited for any longer")
    add("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args()
    options.workers = options.processes + 1  # of ours one is always kept free for imports and the clock
    return options


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(race.CONTESTANTS):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    main()
