# ruff: noqa: E501  word tables
"""Make two spellings of one word equal: width, case, accents, hidden characters, look-alikes, texting short forms.

Pure and bounded: at most `LIMIT` characters are read, so no text can make the matcher slow.
"""

import itertools
import re
import unicodedata
from dataclasses import dataclass

LIMIT = 1600  # characters: ten parts of an SMS; of a longer text the end is read, and as much of its beginning
_END = 600

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}
_NO_DECOMPOSITION = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ё": "е"})
_APOSTROPHES = re.compile(r"['’‘ʼ`´′]")
_BREAK = re.compile(r"[.!?;:,\n\r()\[\]{}…|¡¿。！？、，；：]+|\s[-–—]+\s|--+")
_NOT_WORD = re.compile(r"[\W_]+")
_NUMBER_SIGN = re.compile(r"(?<=[a-z])\s+#(?!\w)")  # "wrong #"
_DOLLAR = re.compile(r"\$(?=[a-z]{2})")  # "$top"
_STOP_TO = re.compile(r"\b(stop)2(?=[a-z])")  # "stop2end"
_SIGNATURE = re.compile(
    r"^\W*(sent (from|via|with) |get outlook for |envoy[eé] de(puis)? (mon|ma) |von meinem .{1,30}gesendet"
    r"|enviado (desde|do|de) (mi|meu|min) |inviato da(l mio)? |verzonden vanaf mijn |skickat fr[aå]n )",
    re.IGNORECASE,
)
# Lines of a thread that is answered: "> …" and what mail programs write above it.
_ANSWERED = re.compile(
    r"^\s*>|^\s*(?:on|el|le|am|il|em|op) .{3,80} (?:wrote|escribi[oó]|a [eé]crit|schrieb|ha scritto|escreveu|schreef)\W*$",
    re.IGNORECASE,
)
# How our own texts end; people send them back whole.
_WAY_OUT = re.compile(
    r"(?:^|(?<=[.!?:;|)\n-])) *(?:reply|text|txt|send|respond|rply)(?: with)? \W?stop\W? (?:to|2) "
    r"(?:end|quit|cancel|stop|unsub|unsubscribe|opt[ -]?out)(?: (?:texts|messages|msgs|alerts))?(?=\W*$|[.!\n])",
    re.IGNORECASE | re.MULTILINE,
)
# The quoted part of a long quotation is our own text coming back.
_QUOTED = re.compile(r"[\"“”„«»][^\"“”„«»]{12,}[\"“”„«»]")

# Cyrillic and Greek letters that look like Latin ones; used only where the result is a word we know.
_LOOKALIKES = str.maketrans("асеорхуѕіјтнкмвԁрοτραειυνκ", "aceopxysijthkmbdpotpaeiuvk")
_LEET = str.maketrans("013457@$", "oieastas")

