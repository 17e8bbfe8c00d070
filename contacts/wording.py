"""What the text of a message must and must not contain; deterministic, no network."""

import re
import unicodedata
from functools import lru_cache

PUBLIC_SHORTENERS = frozenset(
    {"bc.vc", "bit.ly", "budurl.com", "clicky.me", "goo.gl", "is.gd", "lc.chat", "ow.ly", "s2r.co", "soo.gd"}
    | {"t.co", "tiny.cc", "tinyurl.com"}
)
# Whole hosts only (best.com is not t.co), with or without www., a full stop may follow.
_SHORTENER = re.compile(
    r"(?<![\w.-])(?:www\.)?(" + "|".join(re.escape(host) for host in sorted(PUBLIC_SHORTENERS)) + r")(?![\w-]|\.\w)"
)
_ASKED = r"\b(?:reply|text|txt|send|answer|respond|press|enter|type|responde|envia|antworte|repondez)\b"
_NUMBER = r"(?:with )?[\"'“‘]?\d{1,2}\b[\"'”’]?"
_ENDING = r"(?:stop|end|quit|cancel|unsubscribe|opt[ -]?out|be removed|parar|cancelar|beenden|abmelden|arreter)"
_NUMBER_FOR_STOP = re.compile(
    rf"{_ASKED}\W+{_NUMBER}\W*(?:to|for|and|if you want to|=|-|:|para|um|pour)\W*{_ENDING}\b"
    rf"|\b(?:to|for) {_ENDING}\b[^.!?;\n]{{0,30}}{_ASKED}\W+{_NUMBER}(?![\w-]|\W+(?:for|to)\b)"
    rf"|(?<![\w/.,])\d\W{{0,3}}[=:]\W{{0,3}}{_ENDING}\b"
)
_OTHER_DOTS = str.maketrans("。｡", "..")  # IDNA reads them as dots
_HIDDEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def fold(text: str) -> str:
    """Lower case, compatibility forms resolved, invisible characters gone: how texts are compared."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_OTHER_DOTS)).casefold()
        for invisible in {c for c in set(text) if c > "\x7f" and unicodedata.category(c) == "Cf"}:
            text = text.replace(invisible, "")
    return _HIDDEN.sub("", text).lower()


@lru_cache(maxsize=1_000)
def fold_name(name: str) -> str:
    return fold(name)


def public_shortener(folded: str) -> str:
    """The first public link shortener named in a folded text, or ""."""
    found = _SHORTENER.search(folded) if "." in folded else None
    return found[1] if found else ""


def names(folded: str, *, brand: str) -> bool:
    return fold_name(brand) in folded


def number_for_stop(folded: str) -> bool:
    """Whether people are told to answer with a number in place of STOP ("Reply 2 to end", "To stop, text 9")."""
    return bool(_NUMBER_FOR_STOP.search(folded))


def tells_how_to_stop(folded: str) -> bool:
    return "stop" in folded
