"""What a text asks of us: opt out, opt in, help, or nothing by itself.

Pure and deterministic. Four tiers: *exact* (the whole text is a keyword) and *strong* (a keyword with nothing
but courtesy around it, a clause that is one, a known phrase) are acted upon at once; *review* (a keyword among
other words, or a text that reads like a request) goes to a person; the rest is conversation. A text that speaks
against stopping ("don't stop") is `none` at `review`: a person reads it, nothing is held.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from inbound import doubt, folding, foreign_phrases, phrases, reactions, vocabulary
from inbound.models import Intent

EXACT, STRONG, REVIEW = "exact", "strong", "review"

_NOT_A_TYPO = vocabulary.family("not a typo")  # near "stop", and mean themselves
# In one clause of a longer text these ask for more than they do alone: "Yes, cancel, and book me for Tuesday".
_WEAK_ALONE = vocabulary.family("weak alone")

_REPORTED = re.compile(
    r"^(?:\w+ ){0,3}?(?:he|she|they|it|mom|dad|doctor|wife|husband|boss|kid|kids|dog) (?:\w+ )?"
    r"(?:said|says|told|asked|wants|keeps)"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """`rule` names what fired; it is stored with the message and shown to whoever reviews it."""

    intent: Intent
    confidence: str
    rule: str

    @property
    def is_certain(self) -> bool:
        return self.confidence in (EXACT, STRONG)


NOTHING = Reading(Intent.NONE, EXACT, "")


def read(text: str, *, pending_confirmation: bool = False) -> Reading:
    """`pending_confirmation`: an opt-in of this phone waits for its YES, so that YES counts."""
    if reactions.is_one(text):
        return Reading(Intent.NONE, EXACT, "reaction")
    folded = folding.fold(text)
    if not folded.words:
        signs = folded.symbols & phrases.STOP_SIGNS
        return Reading(Intent.OPT_OUT, REVIEW, "stop sign") if signs else NOTHING
    return (
        _exact(folded, pending_confirmation=pending_confirmation)
        or _strong(folded)
        or _unspaced(folded)
        or _doubtful(folded)
        or _opt_in(folded, pending_confirmation=pending_confirmation)
        or NOTHING
    )


def _exact(folded: folding.Folded, *, pending_confirmation: bool) -> Reading | None:
    forms = {folded.line, folded.compact}
    if len(folded.words) == 1:
        forms |= set(folding.disguises(folded.line)) & _own_words()
    for name, intent in (("stop", Intent.OPT_OUT), ("start", Intent.OPT_IN), ("help", Intent.HELP)):
        hits = forms & (vocabulary.family(name) | vocabulary.joined(name))
        if hits:
            return Reading(intent, EXACT, f"keyword {min(hits)}")
    if pending_confirmation and forms & vocabulary.family("yes"):
        return Reading(Intent.OPT_IN, EXACT, "confirmed")
    return None


def _opt_in(folded: folding.Folded, *, pending_confirmation: bool) -> Reading | None:
    rest = [w for w in folded.words if w not in phrases.FILLER or w in vocabulary.family("yes")]
    if rest and all(w in ("start", "unstop", "resubscribe") for w in rest) and "cant" not in folded.words:
        return Reading(Intent.OPT_IN, STRONG, "keyword with courtesy")
    if (
        pending_confirmation
        and folded.words[0] in vocabulary.family("yes")
        and set(folded.words[1:]) <= phrases.FILLER - {"no"}
    ):
        return Reading(Intent.OPT_IN, STRONG, "confirmed with courtesy")
    return None


def _strong(folded: folding.Folded) -> Reading | None:
    if folded.is_spelled and folded.compact in vocabulary.joined("stop"):
        return Reading(Intent.OPT_OUT, STRONG, "spaced letters")
    if len(folded.compact) >= 8 and _as_stop(folded.compact):
        return Reading(Intent.OPT_OUT, STRONG, "keyword in pieces")
    alone = _keyword_and_filler(folded.words)
    if alone and not phrases.NEGATION.search(folded.line) and not _is_plan(alone, folded.words):
        return Reading(Intent.OPT_OUT, STRONG, f"keyword {alone} with courtesy")
    for clause in folded.clauses:
        keyword = _keyword_and_filler(tuple(clause.split()))
        if keyword and keyword not in _WEAK_ALONE and not _is_reported(clause):
            return Reading(Intent.OPT_OUT, STRONG, f"clause {keyword}")
    if any(phrases.WELCOME.search(clause) for clause in folded.clauses):
        return None
    rule = next(filter(None, map(_certain_phrase, folded.clauses)), "")
    if not rule and len(folded.words) <= 40:
        rule = _certain_phrase(folded.line) or _borne_out(folded)
    return Reading(Intent.OPT_OUT, STRONG, rule) if rule else None


def _is_plan(keyword: str, words: tuple[str, ...]) -> bool:
    """ "Have to cancel, sorry": weak keywords with a subject are about something else."""
    return keyword in _WEAK_ALONE and not vocabulary.family("of a plan").isdisjoint(words)


def _borne_out(folded: folding.Folded) -> str:
    """A request begun in known words, where all that is said reads like one: "stop texting me because …"."""
    for clause in folded.clauses:
        if _speaks_otherwise(clause) or phrases.LIMITED.search(clause):
            continue
        spelled, score = _spelled(clause), _weighed(folded).score
        if (rule := _phrase(spelled)) and score >= doubt.AGREEING:
            return f"{rule}, borne out"
        if phrases.LONELY.search(_without_harmless(spelled)) and score >= doubt.CONVINCED:
            return "stop in a sentence, borne out"
    return ""


def _keyword_and_filler(words: tuple[str, ...]) -> str:
    """The keyword, when nothing else stands there but courtesy, a code ("STOP 36180") or the keyword again."""
    kept = [w for w in words if w not in phrases.COURTESY and not w.isdecimal()]
    known = [k for w in kept if (k := _as_stop(w))]
    if known and len(known) == len(kept) and words[0] not in ("what", "which"):
        return known[0]
    joined = " ".join(kept)
    return joined if joined in vocabulary.family("stop") and kept else ""


@lru_cache(maxsize=8_192)
def _as_stop(word: str) -> str:
    """The opt-out keyword this word is, in disguise or misspelt where it is long enough to tell; else ""."""
    own = vocabulary.family("stop")
    if word in own:
        return word
    if hits := set(folding.disguises(word)) & own - {"stop" if word in _NOT_A_TYPO else ""}:
        return min(hits)
    if word.endswith("ed"):
        return ""  # "I unsubscribed from that" tells, and asks for nothing by itself
    if len(word) >= 8 and word.startswith("u") and folding.distance(word, "unsubscribe", at_most=2) <= 2:
        return "unsubscribe"
    return ""


def _certain_phrase(clause: str) -> str:
    if _speaks_otherwise(clause):
        return ""
    spelled = _spelled(clause)
    for phrase in phrases.ENGLISH:
        if (hit := phrase.pattern.search(spelled)) and all(
            w in phrases.TAIL or w.isdecimal() for w in spelled[hit.end() :].split()
        ):
            return phrase.rule
    for phrase in foreign_phrases.FOREIGN:
        if phrase.pattern.search(clause) and not foreign_phrases.OTHER_THINGS.search(clause):
            return phrase.rule
    return ""


def _speaks_otherwise(clause: str) -> bool:
    return bool(phrases.NEGATION.search(clause) or phrases.ASKING.match(clause)) or _is_reported(clause)


def _phrase(spelled: str) -> str:
    return next((phrase.rule for phrase in phrases.ENGLISH if phrase.pattern.search(spelled)), "")


def _spelled(line: str) -> str:
    return " ".join(map(_corrected, line.split()))


@lru_cache(maxsize=8_192)
def _corrected(word: str) -> str:
    """As it was meant, where that is a word requests are made of: "remvoe", "textign", "st0p"."""
    if len(word) >= 8 and (keyword := _as_stop(word)):
        return keyword
    if len(word) < 4 or doubt.knows(word):
        return _leet(word)
    near = (w for w in vocabulary.family("often misspelt") if folding.distance(word, w, at_most=1) == 1)
    return next(near, "") or _leet(word)


@lru_cache(maxsize=8_192)
def _leet(word: str) -> str:
    return "stop" if word != "stop" and word not in _NOT_A_TYPO and "stop" in folding.disguises(word) else word


def _is_reported(clause: str) -> bool:
    """Somebody else's words, or what they saw: "it says stop", "my mom said stop"."""
    return bool(_REPORTED.match(clause))


