"""How fast contacts are at size: `python -m tests.benchmarks.contacts --rows 1000000 --json`.

A database of its own (PostgreSQL when DATABASE_URL says so, else SQLite), filled by the real import. Each part
works in processes of its own, so that its peak memory is its own, and, where the machine has a raw limit for the
same work, gives the ratio to it: `ratio` 0.5 means half as fast as the database alone.
"""

import argparse
import contextlib
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import world
from tests.benchmarks.contacts import crowd_part, import_part

Figures = dict[str, object]

PARTS: dict[str, Callable[[world.World, int], Figures]] = {"import": import_part.measure, **crowd_part.PARTS}


def main() -> None:
    options = _options()
    result: Figures = {
        "rows": options.rows,
        "database": "postgresql" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "sqlite",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    if "import" in options.only:
        with _desk() as desk:
            result["import"] = import_part.measure(desk, options.rows)
    if others := [name for name in crowd_part.PARTS if name in options.only]:
        with _desk() as desk:
            crowd_part.fill(desk, options.rows)
            for name in others:
                result[name] = crowd_part.PARTS[name](desk, options.rows)
    if options.json:
        print(json.dumps(result))
    else:
        _print(result)


@contextlib.contextmanager
def _desk() -> Iterator[world.World]:
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-bench-"))
    with world.world(folder, database_url=os.environ.get("DATABASE_URL", "")) as desk:
        desk.migrate()
        yield desk


def _print(result: Figures) -> None:
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"\n{name}")
            for inner, figure in value.items():
                print(f"{inner:>28}: {figure}")
        else:
            print(f"{name:>10}: {value}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", type=_names, default=list(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"there is no part {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    main()
