"""Word lists of the matcher, from `inbound/data/`: keywords per language, and what may stand around them.

Each word is a row with its language and who has checked it: `provider` (documented by one), `native`, or `no`.
"""

import csv
from functools import cache
from pathlib import Path

from inbound import folding


@cache
def family(name: str) -> frozenset[str]:
    """The words of one family, folded, spaces kept. stop, start, help and yes hold every language."""
    return frozenset(word for word, of in _rows() if of == name)


@cache
def joined(name: str) -> frozenset[str]:
    """The same without spaces: "opt out" as "optout"."""
    return frozenset(word.replace(" ", "") for word in family(name))


@cache
def _rows() -> tuple[tuple[str, str], ...]:
    rows: list[tuple[str, str]] = []
    for name in ("words.csv", "context_words.csv"):
        with (Path(__file__).parent / "data" / name).open(encoding="utf-8", newline="") as file:
            rows += [(" ".join(folding.plain_words(row["word"])), row["family"]) for row in csv.DictReader(file)]
    return tuple(rows)