def _unspaced(folded: folding.Folded) -> Reading | None:
    compact, line = folded.compact, folded.line
    if not any(ord(c) > 0x0900 for c in compact):
        return None
    if _any_in(foreign_phrases.UNSPACED_NEGATED, compact):
        return Reading(Intent.NONE, REVIEW, foreign_phrases.UNSPACED_NEGATED_RULE)
    if _any_in(foreign_phrases.UNSPACED_CERTAIN, compact) or _any_in(foreign_phrases.UNSPACED_CERTAIN, line):
        return Reading(Intent.OPT_OUT, STRONG if len(compact) <= 24 else REVIEW, "phrase, no spaces")
    if _any_in(foreign_phrases.UNSPACED_DOUBTFUL, compact):
        return Reading(Intent.OPT_OUT, REVIEW, "word, no spaces")
    return None


def _any_in(parts: Iterable[str], text: str) -> bool:
    return any(folding.strip_marks(part).replace(" ", "") in text for part in parts)


def _doubtful(folded: folding.Folded) -> Reading | None:
    lines = (*folded.clauses, folded.line)
    for line in lines:
        if rule := _doubtful_phrase(phrases.NEGATION.sub(" ", line)):
            return Reading(Intent.OPT_OUT, REVIEW, rule)
    weighed = _weighed(folded)
    if weighed.score >= doubt.DOUBTFUL:
        return Reading(Intent.OPT_OUT, REVIEW, f"reads like a request to stop: {weighed.words}")
    if any(phrases.NEGATION.search(line) for line in lines):
        return Reading(Intent.NONE, REVIEW, "negation")
    if len(folded.words) <= 4 and (word := _short_typo(folded.words)):
        return Reading(Intent.OPT_OUT, REVIEW, f"typo {word}")
    if folded.symbols & (phrases.STOP_SIGNS - frozenset("✋❌🙅")):
        return Reading(Intent.OPT_OUT, REVIEW, "stop sign")
    return None


