"""A CSV file as records that know their place, so that an import can stop after any of them and resume.

The csv reader is fed one physical line at a time. It never reads ahead, so the bytes handed over when it
returns a record are exactly that record, also where a quoted cell spans lines.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from smsdesk.errors import Invalid

BOM = b"\xef\xbb\xbf"
MAX_RECORD_BYTES = 65_536  # of one record; longer ones are refused and skipped without being held in memory
MAX_RECORD_LINES = 100
MAX_COLUMNS = 200
BLANK_AT_ONCE = 20_000  # lines in which nothing stands, after which a record says how far reading has come
DELIMITERS = (",", ";", "\t", "|")
_EXCERPT = 100


class Record(NamedTuple):
    line: int  # of its first physical line, 1 upward
    cells: list[str]
    end: int  # offset of the first byte after it
    end_line: int  # physical lines done with it
    fault: str = ""  # why it cannot be read; `cells` then holds an excerpt. Neither: only blank lines, many of them
    is_dirty: bool = False  # has NUL or bytes that are not of the encoding (as lone surrogates in `cells`)

    @property
    def is_blank(self) -> bool:
        return not self.cells


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is to be read: its columns, and where the first record after them begins."""

    delimiter: str
    header: tuple[str, ...]
    offset: int
    line: int


class _Oversized(NamedTuple):
    head: bytes
    length: int


class _Unreadable(Exception):
    """Raised through the csv reader to give up the record it is in."""


class _Lines:
    """Hands physical lines to the csv reader and remembers those of the record being read."""

    def __init__(self, pieces: Iterable[bytes], *, encoding: str) -> None:
        self._fresh = _physical_lines(pieces)
        self._returned: deque[bytes | _Oversized] = deque()
        self._encoding = encoding
        self.taken: list[bytes | _Oversized] = []
        self._span = 0  # bytes of those
        self.is_dirty = False

    def begin(self) -> None:
        self.taken = []
        self._span = 0
        self.is_dirty = False

    def give_back_all_but_first(self) -> None:
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._fresh)
        self.taken.append(line)
        self._span += _length(line)
        if isinstance(line, _Oversized):
            raise _Unreadable(f"The line has {line.length:,} bytes; the most is {MAX_RECORD_BYTES:,}.")
        if len(self.taken) > 1:
            self._check_span()
        if b"\0" in line:
            self.is_dirty = True
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError:
            self.is_dirty = True
            return line.decode(self._encoding, "surrogateescape")

    def _check_span(self) -> None:
        if len(self.taken) > MAX_RECORD_LINES or self._span > MAX_RECORD_BYTES:
            raise _Unreadable("A quote that opens in this line is never closed.")


def records(pieces: Iterable[bytes], *, encoding: str, delimiter: str, offset: int, line: int) -> Iterator[Record]:
    """The records of `pieces`, whose first byte has `offset` and follows physical line `line`.

    A record that cannot be read costs its first line only: reading goes on with the next physical line.
    Blank lines give no record, but their bytes belong to the next one; very many of them give a blank record, so
    that whoever reads can stop there too.
    """
    lines = _Lines(pieces, encoding=encoding)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    blank = 0
    while True:
        lines.begin()
        fault = ""
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _Unreadable) as error:
            lines.give_back_all_but_first()
            fault = _reason(error)
            cells = [_excerpt(lines.taken[0], encoding)]
        first_line = line + 1
        offset += sum(map(_length, lines.taken))
        line += len(lines.taken)
        if fault or any(cells):
            blank = 0
            yield Record(first_line, cells, offset, line, fault, lines.is_dirty)
        elif (blank := blank + 1) >= BLANK_AT_ONCE:
            blank = 0
            yield Record(first_line, [], offset, line)


def layout(head: bytes, *, encoding: str, delimiter: str = "") -> Layout:
    """Columns and, where it is not known, delimiter from the first piece of a file.

    Raises `Invalid` when there is no header.
    """
    start = len(BOM) if head.startswith(BOM) else 0
    line = 0
    declared = "" if delimiter else _declared_delimiter(head[start:])
    if declared:
        start += len(head[start:].splitlines(keepends=True)[0])
        line = 1
    delimiter = delimiter or declared or _likely_delimiter(head[start:], encoding)
    rows = records([head[start:]], encoding=encoding, delimiter=delimiter, offset=start, line=line)
    first = next((row for row in rows if not row.is_blank), None)
    if first is None:
        raise Invalid(
            "file_is_empty",
            "The file has no header line.",
            field="file",
            cure="Put the names of the columns into the first line.",
        )
    if first.fault:
        raise Invalid("header_unreadable", first.fault, field="file", value=first.cells[0], cure="Mend line 1.")
    return Layout(delimiter, _column_names(first.cells), first.end, first.end_line)


