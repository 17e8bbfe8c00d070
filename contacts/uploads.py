"""Taking in an uploaded file: judged by its content, stored in pieces in the database, never under its own name.

A workbook is stored as the CSV of its sheet, so whatever comes after the upload knows one kind of file.
The worker that imports it may run on another host, so the pieces are rows. They go in one by one, not in one
long transaction; until the digest is written at the end the import cannot be used.
"""

import codecs
import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain

from contacts import reading, workbooks
from contacts.models import ContactImport, ImportChunk
from smsdesk import sms_text
from smsdesk.errors import DomainError, Invalid

PIECE = 1_048_576
MAX_BYTES = 256 * PIECE

# What a file begins with that is surely no text → what it is.
_SIGNATURES = {
    b"\xd0\xcf\x11\xe0": "an old or protected Excel workbook",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_UTF32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")


def store(pieces: Iterable[bytes], *, filename: str, by_id: int | None) -> ContactImport:
    """Store a file and find out how it is to be read; raises `Invalid` and leaves nothing behind."""
    contact_import = ContactImport.objects.create(
        filename=_shown_name(filename), sha256="", size=0, created_by_id=by_id
    )
    try:
        _take_in(contact_import, pieces)
    except DomainError:
        contact_import.delete()
        raise
    return contact_import


def pieces(contact_import: ContactImport, *, offset: int) -> Iterator[bytes]:
    """The stored bytes from `offset` on, one piece in memory at a time."""
    chunks = contact_import.chunks.order_by("start")
    at = chunks.filter(start__lte=offset).order_by("-start").first()
    while at is not None:
        content = bytes(at.content)
        yield content[offset - at.start :] if offset > at.start else content
        at = chunks.filter(start=at.start + len(content)).first()


class _Encoding:
    """Decides between UTF-8 and cp1252 from every byte of the file, not from its beginning.

    One broken byte in a UTF-8 file must not turn every other name into garbage, so the kinds are counted.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._good = 0
        self._bad = 0

    def overheard(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._count(piece[-4:] if piece.isascii() else piece, is_last=False)
            yield piece
        self._count(b"", is_last=True)

    def _count(self, piece: bytes, *, is_last: bool) -> None:
        text = self._decoder.decode(piece, is_last)
        if not text.isascii():
            bad = text.count("�")
            self._bad += bad
            self._good += len(text) - len(text.encode("ascii", "ignore")) - bad

    def name(self) -> str:
        # A valid sequence hardly ever comes about by chance; one broken character counts up to four times.
        return "utf-8" if self._good * 4 >= self._bad else "cp1252"


def _take_in(contact_import: ContactImport, pieces: Iterable[bytes]) -> None:
    digest = hashlib.sha256()
    given = _even_pieces(_counted(pieces, digest))
    head = next(given, b"")
    whole = chain([head], given)
    if head.startswith(workbooks.SIGNATURES):
        _keep_workbook(contact_import, whole)
    else:
        _keep_text(contact_import, whole)
    contact_import.sha256 = digest.hexdigest()
    contact_import.save()


def _keep_workbook(contact_import: ContactImport, pieces: Iterable[bytes]) -> None:
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        with workbooks.Workbook(file) as book:
            contact_import.sheet, contact_import.other_sheets = book.sheet[:100], book.others
            head = _keep(contact_import, book.lines())
    _lay_out(contact_import, head, encoding="utf-8", delimiter=workbooks.DELIMITER)


def _keep_text(contact_import: ContactImport, pieces: Iterable[bytes]) -> None:
    encoding = _Encoding()
    head = _keep(contact_import, encoding.overheard(_as_text_bytes(pieces)))
    if not head.strip(reading.BOM + b" \t\r\n"):
        raise Invalid(
            "file_is_empty", "The file is empty.", field="file", cure="Choose a file with a header and rows."
        )
    _lay_out(contact_import, head, encoding=encoding.name(), delimiter="")


def _keep(contact_import: ContactImport, pieces: Iterable[bytes]) -> bytes:
    """Store the pieces; the first one, in which the header stands."""
    head, size = b"", 0
    for piece in _even_pieces(pieces):
        head = head or piece
        if size + len(piece) > MAX_BYTES:
            raise _too_large()
        ImportChunk.objects.create(contact_import=contact_import, start=size, content=piece)
        size += len(piece)
    contact_import.size = size
    return head


def _lay_out(contact_import: ContactImport, head: bytes, *, encoding: str, delimiter: str) -> None:
    layout = reading.layout(head, encoding=encoding, delimiter=delimiter)
    contact_import.encoding = encoding
    contact_import.delimiter = layout.delimiter
    contact_import.header = list(layout.header)
    contact_import.offset, contact_import.line = layout.offset, layout.line


def _counted(pieces: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_BYTES:
            raise _too_large()
        digest.update(piece)
        yield piece


def _too_large() -> Invalid:
    return Invalid(
        "file_too_large",
        f"The file is larger than {MAX_BYTES // PIECE} MiB.",
        field="file",
        cure="Split it into several files, each with the header line.",
    )


def _as_text_bytes(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The file in an encoding that agrees with ASCII; UTF-16 becomes UTF-8 on the way in."""
    decoder: codecs.IncrementalDecoder | None = None
    is_first = True
    for piece in pieces:
        if is_first and piece:
            _refuse_other_kinds(piece)
            utf16 = _utf16_name(piece)
            decoder = codecs.getincrementaldecoder(utf16)("surrogatepass") if utf16 else None
            is_first = False
        yield _recoded(decoder, piece, is_last=False) if decoder else piece
    if decoder:
        yield _recoded(decoder, b"", is_last=True)


def _recoded(decoder: codecs.IncrementalDecoder, piece: bytes, *, is_last: bool) -> bytes:
    try:
        return decoder.decode(piece, is_last).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise Invalid(
            "file_cut_off",
            "The file is UTF-16 and ends in the middle of a character.",
            field="file",
            cure="Save it again as “CSV UTF-8”.",
        ) from error


def _utf16_name(head: bytes) -> str:
    """By its mark, or, without one, because every other byte of mostly Latin text is zero."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = head[:4_096]
    if len(sample) >= 8 and sample[1::2].count(0) * 3 > len(sample):
        return "utf-16-le"
    if len(sample) >= 8 and sample[0::2].count(0) * 3 > len(sample):
        return "utf-16-be"
    return ""


def _refuse_other_kinds(head: bytes) -> None:
    kind = next((kind for signature, kind in _SIGNATURES.items() if head.startswith(signature)), "")
    if head.startswith(_UTF32):
        kind = "text in UTF-32"
    if kind:
        raise Invalid(
            "file_is_not_csv",
            f"This is {kind}, not a CSV file.",
            field="file",
            cure="Open it where it was made and save it as “CSV UTF-8”.",
        )


def _even_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of exactly `PIECE` bytes, the last one shorter."""
    waiting = b""
    for piece in pieces:
        waiting += piece
        while len(waiting) >= PIECE:
            yield waiting[:PIECE]
            waiting = waiting[PIECE:]
    if waiting:
        yield waiting


def _shown_name(filename: str) -> str:
    """Shown only, never opened: no path, nothing unprintable."""
    last = sms_text.clean(filename).replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:200] or "contacts.csv"
