"""Learn the weights of `inbound/doubt.py` anew from the texts in `tests/data/intent/training/`.

    python -m tests.training.doubt

Logistic regression by stochastic gradient (AdaGrad), in plain Python and with a fixed seed: the same texts give
the same file. It takes about a minute. The texts in `tests/data/intent/unseen/` are never read here.
"""

import collections
import csv
import hashlib
import math
import random
from dataclasses import dataclass
from pathlib import Path

from inbound import doubt, folding

TEXTS = Path(__file__).parents[1] / "data" / "intent" / "training"
LEARNED = TEXTS / "learned.sha256"
SEED = 1
EPOCHS = 10
STEP = 0.5
SHRINK = 1e-3  # pull of each weight towards nothing
SEEN = 3  # texts a word must stand in to be known, and a feature to be weighed
LEAST = 0.1  # a weight nearer to nothing is left out


@dataclass(frozen=True, slots=True)
class Example:
    parts: tuple[tuple[str, ...], ...]
    is_request: bool


def examples(folder: Path = TEXTS) -> list[Example]:
    found: dict[tuple[str, ...], Example] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                folded = folding.fold(row["text"])
                if folded.words:
                    found[folded.words] = Example(tuple(doubt.parts(folded)), row["label"] == "opt_out")
    return list(found.values())


class Learner:
    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.weights: dict[str, float] = collections.defaultdict(float)
        self.slopes: dict[str, float] = collections.defaultdict(lambda: 0.01)
        self.base = 0.0

    def score(self, words: tuple[str, ...]) -> float:
        found = [self.weights[name] for name in doubt.features(words, self.known) if name in self.weights]
        return self.base + sum(found) / math.sqrt(max(1, len(found)))

    def learn(self, lessons: list[tuple[tuple[str, ...], bool]]) -> None:
        rows = [(sorted(doubt.features(words, self.known)), is_request) for words, is_request in lessons]
        seen = collections.Counter(name for names, _ in rows for name in names)
        kept = [([name for name in names if seen[name] >= SEEN], is_request) for names, is_request in rows]
        kept = [row for row in kept if row[0]]
        shuffled = random.Random(SEED)
        for _ in range(EPOCHS):
            shuffled.shuffle(kept)
            for names, is_request in kept:
                self._step(names, is_request=is_request)

    def _step(self, names: list[str], *, is_request: bool) -> None:
        scale = 1 / math.sqrt(len(names))
        score = self.base + scale * sum(self.weights[name] for name in names)
        error = 1 / (1 + math.exp(-max(-30.0, min(30.0, score)))) - is_request
        self.base -= 0.02 * error
        for name in names:
            slope = error * scale + SHRINK * self.weights[name]
            self.slopes[name] += slope * slope
            self.weights[name] -= STEP * slope / math.sqrt(self.slopes[name])


def learn(texts: list[Example]) -> Learner:
    """Twice: whole texts; then also the clause of a request that reads most like one, and all clauses of others."""
    seen = collections.Counter(word for text in texts for word in set(text.parts[0]))
    known = {word for word, times in seen.items() if times >= SEEN}
    first = Learner(known)
    first.learn([(text.parts[0], text.is_request) for text in texts])
    lessons = []
    for text in texts:
        parts = [max(text.parts, key=first.score)] if text.is_request else text.parts
        lessons += [(part, text.is_request) for part in dict.fromkeys((text.parts[0], *parts))]
    second = Learner(known)
    second.learn(lessons)
    return second


def write(learner: Learner, *, path: Path = doubt.WEIGHTS) -> int:
    """Known words are kept even where they weigh nothing: that they are known matters to their neighbours."""
    rounded = {name: round(weight, 2) for name, weight in learner.weights.items()}
    kept = {name: weight for name, weight in rounded.items() if abs(weight) >= LEAST or name in learner.known}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("feature", "weight"))
        writer.writerow((doubt.START, round(learner.base, 2)))
        writer.writerows((name, f"{weight:g}") for name, weight in sorted(kept.items()))
    return len(kept)


def digests() -> str:
    """Of the texts and of the weights learned from them: a test holds them together."""
    texts = b"".join(path.name.encode() + path.read_bytes() for path in sorted(TEXTS.glob("*.csv")))
    return f"{hashlib.sha256(texts).hexdigest()}\n{hashlib.sha256(doubt.WEIGHTS.read_bytes()).hexdigest()}\n"


if __name__ == "__main__":
    texts = examples()
    print(f"{len(texts)} texts, {write(learn(texts))} weights in {doubt.WEIGHTS}")
    LEARNED.write_text(digests())
