"""Numbers somebody pasted or uploaded: one to a line, whatever else stands on it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from smsdesk import phones, sms_text
from smsdesk.errors import Invalid

MOST_LINES = 20_000
MOST_BYTES = 5 * 1_048_576
_CELLS = re.compile(r"[,;\t|]")


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is no number: where, what stands there (masked), and why not."""

    line: int
    shown: str
    reason: str


@dataclass(slots=True)
class Numbers:
    found: dict[str, str] = field(default_factory=dict)  # subscriber key → E.164, in the order of the lines
    repeated: int = 0
    problems: list[Problem] = field(default_factory=list)


def decoded(content: bytes) -> str:
    """The text of an uploaded file: UTF-8, or the code page of an old spreadsheet."""
    if len(content) > MOST_BYTES:
        raise Invalid("file_too_large", "The file is larger than 5 MB.", field="file", cure="Split it.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def read(text: str, *, default_region: str) -> Numbers:
    """Each line's first cell with a digit is its number; a first line without digits is a heading.

    Numbers without + are read as dialled inside `default_region`; "" refuses them. Raises `Invalid` for too many
    lines.
    """
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        cure = f"Give at most {MOST_LINES:,} at once."
        raise Invalid("too_many_lines", f"These are {len(lines):,} lines.", field="numbers", cure=cure)
    numbers = Numbers()
    for line, cell in _cells(lines):
        try:
            parsed = phones.parse(sms_text.clean(cell), default_region=default_region)
        except Invalid as error:
            numbers.problems.append(Problem(line, phones.mask(cell[:40]), f"{error.message} {error.cure}".strip()))
            continue
        if parsed.subscriber_key in numbers.found:
            numbers.repeated += 1
        numbers.found.setdefault(parsed.subscriber_key, parsed.e164)
    return numbers


def _cells(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """(line, the cell that should hold its number)"""
    for line, text in enumerate(lines, start=1):
        cells = [cell.strip().strip("\"'").strip() for cell in _CELLS.split(text)]
        filled = [cell for cell in cells if cell]
        if not filled:
            continue
        with_digits = next((cell for cell in filled if any(c.isdigit() for c in cell)), None)
        if with_digits is None and line == 1:
            continue
        yield line, with_digits or filled[0]