_SHORT_FORMS = {
    "u": "you", "yall": "you", "ur": "your", "r": "are", "im": "i am", "ive": "i have", "id": "i would",
    "youre": "you are", "youve": "you have", "its": "it is", "plz": "please", "pls": "please", "plse": "please",
    "plez": "please", "pleas": "please", "pleez": "please", "thx": "thanks", "tks": "thanks", "thanx": "thanks",
    "ty": "thanks", "tyvm": "thanks", "cannot": "cant", "donot": "dont", "dnt": "dont", "dont't": "dont",
    "txt": "text", "txts": "texts", "txting": "texting", "texing": "texting", "textin": "texting",
    "texti": "texting", "textng": "texting", "tex": "text", "msg": "message", "msgs": "messages",
    "msging": "messaging", "msgn": "messaging", "mesage": "message", "mesages": "messages", "messege": "message",
    "messeges": "messages", "massages": "messages", "mssg": "message", "mssgs": "messages", "messagin": "messaging",
    "sendin": "sending", "wanna": "want to", "gonna": "going to", "gotta": "have to", "nomore": "no more",
    "anymor": "anymore", "anymre": "anymore", "nbr": "number", "num": "number", "numba": "number", "nr": "number",
    "phonenumber": "number", "isnt": "is not", "arent": "are not", "wasnt": "was not", "aint": "is not",
    "unsub": "unsubscribe", "rmv": "remove", "deleet": "delete", "kno": "know", "howd": "how did", "op": "opt", "outta": "out of", "ppl": "people", "b4": "before",
    "cuz": "because", "w": "with", "n": "and", "k": "ok", "okay": "ok", "f": "fuck", "fuckin": "fucking",
}  # fmt: skip
_TWO_WORDS = {
    ("do", "not"): "dont", ("can", "not"): "cant", ("will", "not"): "wont", ("any", "more"): "anymore",
    ("did", "not"): "didnt", ("does", "not"): "doesnt", ("should", "not"): "shouldnt", ("un", "subscribe"): "unsubscribe",
    ("have", "not"): "havent", ("thank", "you"): "thanks", ("don", "t"): "dont", ("no", "longer"): "nolonger",
    ("any", "longer"): "anymore", ("text", "messages"): "texts", ("text", "message"): "text", ("txt", "messages"): "texts",
    ("text", "messaging"): "texting", ("right", "now"): "now", ("right", "away"): "now", ("phone", "number"): "number",
    ("cell", "number"): "number", ("mobile", "number"): "number", ("cell", "phone"): "phone", ("would", "not"): "wouldnt",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Folded:
    """What is left to match: `words` of the whole text, the same by `clauses`, and the symbols that stood in it.

    `compact` joins the words as they were written; `is_spelled` means single letters, "S T O P".
    """

    words: tuple[str, ...]
    clauses: tuple[str, ...]
    symbols: frozenset[str]
    compact: str
    is_spelled: bool

    @property
    def line(self) -> str:
        return " ".join(self.words)


def fold(text: str) -> Folded:
    """Only their own words: signatures, quotations and our own text coming back are dropped."""
    visible = _visible(text)
    plain = strip_marks(_own(visible).casefold())
    plain = _DOLLAR.sub("s", plain)
    plain = _STOP_TO.sub(r"\1 to ", _NUMBER_SIGN.sub(" number", plain))
    written = _split(plain)
    return Folded(
        words=tuple(_words(_unspelled(written))),
        clauses=tuple(c for c in (" ".join(_words(_split(part))) for part in _BREAK.split(plain)) if c),
        symbols=frozenset(c for c in visible if unicodedata.category(c) in ("So", "Sk")),
        compact="".join(written),
        is_spelled=len(written) >= 3 and all(len(word) == 1 for word in written),
    )


def _visible(text: str) -> str:
    near = text if len(text) <= LIMIT else f"{text[: LIMIT - _END]}\n{text[-_END:]}"
    normal = unicodedata.normalize("NFKC", near)[: 2 * LIMIT]  # one character can become eighteen
    return "".join(c for c in normal if c in "\n\r\t" or unicodedata.category(c) not in _HIDDEN)


def _own(visible: str) -> str:
    lines = [line for line in visible.splitlines() if not _SIGNATURE.match(line)]
    kept = "\n".join(line for line in lines if not _ANSWERED.match(line)) or "\n".join(lines)
    for ours in (_QUOTED, _WAY_OUT):
        left = ours.sub(" ", kept)
        kept = left if _NOT_WORD.sub("", left) else kept  # who puts all of it in quotes says it all the same
    return kept


def strip_marks(text: str) -> str:
    """Without accents; composed again, so that Hangul and kana stay whole."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", bare).translate(_NO_DECOMPOSITION)


def plain_words(text: str) -> tuple[str, ...]:
    """The words as written, folded but with short forms left alone: how word lists are read."""
    return tuple(_split(strip_marks(text.casefold())))


def disguises(word: str) -> tuple[str, ...]:
    """Other readings of one written word: look-alike alphabets, digits for letters, drawn-out letters."""
    latin = word.translate(_LOOKALIKES)
    readings = {latin, latin.translate(_LEET) if any(c.isalpha() for c in latin) else latin}
    readings |= {re.sub(r"(.)\1{2,}", r"\1", reading) for reading in readings}
    readings |= {re.sub(r"(.)\1+", r"\1", reading) for reading in readings if re.search(r"(.)\1{2,}", reading)}
    return tuple(readings - {word})


def distance(left: str, right: str, *, at_most: int) -> int:
    """Edits between two words, a swap of neighbours counted as one; `at_most + 1` when there are more."""
    if abs(len(left) - len(right)) > at_most:
        return at_most + 1
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        current = [i]
        for j, b in enumerate(right, 1):
            best = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            current.append(best)
        before, previous = previous, current
    return previous[-1]


def _split(plain: str) -> list[str]:
    return [_one_alphabet(word) for word in _NOT_WORD.split(_APOSTROPHES.sub("", plain)) if word]


def _one_alphabet(word: str) -> str:
    """No honest word mixes Latin letters with others that look like them."""
    if word.isascii() or not any("a" <= c <= "z" for c in word):
        return word
    return word.translate(_LOOKALIKES)


def _unspelled(written: list[str]) -> list[str]:
    """ "s t o p texting": four and more letters on their own are a word."""
    joined: list[str] = []
    for is_letter, run in itertools.groupby(written, key=lambda word: len(word) == 1 and word.isalpha()):
        letters = list(run)
        joined += ["".join(letters)] if is_letter and len(letters) >= 4 else letters
    return joined


def _words(written: list[str]) -> list[str]:
    paired: list[str] = []
    for word in written:
        if paired and (pair := _TWO_WORDS.get((paired[-1], word))):
            paired[-1] = pair
        else:
            paired.append(word)
    return [part for word in paired for part in _SHORT_FORMS.get(word, word).split()]