def _physical_lines(pieces: Iterable[bytes]) -> Iterator[bytes | _Oversized]:
    """Lines with their ends (LF, CRLF or CR), however the file is cut into pieces."""
    rest, head, skipped = b"", b"", 0
    for piece in pieces:
        lines = (rest + piece).splitlines(keepends=True)
        # The last one may go on in the next piece, and a CR at its end may be half of a CRLF.
        rest = lines.pop() if lines else b""
        for line in lines:
            if skipped or len(line) > MAX_RECORD_BYTES:
                yield _Oversized(head if skipped else line[:_EXCERPT], skipped + len(line))
                skipped = 0
            else:
                yield line
        if len(rest) > MAX_RECORD_BYTES:
            head = head if skipped else rest[:_EXCERPT]
            skipped += len(rest) - 1
            rest = rest[-1:]
    if skipped:
        yield _Oversized(head, skipped + len(rest))
    elif rest:
        yield rest


def _length(line: bytes | _Oversized) -> int:
    return line.length if isinstance(line, _Oversized) else len(line)


def _excerpt(line: bytes | _Oversized, encoding: str) -> str:
    head = line.head if isinstance(line, _Oversized) else line[:_EXCERPT]
    return head.decode(encoding, "replace").replace("\0", "").rstrip("\r\n")


def _reason(error: Exception) -> str:
    if isinstance(error, _Unreadable):
        return str(error)
    if "unexpected end" in str(error):
        return "A quote that opens in this line is never closed."
    return 'Text follows a closing quote. Write a quote inside a cell twice ("") and close it before the delimiter.'


def _declared_delimiter(head: bytes) -> str:
    """Spreadsheets may begin a file with `sep=;`."""
    first = head[:8].splitlines()[0] if head else b""
    if len(first) == 5 and first.lower().startswith(b"sep=") and first[4:].decode("latin-1") in DELIMITERS:
        return first[4:].decode("latin-1")
    return ""


def _likely_delimiter(head: bytes, encoding: str) -> str:
    """The one that cuts the first lines into the most, and equally many, cells."""

    def score(delimiter: str) -> tuple[float, int]:
        rows = records([head[: 4 * MAX_RECORD_BYTES]], encoding=encoding, delimiter=delimiter, offset=0, line=0)
        widths = [len(row.cells) for row, _ in zip(rows, range(20), strict=False) if row.cells and not row.fault]
        if not widths or widths[0] < 2:
            return (0.0, 0)
        return (widths.count(widths[0]) / len(widths), widths[0])

    return max(DELIMITERS, key=score)


def _column_names(cells: list[str]) -> tuple[str, ...]:
    """Cleaned, none empty, none twice: a column is mapped by its name."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    if not cells:
        raise Invalid(
            "header_missing",
            "The first line holds no name of a column.",
            field="file",
            cure="Put a line with the names of the columns above the people, for example: phone,name",
        )
    if len(cells) > MAX_COLUMNS:
        raise Invalid(
            "too_many_columns",
            f"The header has {len(cells):,} columns; the most is {MAX_COLUMNS}.",
            field="file",
            cure="Check that the first line holds the names of the columns, and remove what is not needed.",
        )
    names: list[str] = []
    for position, cell in enumerate(cells, start=1):
        printable = "".join(c for c in cell if c.isprintable() and not "\ud800" <= c <= "\udfff")
        name = " ".join(printable.split())[:80] or f"Column {position}"
        while name in names:
            name = f"{name} ({position})"
        names.append(name)
    _refuse_a_person_as_header(names)
    return tuple(names)


def _refuse_a_person_as_header(names: list[str]) -> None:
    for name in names:
        digits = sum(c.isdigit() for c in name)
        if digits >= 7 and digits * 2 > len(name):
            raise Invalid(
                "header_missing",
                "The first line holds a phone number, so it is not a header.",
                field="file",
                value=name,
                cure="Put a line with the names of the columns above it, for example: phone,name",
            )
