"""An Excel workbook as CSV: the first sheet in which something stands, as a stream, in constant memory.

Each row of the sheet becomes exactly one line, an empty one an empty line, so a line's number is its row's.
Formulas count with the value the spreadsheet last saw; of merged cells only the first has one.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import IO

from contacts.workbook_cells import MAX_TEXT, NOT_CALCULATED, Strings, Styles, number, plain
from contacts.workbook_parts import LARGE, Parts, too_large
from smsdesk.errors import Invalid

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
DELIMITER = ","
MAX_ROWS = 1_048_576  # of Excel itself
MAX_COLUMNS = 250  # what stands further right makes the row too long; a header of so many is refused
MAX_SHEETS = 1_000  # of which more than a handful is rare
_MAX_SWELLING = 16 * 1_048_576  # characters that one piece of a sheet may become, where cells share long texts
_IN_ONE_LINE = str.maketrans({"\n": " ", "\r": " "})


class Workbook:
    """`sheet` is the one that is read, `others` are the names of those that are not."""

    def __init__(self, file: IO[bytes]) -> None:
        with ExitStack() as opened:
            self._parts = opened.enter_context(Parts(file))
            name = self._parts.related("").first("officeDocument")
            if not name:
                raise _no_workbook()
            index = _Index()
            self._parts.read(name, index)
            relations = self._parts.related(name)
            self._strings = Strings()
            opened.callback(self._strings.close)
            self._styles = Styles()
            self._read_shared(relations.first("sharedStrings"), relations.first("styles"))
            self._starts_1904 = index.starts_1904
            sheets = [(title, *relations.by_id.get(key, ("", ""))) for title, key in index.visible]
            self.sheet, self._lines = self._first_filled([(t, part) for t, kind, part in sheets if kind == _SHEET])
            self.others = [title for title, kind, _ in sheets if kind == _SHEET and title != self.sheet]
            self._opened = opened.pop_all()

    def __enter__(self) -> "Workbook":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def lines(self) -> Iterator[bytes]:
        """The sheet as UTF-8 CSV, in pieces of whole lines; may be asked for once."""
        return self._lines

    def _read_shared(self, strings: str, styles: str) -> None:
        if styles:
            self._parts.read(styles, self._styles)
        if strings:
            for _ in self._parts.walk(strings, self._strings, at_most=LARGE):
                pass
        self._strings.ready()

    def _first_filled(self, sheets: Sequence[tuple[str, str]]) -> tuple[str, Iterator[bytes]]:
        for title, part in sheets:
            pieces = self._pieces(part)
            head = b""
            for piece in pieces:
                head += piece
                if piece.strip(b"\n"):
                    return title, _chained(head, pieces)
        raise Invalid(
            "file_is_empty",
            "No visible sheet of this workbook has a cell in which something stands.",
            field="file",
            cure="Put the names of the columns into the first row, and a person into each row below.",
        )

    def _pieces(self, part: str) -> Iterator[bytes]:
        rows = _Rows(self._strings, is_date=self._styles.is_date, starts_1904=self._starts_1904)
        for _ in self._parts.walk(part, rows, at_most=LARGE):
            if piece := rows.taken():
                yield piece


_SHEET = "worksheet"
_MAX_NAME = 100  # characters of a sheet's name; Excel allows 31


class _Index:
    """The sheets that people see: title and the id of its part."""

    def __init__(self) -> None:
        self.visible: list[tuple[str, str]] = []
        self.starts_1904 = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "sheet" and attributes.get("state", "visible") == "visible":
            if len(self.visible) >= MAX_SHEETS:
                raise too_large()
            key = next((value for name, value in attributes.items() if name.endswith(":id")), "")
            self.visible.append((attributes.get("name", "")[:_MAX_NAME], key))
        elif tag == "workbookPr":
            self.starts_1904 = attributes.get("date1904", "") in ("1", "true")

    def end(self, tag: str) -> None: ...

    def text(self, said: str) -> None: ...


class _Rows:
    """Turns the elements of a sheet into lines of CSV."""

    def __init__(self, strings: Strings, *, is_date: Sequence[bool], starts_1904: bool) -> None:
        self._strings = strings
        self._is_date = is_date
        self._starts_1904 = starts_1904
        self._lines = io.StringIO()
        self._write = csv.writer(self._lines, delimiter=DELIMITER, lineterminator="\n").writerow
        self._row = 0
        self._cells: list[str] = []
        self._width = 0  # characters of the row
        self._column = 0
        self._kind = ""
        self._style = ""
        self._said: list[str] = []
        self._length = 0
        self._is_open = self._is_phonetic = self._is_formula = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "c":
            self._column = _column(attributes.get("r", ""), following=self._column + 1)
            self._kind = attributes.get("t", "n")
            self._style = attributes.get("s", "")
            self._said, self._length, self._is_formula = [], 0, False
        elif tag == "v" or tag == "t":
            self._is_open = not self._is_phonetic
        elif tag == "f":
            self._is_formula = True
        elif tag == "row":
            self._begin(attributes.get("r", ""))
        elif tag == "rPh":
            self._is_phonetic = True

    def end(self, tag: str) -> None:
        if tag == "v" or tag == "t":
            self._is_open = False
        elif tag == "c":
            self._keep(self._value())
        elif tag == "row":
            self._finish()
        elif tag == "rPh":
            self._is_phonetic = False

    def text(self, said: str) -> None:
        if self._is_open and self._length < MAX_TEXT:
            self._said.append(said)
            self._length += len(said)

    def taken(self) -> bytes:
        """The lines since the last call."""
        text = self._lines.getvalue()
        self._lines.seek(0)
        self._lines.truncate()
        return text.encode("utf-8", "surrogatepass")

    def _begin(self, number: str) -> None:
        row = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else 0
        row = max(row, self._row + 1)
        if row > MAX_ROWS:
            raise too_large()
        self._lines.write("\n" * (row - self._row - 1))
        self._row, self._cells, self._column, self._width = row, [], 0, 0

    def _finish(self) -> None:
        if any(self._cells):
            self._write(self._cells)
        else:
            self._lines.write("\n")
        if self._lines.tell() > _MAX_SWELLING:
            raise too_large()

    def _keep(self, value: str) -> None:
        if not value or self._width > MAX_TEXT:  # then the row is too long to be read, whatever else stands in it
            return
        self._width += len(value)
        place = min(self._column, MAX_COLUMNS) - 1
        if place < len(self._cells):
            self._cells[place] = value
        else:
            self._cells += [""] * (place - len(self._cells))
            self._cells.append(value)

    def _value(self) -> str:
        said = "".join(self._said)
        if not said:
            return NOT_CALCULATED if self._is_formula and self._kind != "str" else ""
        if self._kind == "s":
            said = self._strings.at(said)
        elif self._kind == "n":
            return number(said.strip(), is_date=self._shows_date(), starts_1904=self._starts_1904)
        elif self._kind == "b":
            return "TRUE" if said.strip() == "1" else "FALSE"
        elif self._kind in ("str", "inlineStr"):
            said = plain(said)
        return said.translate(_IN_ONE_LINE) if "\n" in said or "\r" in said else said

    def _shows_date(self) -> bool:
        style = self._style
        if not style or len(style) > 6 or not (style.isascii() and style.isdigit()):
            return False
        return int(style) < len(self._is_date) and self._is_date[int(style)]


def _column(place: str, *, following: int) -> int:
    """1 for A5, 28 for AB5; where a cell does not say, it follows the one before."""
    column = 0
    for letter in place[:4]:
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - 64
    return column or following


def _chained(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _no_workbook() -> Invalid:
    return Invalid(
        "file_is_not_csv",
        "This is a zip archive, and no Excel workbook (.xlsx) is in it.",
        field="file",
        cure="Unpack it, and upload the CSV file or the workbook itself.",
    )
