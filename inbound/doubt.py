"""Doubt beyond known phrases: words of ending, of refusing, of our texts and of strangers, near each other.

People find ways to ask that no list of phrases has. This looks only at which kinds of words a clause brings
together, misspelt ones too. It never decides: it puts the text before a person.
"""

import re
from functools import cache

from inbound import folding, vocabulary

_NEAR = 7  # words between the two kinds

# They wait for a text, or talk of one: no wish to get fewer.
_MISSING = re.compile(
    r"(?<!\w)(?:didnt|never|not|havent|hasnt|dont|no|cant|wont|wasnt|doesnt|isnt) (?:\w+ ){0,3}?"
    r"(?:get|got|gotten|received?|arrived?|come|came|find|found|see|seen|open|load|work|working|send it|through|"
    r"know|understand|remember|sure|think|mind|worry|forget|miss|late)(?!\w)"
)
_WISH = re.compile(r"(?<!\w)(?:want|wish|like|need|care) (?:to |for )?(?:get|getting|see|receive|hear)(?!\w)")
_WELCOME = re.compile(r"(?<!\w)(?:please|to|pls) keep (?:\w+ )?(?:sending|texting|me)(?!\w)|keep the \w+ coming")
# Who speaks of our texts in the plural mostly wants fewer; those who like them, count them or miss them do not.
_MANY = re.compile(
    r"(?<!\w)(?:(?:your|these|those|all|the|any|daily|weekly|more) (?:\w+ )?(?:texts|messages|ads|promos)"
    r"|texting)(?!\w)"
)
_KIND = re.compile(
    r"(?<!\w)(?:love|loved|like|likes|enjoy|great|thanks|keep|how (?:many|often)|help|make|made|got|get|getting|"
    r"receive|see|read|join|want|add|start|send|sign|yes|good|happy|where|when|which|what|can|could|worked|working)(?!\w)"
)
_STRANGER = re.compile(
    r"^(?:who|how|where|why) (?:\w+ ){1,5}(?:my|this|our) (?:\w+ )?(?:number|info|information|contact|phone|cell)"
    r"|^(?:why|y) (?:\w+ ){0,4}(?:texting|text|messaging|contacting|bothering|sending me)"
    r"|never (?:heard of|shopped|bought|ordered from|did business|done business|visited your|used your|been a)"
    r"|^(?:this is |i am |am )?not (?P<name>[a-z]+)$|there is no \w+ (?:here|at this)"
    r"|no \w+ (?:at this number|lives here)"
    r"|wrong (?:no|nu?m\w*|nbr|persn|contact)$"
)
_NOT_A_NAME = vocabulary.family("no name")  # "not sure", "not today"


def find(clause: str) -> str:
    """The kinds of words that stand together in this folded clause, or ""."""
    if _WELCOME.search(clause):
        return ""
    stranger = _STRANGER.search(clause)
    if stranger and stranger["name"] not in _NOT_A_NAME:
        return "a stranger"
    kinds = [_kinds(word) for word in clause.split()]
    if _near(kinds, "ending", "texts") or (len(kinds) <= 3 and _near(kinds, "ending", "me")):
        return "ending and texts"
    if _near(kinds, "anger", ""):
        return "anger"
    if _MANY.search(clause) and not _KIND.search(clause):
        return "of our texts"
    waits = _MISSING.search(clause) and not _WISH.search(clause)
    if not waits and _near(kinds, "refusing", "texts"):
        return "refusing and texts"
    return ""


def _near(kinds: list[frozenset[str]], first: str, second: str) -> bool:
    places = [place for place, of in enumerate(kinds) if first in of]
    if not second:
        return bool(places)
    others = [place for place, of in enumerate(kinds) if second in of]
    return any(0 < abs(other - place) <= _NEAR for place in places for other in others)


@cache
def _kinds(word: str) -> frozenset[str]:
    """Which kinds a word belongs to, itself or one slip of the finger away."""
    own = _table().get(word)
    if own is not None or len(word) < 5:
        return own or frozenset()
    for known, kinds in _table().items():
        if len(known) >= 5 and known[0] == word[0] and folding.distance(word, known, at_most=1) <= 1:
            return kinds
    return frozenset()


@cache
def _table() -> dict[str, frozenset[str]]:
    table: dict[str, frozenset[str]] = {}
    for kind in ("ending", "texts", "refusing", "anger", "me", "common"):
        for word in vocabulary.family(kind):
            table[word] = table.get(word, frozenset()) | {kind}
    return table