def _weighed(folded: folding.Folded) -> doubt.Weighed:
    """What speaks against stopping is not weighed: the words are those of a request."""
    return doubt.weigh(part for part in doubt.parts(folded) if not phrases.NEGATION.search(" ".join(part)))


def _doubtful_phrase(line: str) -> str:
    spelled = _spelled(line)
    if rule := _phrase(spelled):
        return f"{rule}, more follows"
    if phrases.LONELY.search(_without_harmless(spelled)):
        return "stop in a sentence"
    if any(p.pattern.search(line) for p in foreign_phrases.FOREIGN):
        return "phrase, other things"
    if any(len(word) >= 6 and word in vocabulary.family("stop") - _WEAK_ALONE for word in line.split()):
        return "keyword in a sentence"
    return ""


def _without_harmless(line: str) -> str:
    if re.match(r"^(?:please |yes |no |just |ok )*stop (?:by|in|at|over)", line):
        return line  # an order, not a plan: "Stop by the store?" may be either
    return phrases.HARMLESS.sub(" ", line)


def _short_typo(words: tuple[str, ...]) -> str:
    rest = [w for w in words if w not in phrases.FILLER]
    if len(rest) != 1 or rest[0] in _NOT_A_TYPO or not 3 <= len(rest[0]) <= 6:
        return ""
    return rest[0] if folding.distance(rest[0], "stop", at_most=1) == 1 else ""


@cache
def _own_words() -> frozenset[str]:
    return frozenset(
        word
        for name in ("stop", "start", "help")
        for word in vocabulary.family(name) | vocabulary.joined(name)
        if len(word) >= 4
    ) - frozenset({"stop"} & _NOT_A_TYPO)
