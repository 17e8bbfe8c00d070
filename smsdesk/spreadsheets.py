"""CSV that people open in a spreadsheet: streamed, read as UTF-8, and never taken for a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The rows as lines of a file, one at a time. Cells that others wrote go through `defused` first."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield "\ufeff"  # without it, Excel reads another encoding
    for row in rows:
        yield writer.writerow(row)


def defused(cell: str) -> str:
    """A cell no spreadsheet takes for a formula (CWE-1236), also where it cuts cells at other delimiters."""
    return f"'{cell}" if cell.startswith(_FORMULA) or cell.lstrip(" ;,\t\r\n").startswith(_FORMULA) else cell


class _Echo:
    """A file that hands back what is written: `csv` needs one."""

    def write(self, line: str) -> str:
        return line
