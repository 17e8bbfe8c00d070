"""Are the senders' rates kept, and does nobody wait for somebody else? `python -m tests.benchmarks.rates --json`.

* pace: one sender at 100, 500 and 2,000 parts a second, the carrier answering after 50 ms; what it took a second,
  and the most in any second.
* crowd: 300 senders of one part a second and one of 500, two workers; the share of its rate that each got.
* slow_gateway: two gateways with and without a third one that takes 10 s to answer.
* urgent: replies and transactional messages during a campaign at full speed, from being asked for to the carrier.

Everything is read from the carriers' own logs. Each part has a database, a cluster and carriers of its own.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable

from tests import world
from tests.benchmarks import gauge
from tests.benchmarks.rates import crowd, pace, slow_gateway, urgent

PARTS: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "pace": pace.measure,
    "crowd": crowd.measure,
    "slow_gateway": slow_gateway.measure,
    "urgent": urgent.measure,
}


def main() -> None:
    options = _options()
    world.end_when_asked()
    result: dict[str, object] = {
        "dialect": options.dialect,
        "database": "postgresql" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "sqlite",
        "latency_ms": options.latency,
        "sending_workers": options.senders,
        "threads": options.threads,
        "cores": os.cpu_count(),
        "machine_seconds": gauge.machine_seconds(),
        "python": platform.python_version(),
        **{name: PARTS[name](options) for name in options.only},
    }
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>16}: {value}")
    if _duplicates(result):
        sys.exit(1)


def _duplicates(figures: dict[str, object]) -> int:
    """In all parts together."""
    inner = [_duplicates(value) for value in figures.values() if isinstance(value, dict)]
    return int(str(figures.get("duplicates", 0))) + sum(inner)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--only", type=_names, default=list(PARTS), help=f"some of {','.join(PARTS)}")
    add("--dialect", choices=("twilio", "infobip"), default="twilio")
    add("--latency", type=float, default=50.0, help="milliseconds a carrier takes to answer")
    add("--senders", type=int, default=2, help="sending workers of the cluster")
    add("--threads", type=int, default=4, help="sending threads of each worker")
    add("--calls", type=int, default=50, help="calls open at once per thread")
    add("--seconds", type=float, default=20.0, help="pace, slow_gateway: seconds of sending")
    add("--rates", type=_rates, default=list(pace.RATES), help="pace: parts per second, with commas")
    add("--slow", type=int, default=300, help="crowd: slow senders")
    add("--slow-rate", type=float, default=1.0, help="crowd: parts per second of each of them")
    add("--fast-rate", type=float, default=500.0, help="crowd: parts per second of the fast one")
    add("--crowd-seconds", type=float, default=30.0, help="crowd: seconds that count")
    add("--slow-latency", type=float, default=10_000.0, help="slow_gateway: milliseconds the slow one takes")
    add("--gateway-rate", type=float, default=500.0, help="slow_gateway: parts per second of each sender")
    add("--messages", type=int, default=120_000, help="urgent: size of the campaign")
    add("--urgent-rate", type=float, default=20_000.0, help="urgent: parts per second of the campaign's sender")
    add("--probes", type=int, default=150, help="urgent: replies, and as many transactional messages")
    add("--gap", type=float, default=0.1, help="urgent: seconds between two of a kind")
    add("--settle", type=float, default=3.0, help="urgent: seconds the last ones have to arrive")
    add("--json", action="store_true", help="one line of JSON")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"there is no part {', '.join(sorted(unknown))}")
    return names


def _rates(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


if __name__ == "__main__":
    main()
