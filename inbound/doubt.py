"""Doubt beyond known phrases: how much a text reads like a request to stop.

A sum of weights, one for each word, run of words and run of letters in it, learned from texts as people send them
(`python -m tests.training.doubt`). Being a sum, it can say which words weighed most. It never decides by itself: it
puts a text before a person, or bears out a phrase that was found.
"""

import csv
import math
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from inbound import folding

# Chosen on texts set apart for it, see docs/inbound.md.
DOUBTFUL = -1.25  # from here on a person reads the text
AGREEING = 1.0  # from here on it bears out a phrase found in a longer text
CONVINCED = 2.5  # and here "stop" in a sentence

WEIGHTS = Path(__file__).parent / "data" / "doubt_weights.csv"
START = "^"  # of a text or clause; its weight alone is what a text of unknown words gets
_END, _UNKNOWN, _NUMBER = "$", "?", "#"
_WHOLE = 40  # words: beyond that a text is weighed in parts only
_PART = 14  # words weighed together where no punctuation parts them
_SHOWN = 28  # characters


@dataclass(frozen=True, slots=True)
class Weighed:
    score: float  # log-odds, as the texts it was learned from have them
    words: str  # those that weighed most; "" below DOUBTFUL


def weigh(parts: Iterable[tuple[str, ...]]) -> Weighed:
    """As the part that reads most like a request."""
    score, part = max(((_score(part), part) for part in parts), default=(-math.inf, ()))
    return Weighed(score, _heaviest(part) if score >= DOUBTFUL else "")


def knows(word: str) -> bool:
    """A word people write, and no slip of the finger."""
    return word in _weights()


def parts(folded: folding.Folded) -> Iterator[tuple[str, ...]]:
    """The whole and its clauses: a request may be one clause of a long story, or run through all of it."""
    is_long = len(folded.words) > _WHOLE
    if not is_long:
        yield folded.words
    if is_long or len(folded.clauses) > 1:
        for clause in folded.clauses:
            words = tuple(clause.split())
            for start in range(0, max(1, len(words) - _PART // 2), _PART // 2):
                yield words[start : start + _PART]


def features(words: tuple[str, ...], known: Container[str]) -> set[str]:
    """Words, pairs, pairs around a word ("stop * me"), and runs of letters ("~stop").

    A word that is not known stands as "?" beside others, and is weighed by its letters.
    """
    seen = [START, *(_shown(word, known) for word in words), _END]
    found = set(seen[1:-1])
    found.update(f"{one} {two}" for one, two in pairwise(seen))
    found.update(f"{one} * {two}" for one, two in zip(seen, seen[2:], strict=False))
    for word in words:
        found.update(_letters(word))
    return found


def _shown(word: str, known: Container[str]) -> str:
    if word.isdecimal():
        return _NUMBER
    return word if word in known else _UNKNOWN


def _letters(word: str) -> Iterator[str]:
    if not word.isdecimal():
        edged = f"<{word}>"
        for size in (3, 4):
            for at in range(len(edged) - size + 1):
                yield f"~{edged[at : at + size]}"


def _score(words: tuple[str, ...]) -> float:
    weights = _weights()
    found = [weights[name] for name in features(words, weights) if name in weights]
    return weights[START] + sum(found) / math.sqrt(max(1, len(found)))


def _heaviest(words: tuple[str, ...]) -> str:
    """The run of words with the greatest sum, as far as it can be shown."""
    weights = _weights()
    seen = [_shown(word, weights) for word in words]
    own = [
        sum(weights.get(name, 0) for name in (known, *_letters(word)))
        for known, word in zip(seen, words, strict=True)
    ]
    for at, (one, two) in enumerate(pairwise(seen)):
        own[at] += weights.get(f"{one} {two}", 0) / 2
        own[at + 1] += weights.get(f"{one} {two}", 0) / 2
    runs = ((sum(own[i:j]), i, j) for i in range(len(words)) for j in range(i + 1, min(i + 6, len(words)) + 1))
    shown = [(total, " ".join(words[i:j])) for total, i, j in runs]
    return max(((total, run) for total, run in shown if len(run) <= _SHOWN), default=(0, words[0][:_SHOWN]))[1]


@cache
def _weights() -> dict[str, float]:
    with WEIGHTS.open(encoding="utf-8", newline="") as file:
        return {row["feature"]: float(row["weight"]) for row in csv.DictReader(file)}
