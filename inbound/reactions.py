# ruff: noqa: E501  word tables
"""Reactions, which phones send as texts: "Liked “…”". What stands in quotes is our own text.

A form is how a language says it: “” is the quotation, `*` a few words, `☺` an emoji or two.
"""

import re

_FORMS = (
    # English, iPhones and Android
    "liked “”", "loved “”", "disliked “”", "laughed at “”", "emphasized “”", "emphasised “”", "questioned “”",
    "reacted ☺ to “”", "reacted with ☺ to “”", "reacted to “” with ☺", "☺ to “”", "removed * from “”",
    # Spanish
    "le gustó “”", "le gusto “”", "no le gustó “”", "le encantó “”", "le encanto “”", "le dio risa “”", "se rió de “”",
    "se rio de “”", "enfatizó “”", "cuestionó “”", "puso en duda “”", "reaccionó con ☺ a “”", "reaccionó ☺ a “”",
    "me gusta “”", "eliminó * de “”", "quitó * de “”", "exclamó por “”",
    # French
    "a aimé “”", "a adoré “”", "n’a pas aimé “”", "n'a pas aimé “”", "j’aime “”", "j'aime “”", "a ri de “”", "a ri à “”",
    "a mis l’accent sur “”", "a mis l'accent sur “”", "a insisté sur “”", "a mis en doute “”", "s’interroge sur “”",
    "a ajouté * à “”", "a réagi avec ☺ à “”", "a réagi par ☺ à “”", "a retiré * de “”", "a supprimé * de “”",
    # German
    "gefällt “”", "gefällt mir “”", "liebt “”", "lacht über “”", "betont “”", "hinterfragt “”",
    "hat “” mit “” markiert", "hat * auf “” reagiert", "hat auf “” mit ☺ reagiert", "hat “” geliked", "hat “” betont",
    "reagierte mit ☺ auf “”", "reagiert mit ☺ auf “”", "mit ☺ auf “” reagiert", "hat * von “” entfernt",
    # Italian
    "ha messo “” a “”", "ha messo mi piace a “”", "ha espresso “” per “”", "ha apprezzato “”", "non ha apprezzato “”",
    "ha amato “”", "ha adorato “”", "ha riso a “”", "ha riso di “”", "ha riso per “”", "ha enfatizzato “”",
    "ha contestato “”", "ha reagito con ☺ a “”", "ha reagito ☺ a “”", "ha rimosso * da “”",
    # Portuguese
    "curtiu “”", "não curtiu “”", "descurtiu “”", "amou “”", "adorou “”", "gostou de “”", "não gostou de “”", "riu de “”",
    "riu-se de “”", "enfatizou “”", "questionou “”", "reagiu com ☺ a “”", "reagiu ☺ a “”", "removeu * de “”",
    # Dutch
    "vond “” leuk", "vond “” niet leuk", "vond “” geweldig", "vindt “” leuk", "heeft “” leuk gevonden", "leuk gevonden “”",
    "lachte om “”", "benadrukte “”", "reageerde met ☺ op “”", "heeft met ☺ gereageerd op “”",
    # others
    "gillade “”", "älskade “”", "skrattade åt “”", "likte “”", "synes godt om “”", "elsket “”", "elskede “”",
    "polubił(a) “”", "polubiono “”", "понравилось “”", "нравится “”",
)  # fmt: skip
_THINGS = "image|photo|picture|video|attachment|audio message|voice message|sticker|message|link|gif|location|movie"
_OPEN, _CLOSE = '“"„«»‘', '”"“»«’'
_QUOTATION = rf"[{_OPEN}](?:.*[{_CLOSE}]|[^{_CLOSE}]*$)"  # to its end, or cut off by the carrier
_PARTS = {"“”": _QUOTATION, "*": rf"[^{_OPEN}]{{1,24}}", "☺": r"[\W_]{1,12}"}


def _pattern(form: str) -> str:
    pieces = (_PARTS.get(piece) or re.escape(piece) for piece in re.findall(r"“”|\*|☺|[^“”*☺\s]+", form))
    return r"\s{0,3}".join(pieces)


_REACTION = re.compile(rf"\W*(?:{'|'.join(map(_pattern, _FORMS))})\W*", re.IGNORECASE | re.DOTALL)
_TO_A_THING = re.compile(
    rf"\W*(?:liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|reacted \W{{1,12}} to|removed [^{_OPEN}]{{1,24}} from)"
    rf" an? (?:{_THINGS})\W*",
    re.IGNORECASE,
)
_UNSEEN = re.compile(r"[\u200b-\u200f\u2060-\u2064\ufeff]")  # Android sets them around the emoji


def is_one(text: str) -> bool:
    """Nothing but a reaction: who goes on after the quotation says something too."""
    seen = _UNSEEN.sub("", text)
    return bool(_REACTION.fullmatch(seen) or _TO_A_THING.fullmatch(seen))
