"""Many runs, one after the other, and their sum: `python -m tests.chaos.long --seeds 1-40 --seconds 120`.

Profiles and dialects take turns by seed. A line for each run as it ends (kept in
`--out`), then one with the sums. Goes on after a violation, whose evidence is kept, and says so by its exit status.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos import orders, postgres, running

# Two of three runs kill processes most of the time; the others bring what killing does not.
TURNS = ("process", "all", "process", "freeze", "process", "db", "process", "all", "process", "gateway")
SUMMED = (
    "kills", "freezes", "messages", "accepted", "twice", "after_stop", "outside_window", "lost", "stuck", "leaks",
    "unknown", "parked_sent", "parked_not_sent", "poison", "submitted_again", "campaigns", "stops", "webhooks",
    "webhooks_refused", "lookups",
)  # fmt: skip
WORST = (
    "drain_p50",
    "drain_p99",
    "webhook_p99",
    "recovery_p50",
    "recovery_p99",
    "most_submitting",
    "settled_after",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1-40", help="from-to, or a single one")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--pace", type=float, default=0.6, help="seconds between two harms, on the average")
    parser.add_argument("--profile", choices=sorted(orders.PROFILES), help="always this one")
    parser.add_argument("--dialect", choices=("infobip", "twilio"), help="always this one")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--out", type=Path, help="append each line here")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-long-"))
    folder.chmod(0o711)
    begun, lines = time.monotonic(), []
    try:
        template = postgres.prepare(folder / "prepared") if given.database == "postgres" else None
        for seed in range(int(first), int(last or first) + 1):
            told = running.run(_order(given, seed, template), say=lambda line: None)
            lines.append(told.line)
            _tell(told.line, given.out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    summed = sums(lines)
    summed["hours"] = round((time.monotonic() - begun) / 3600, 2)
    _tell(summed, given.out)
    return 0 if summed["broken"] == [] else 1


def _order(given: argparse.Namespace, seed: int, template: Path | None) -> orders.Order:
    is_small = given.database == "sqlite"
    return orders.Order(
        seed=str(seed),
        seconds=given.seconds,
        profile=given.profile or ("sqlite" if is_small else TURNS[seed % len(TURNS)]),
        dialect=given.dialect or ("twilio" if seed % 3 == 0 else "infobip"),
        database=given.database,
        scale=given.scale,
        pace=given.pace,
        hosts=1 if is_small else 2,
        template=template,
    )


def _tell(line: dict[str, Any], out: Path | None) -> None:
    text = json.dumps(line)
    print(text, flush=True)
    if out is not None:
        with out.open("a") as kept:
            kept.write(text + "\n")


def sums(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts added up, times at their worst, and the seeds that broke a rule."""
    harms: Counter[str] = Counter()
    for line in lines:
        harms.update(line.get("harms", {}))
    return {
        "runs": len(lines),
        "broken": [line["seed"] for line in lines if not line["ok"]],
        **{name: sum(line.get(name, 0) for line in lines) for name in SUMMED},
        "harms": dict(sorted(harms.items())),
        **{f"worst_{name}": max((line.get(name, 0) for line in lines), default=0) for name in WORST},
    }


if __name__ == "__main__":
    sys.exit(main())
