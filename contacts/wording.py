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


def tells_how_to_stop(folded: str) -> bool:
    return "stop" in folded
