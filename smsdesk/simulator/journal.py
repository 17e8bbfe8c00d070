"""The carrier's own append-only log, one JSON object a line; the kinds of line stand in docs/simulator.md."""

import json
import time
from collections.abc import Iterator
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any, TextIO

from smsdesk.simulator.messages import Message

LEVELS = ("all", "accepted")


class Journal:
    """Lines wait in memory until `flush`, which the server calls every 50 ms and at its end."""

    def __init__(self, path: Path | None, *, level: str = "all") -> None:
        self.writes_all = level == "all"
        self._file: TextIO | None = path.open("a", encoding="ascii") if path else None
        self._lines: list[str] = []

    def flush(self) -> None:
        if self._lines and self._file is not None:
            text = "".join(self._lines)
            self._lines.clear()
            self._file.write(text)
            self._file.flush()

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def seen(self, message: Message, *, call: int, number: int, at: float, mono: float) -> None:
        if self.writes_all and self._file is not None:
            self._lines.append(
                f'{{"kind":"seen","t":{at:.6f},"mono":{mono:.6f},"call":{call},"dialect":"{message.dialect}",'
                f'"reference":{quoted(message.reference)},"number":{number},"to":{quoted(message.to)}}}\n'
            )

    def accepted(self, message: Message, *, call: int, mono: float) -> None:
        if self._file is not None:
            self._lines.append(
                f'{{"kind":"accepted","t":{message.at:.6f},"mono":{mono:.6f},"call":{call},'
                f'"dialect":"{message.dialect}","gateway_id":{quoted(message.gateway_id)},'
                f'"reference":{quoted(message.reference)},"to":{quoted(message.to)},"from":{quoted(message.sender)},'
                f'"body":{quoted(message.text)},"encoding":"{message.encoding}","parts":{message.parts}}}\n'
            )

    def always(self, kind: str, fields: dict[str, Any]) -> None:
        """A line that every level holds."""
        if self._file is not None:
            line = {"kind": kind, "t": round(time.time(), 6), "mono": round(time.monotonic(), 6), **fields}
            self._lines.append(json.dumps(line) + "\n")

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        if self.writes_all:
            self.always(kind, fields)


def read(path: Path, *, kind: str = "") -> Iterator[dict[str, Any]]:
    """The lines of a journal, of one `kind` if given. A last line still being written is left out."""
    if not path.exists():
        return
    with path.open(encoding="ascii") as lines:
        for line in lines:
            if line.endswith("\n") and kind in line[:40]:
                entry = json.loads(line)
                if not kind or entry["kind"] == kind:
                    yield entry
