"""What a text becomes on the air: alphabet, parts, and the characters that make it dear.

GSM 03.38 / 3GPP TS 23.038: 160 septets, or 153 in each part of several; UCS-2: 70 or 67 UTF-16 code units.
Counted by code unit, as carriers bill; some previews keep an emoji family whole and count one part more.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

Encoding = Literal["gsm7", "ucs2"]

GSM7_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_EXTENSION = "\f^{}\\[~]|€"  # each takes two septets: escape and code

_SINGLE: dict[Encoding, int] = {"gsm7": 160, "ucs2": 70}
_IN_PARTS: dict[Encoding, int] = {"gsm7": 153, "ucs2": 67}

_is_basic = re.compile(f"[{re.escape(GSM7_BASIC)}]*").fullmatch
_is_gsm7 = re.compile(f"[{re.escape(GSM7_BASIC + GSM7_EXTENSION)}]*").fullmatch
_outside_gsm7 = re.compile(f"[^{re.escape(GSM7_BASIC + GSM7_EXTENSION)}]").findall
_extended = re.compile(f"[{re.escape(GSM7_EXTENSION)}]").findall
_needs_cleaning = re.compile("[\x00\ud800-\udfff]|\r\n").search


@dataclass(frozen=True, slots=True)
class Measure:
    """`units`: septets or UTF-16 code units; `left`: units free in the last part; `forcing`: what forced UCS-2."""

    encoding: Encoding
    parts: int
    units: int
    left: int
    forcing: tuple[str, ...] = ()


def measure(text: str) -> Measure:
    """How `text`, taken as written, is sent. An empty text has 0 parts."""
    if _is_basic(text):
        return _even("gsm7", len(text), ())
    if _is_gsm7(text):
        units = len(text) + len(_extended(text))
        return _even("gsm7", units, ()) if units <= 160 else _uneven(text, "gsm7", units, ())
    forcing = tuple(dict.fromkeys(_outside_gsm7(text)))
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units <= 70 or units == len(text):
        return _even("ucs2", units, forcing)
    return _uneven(text, "ucs2", units, forcing)


def split(text: str) -> list[str]:
    """The parts of `text` as they leave; an escape or surrogate pair is never torn apart."""
    return [part for part, _ in _parts(text, measure(text).encoding)]


def typographic(text: str) -> str:
    """`text` in NFC with curly quotes, dashes, odd spaces and the like replaced by their GSM-7 relatives."""
    return unicodedata.normalize("NFC", text).translate(_replacements())


def clean(text: str) -> str:
    """NFC, LF for CRLF, without NUL and lone surrogates: what databases and gateways all take."""
    if _needs_cleaning(text):
        # The detour joins a pair that came as two halves and drops what has no other half.
        text = text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        text = text.replace("\r\n", "\n")
    return unicodedata.normalize("NFC", text)


def storable(value: object) -> Any:
    """A JSON value without the characters a database refuses, in its keys too; numbers and lists are kept."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    return value if isinstance(value, int | bool | None) else clean(str(value))


def _even(encoding: Encoding, units: int, forcing: tuple[str, ...]) -> Measure:
    """A text that fits one part, or whose characters all take one unit: plain arithmetic is right."""
    single = _SINGLE[encoding]
    if units <= single:
        return Measure(encoding, 1 if units else 0, units, single - units, forcing)
    room = _IN_PARTS[encoding]
    parts = -(-units // room)
    return Measure(encoding, parts, units, parts * room - units, forcing)


def _uneven(text: str, encoding: Encoding, units: int, forcing: tuple[str, ...]) -> Measure:
    used = [taken for _, taken in _parts(text, encoding)]
    return Measure(encoding, len(used), units, _IN_PARTS[encoding] - used[-1], forcing)


def _parts(text: str, encoding: Encoding) -> Iterator[tuple[str, int]]:
    """Each part with the units it takes."""
    widths = [_width(character, encoding) for character in text]
    total = sum(widths)
    room = _SINGLE[encoding] if total <= _SINGLE[encoding] else _IN_PARTS[encoding]
    start, taken = 0, 0
    for position, width in enumerate(widths):
        if taken + width > room:
            yield text[start:position], taken
            start, taken = position, 0
        taken += width
    if taken:
        yield text[start:], taken


def _width(character: str, encoding: Encoding) -> int:
    if encoding == "gsm7":
        return 2 if character in GSM7_EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1


@lru_cache(maxsize=1)
def _replacements() -> dict[int, str]:
    path = Path(__file__).with_name("data") / "smart_encoding.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {int(row["codepoint"], 16): row["replacement"] for row in csv.DictReader(file)}
