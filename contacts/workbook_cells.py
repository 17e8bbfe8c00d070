"""What the cells of an Excel sheet say, as the text a person sees who looks at them."""

import math
import os
import re
import tempfile
from array import array
from collections.abc import Mapping
from datetime import datetime, timedelta

from contacts.workbook_parts import too_large

MAX_TEXT = 70_000  # of one cell; the rest is dropped, and the row is then too long to be read
MAX_STRINGS = 6_000_000
MAX_STYLES = 70_000
_MAX_FORMAT = 255  # characters of a number format, in Excel itself
NOT_CALCULATED = "#CALC!"
LOST = "#REF!"
_WHOLE = re.compile(r"-?[0-9]+")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_EXACT = 1e15  # a spreadsheet keeps 15 digits
_END_OF_DATES = 2_958_466  # the year 10000
_BUILT_IN_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_NO_PART_OF_A_DATE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)


def plain(text: str) -> str:
    """Characters that XML cannot hold are written `_x0007_` in a workbook."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def number(text: str, *, is_date: bool, starts_1904: bool) -> str:
    """Whole numbers digit by digit, so that a phone kept as 1.2025550101E10 is that phone."""
    if not is_date and _WHOLE.fullmatch(text):
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    if is_date and 0 <= value < _END_OF_DATES:
        return _moment(value, starts_1904=starts_1904)
    if not math.isfinite(value):
        return text
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)


def _moment(serial: float, *, starts_1904: bool) -> str:
    days, seconds = divmod(round(serial * 86_400), 86_400)
    if not days:
        return str(timedelta(seconds=seconds)).rjust(8, "0")
    if starts_1904:
        start = datetime(1904, 1, 1)
    else:
        # Excel believes in a 29 February 1900.
        start = datetime(1899, 12, 30) if days >= 60 else datetime(1899, 12, 31)
    moment = start + timedelta(days=min(days, _END_OF_DATES - 1_500), seconds=seconds)
    return moment.isoformat(" ") if seconds else moment.date().isoformat()


class Styles:
    """Which styles show a number as a date."""

    def __init__(self) -> None:
        self.is_date: list[bool] = []
        self._dates = set(_BUILT_IN_DATES)
        self._is_inside = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "numFmt":
            shown = attributes.get("formatCode", "")[:_MAX_FORMAT]
            code = _NO_PART_OF_A_DATE.sub("", shown).partition(";")[0]
            if any(letter in "dmyhsDMYHS" for letter in code.replace("General", "")):
                self._dates.add(_whole(attributes.get("numFmtId", "")))
        elif tag == "cellXfs":
            self._is_inside = True
        elif tag == "xf" and self._is_inside:
            if len(self.is_date) > MAX_STYLES:
                raise too_large()
            self.is_date.append(_whole(attributes.get("numFmtId", "0")) in self._dates)

    def end(self, tag: str) -> None:
        if tag == "cellXfs":
            self._is_inside = False

    def text(self, said: str) -> None: ...


class Strings:
    """The texts that cells share, on disk: a workbook of a million people has millions of them."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        self._ends = array("Q", [0])
        self._parts: list[str] = []
        self._length = 0
        self._is_open = False
        self._is_phonetic = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "t":
            self._is_open = not self._is_phonetic
        elif tag == "si":
            self._parts, self._length = [], 0
        elif tag == "rPh":
            self._is_phonetic = True

    def end(self, tag: str) -> None:
        if tag == "t":
            self._is_open = False
        elif tag == "rPh":
            self._is_phonetic = False
        elif tag == "si":
            self._add(plain("".join(self._parts)))

    def text(self, said: str) -> None:
        if self._is_open and self._length < MAX_TEXT:
            self._parts.append(said)
            self._length += len(said)

    def ready(self) -> None:
        """After the last text, before the first question."""
        self._file.flush()

    def at(self, place: str) -> str:
        index = _whole(place)
        if not 0 <= index < len(self._ends) - 1:
            return LOST
        begin = self._ends[index]
        return os.pread(self._file.fileno(), self._ends[index + 1] - begin, begin).decode("utf-8", "surrogatepass")

    def close(self) -> None:
        self._file.close()

    def _add(self, text: str) -> None:
        if len(self._ends) > MAX_STRINGS:
            raise too_large()
        self._ends.append(self._ends[-1] + self._file.write(text.encode("utf-8", "surrogatepass")))


def _whole(text: str) -> int:
    return int(text) if len(text) < 12 and text.isascii() and text.isdigit() else -1
