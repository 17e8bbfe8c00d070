"""The parts of an Excel workbook: a zip archive of XML, read in bounded pieces and trusted in nothing.

Written by hand because the usual library keeps every text of a workbook in memory and fills up gaps that a hostile
file only declares. Here a document type is refused, so no entity can grow; sizes are checked against what the
archive's directory says, beyond which zipfile reads nothing.
"""

import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Protocol
from xml.parsers import expat

from smsdesk import clock
from smsdesk.errors import Invalid

SMALL = 16 * 1_048_576  # styles, relations, the workbook itself, once unpacked
LARGE = 768 * 1_048_576  # a sheet or the texts of a workbook, once unpacked
MAX_DIRECTORY = 1_048_576  # bytes of the archive's directory: some 10,000 parts
MAX_SECONDS = 180.0  # for a whole workbook: nothing that people fill in takes that long
MAX_DEPTH = 64  # tags inside tags: the parser remembers each until it is closed
MAX_TOKEN = 2 * 1_048_576  # bytes of one tag with its attributes
_PIECE = 65_536
_END_OF_DIRECTORY = b"PK\x05\x06"
_BROKEN = (
    expat.ExpatError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,  # an encoding nobody knows
    NotImplementedError,
    OSError,
    RuntimeError,  # a part with a password
    ValueError,
)


class Reader(Protocol):
    """What is told the elements of one part; tags come without the prefix of their namespace."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...

    def text(self, said: str) -> None: ...


class Parts:
    def __init__(self, file: IO[bytes]) -> None:
        _check_directory(file)
        try:
            self._archive = zipfile.ZipFile(file)
        except _BROKEN as error:
            raise unreadable() from error
        self._elapsed = clock.Elapsed()
        self._members = {info.filename.lower(): info for info in self._archive.infolist()}

    def __enter__(self) -> "Parts":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._members

    def walk(self, name: str, reader: Reader, *, at_most: int) -> Iterator[None]:
        """Tell `reader` the part, piece by piece: between two pieces what it has gathered can be taken."""
        info = self._members.get(name.lower())
        if info is None or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise unreadable()
        if info.file_size > at_most:
            raise too_large()
        parser = _parser(reader)
        try:
            with self._archive.open(info) as part:
                fed = 0
                while piece := part.read(_PIECE):
                    parser.Parse(piece, False)
                    fed += len(piece)
                    if fed - max(parser.CurrentByteIndex, 0) > MAX_TOKEN or self._elapsed.seconds() > MAX_SECONDS:
                        raise too_large()
                    yield
                parser.Parse(b"", True)
        except _BROKEN as error:
            raise unreadable() from error
        yield

    def read(self, name: str, reader: Reader) -> None:
        """Tell `reader` a small part."""
        for _ in self.walk(name, reader, at_most=SMALL):
            pass

    def related(self, name: str) -> "Relations":
        """What the part `name` ("" : the workbook as a whole) refers to."""
        folder, _, last = name.rpartition("/")
        relations = Relations(folder)
        path = posixpath.join(folder, "_rels", f"{last}.rels")
        if path in self:
            self.read(path, relations)
        return relations


class Relations:
    """Id → (kind, name of the part); kinds are "worksheet", "styles" and such."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.by_id: dict[str, tuple[str, str]] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            target = posixpath.normpath(posixpath.join("/", self._folder, attributes.get("Target", "")))
            self.by_id[attributes.get("Id", "")] = kind, target.lstrip("/")

    def end(self, tag: str) -> None: ...

    def text(self, said: str) -> None: ...

    def first(self, kind: str) -> str:
        """The part of this kind, or ""."""
        return next((name for found, name in self.by_id.values() if found == kind), "")


def unreadable() -> Invalid:
    return Invalid(
        "workbook_unreadable",
        "The workbook is damaged, protected or not one of Excel's.",
        field="file",
        cure="Open it in the spreadsheet, save it as “Excel workbook (.xlsx)” or as “CSV UTF-8”, and upload that.",
    )


def too_large() -> Invalid:
    return Invalid(
        "workbook_too_large",
        "The workbook is too large once it is unpacked.",
        field="file",
        cure="Save the sheet with the people as “CSV UTF-8”, or split it into several files.",
    )


def _parser(reader: Reader) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = _PIECE
    start, end = reader.start, reader.end
    depth = 0

    def begin(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise unreadable()
        start(name[name.rfind(":") + 1 :], attributes)

    def finish(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name[name.rfind(":") + 1 :])

    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = begin
    parser.EndElementHandler = finish
    parser.CharacterDataHandler = reader.text
    return parser


def _refuse_document_type(*said: object) -> None:
    """No workbook has one; whoever declares entities wants them to grow."""
    raise unreadable()


def _check_directory(file: IO[bytes]) -> None:
    """zipfile holds the whole directory in memory, however many parts it names."""
    size = file.seek(0, 2)
    tail_at = max(size - 65_557 - 20, 0)
    file.seek(tail_at)
    tail = file.read()
    end = tail.rfind(_END_OF_DIRECTORY)
    if end < 0 or len(tail) < end + 22:
        raise unreadable()
    if tail[max(end - 20, 0) : end].startswith(b"PK\x06\x07"):  # the form for archives of more than 4 GB
        raise unreadable()
    if struct.unpack("<L", tail[end + 12 : end + 16])[0] > MAX_DIRECTORY:
        raise too_large()
    file.seek(0)
