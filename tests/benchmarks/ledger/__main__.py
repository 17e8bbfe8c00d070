"""How a large ledger answers: `python -m tests.benchmarks.ledger --rows 10000000 --json` (PostgreSQL only).

A database of its own, filled by the database itself: campaigns of up to 100,000 that are finished, one of up to
1,000,000 half of which has left. Then, each many times: a lane's next batch, the choice of lanes, the figures of
reports, the pages of the admin and of the API.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests import world
from tests.benchmarks import gauge


def main() -> None:
    options = _options()
    world.end_when_asked()
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        sys.exit("This one needs PostgreSQL: say where with DATABASE_URL=postgres://user@host:port/name.")
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-ledger-"))
    with world.world(folder, database_url=url) as desk:
        desk.migrate()
        filled = desk.python("tests.benchmarks.ledger.fill", str(options.rows))
        order = {"reads": options.reads, "times": options.times}
        looked = desk.python("tests.benchmarks.ledger.look", json.dumps(order))
    result = {
        "rows": options.rows,
        "database": "postgresql",
        "cores": os.cpu_count(),
        "machine_seconds": gauge.machine_seconds(),
        "python": platform.python_version(),
        **filled,
        **looked,
    }
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"\n{name}")
            for inner, figures in value.items():
                print(f"{inner:>34}: {figures}")
        else:
            print(f"{name:>20}: {value}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="messages in the ledger")
    parser.add_argument("--reads", type=int, default=200, help="batches read, and choices of lanes")
    parser.add_argument("--times", type=int, default=20, help="looks of each other kind")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
