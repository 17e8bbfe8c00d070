"""Pages as PDF: letters of Latin, Greek and Cyrillic, "page 3 of 7" at the foot, texts of any length.

Characters the fonts do not have, and those of scripts written from the right, are printed as [U+1F600]: nothing is
dropped, nothing is shown in a wrong order.
"""

import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

INK, GREY, RULE, TINT = (colors.HexColor(code) for code in ("#1b1f24", "#57606a", "#c9d1d9", "#f3f5f7"))
MARGIN = 22 * mm
WIDTH = A4[0] - 2 * MARGIN
_PADDING = 6  # points; what the frame of a page adds
REGULAR, BOLD = "Desk", "Desk-Bold"
_LONGEST, _MOST_LINES = 1_000, 40  # characters and lines of one paragraph
_FONTS = Path(__file__).parent / "data" / "fonts"


@cache
def _fonts() -> frozenset[int]:
    """Make the fonts known, once per process; the characters both can print."""
    files = {REGULAR: "DejaVuSansCondensed.ttf", BOLD: "DejaVuSansCondensed-Bold.ttf"}
    known = []
    for name, file in files.items():
        font = TTFont(name, str(_FONTS / file))
        pdfmetrics.registerFont(font)
        known.append(set(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    return frozenset(known[0] & known[1])


def printable(text: str) -> str:
    """The text with everything that cannot be printed as its code point, in brackets."""
    known = _fonts()
    return "".join(c if c in "\n\t" or (ord(c) in known and _goes_right(c)) else f"[U+{ord(c):04X}]" for c in text)


def _goes_right(character: str) -> bool:
    return unicodedata.bidirectional(character) not in ("R", "AL", "RLE", "RLO", "LRO", "LRE", "RLI", "PDF")


def moment(value: datetime | None) -> str:
    """A time as a reader of any country takes it: 24 November 2026, 17:00:03 UTC."""
    if value is None:
        return "not recorded"
    at = value.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def short_moment(value: datetime | None) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if value else "–"


def _style(name: str, **over: Any) -> ParagraphStyle:
    base: dict[str, Any] = {
        "fontName": REGULAR,
        "fontSize": 9.5,
        "leading": 13.5,
        "textColor": INK,
        "alignment": TA_LEFT,
        "splitLongWords": 1,
        "spaceAfter": 4,
    }
    return ParagraphStyle(name, **{**base, **over})


_TITLE = _style("title", fontName=BOLD, fontSize=19, leading=24, spaceAfter=2)
_SUBTITLE = _style("subtitle", fontSize=10.5, leading=15, textColor=GREY, spaceAfter=10)
_HEADING = _style("heading", fontName=BOLD, fontSize=13, leading=17, spaceBefore=16, spaceAfter=3, keepWithNext=1)
_SMALL_HEADING = _style("small-heading", fontName=BOLD, fontSize=10, spaceBefore=9, spaceAfter=2, keepWithNext=1)
_TEXT = _style("text")
_POINT = _style("point", leftIndent=12, bulletIndent=2)
_AIM = _style("aim", textColor=GREY, fontSize=9, leading=12.5, spaceAfter=6)
_FACT = _style("fact", leftIndent=36 * mm, bulletIndent=0, bulletFontName=BOLD, bulletFontSize=8.5, spaceAfter=2)
_QUOTE = _style(
    "quote", leftIndent=8, rightIndent=8, backColor=TINT, borderPadding=(5, 6, 6, 6), spaceBefore=6, spaceAfter=10
)
_CODE = _style("code", fontName="Courier", fontSize=7.4, leading=10, spaceAfter=1)
_CELL = _style("cell", fontSize=8, leading=10.5, spaceAfter=0)
_HEAD = _style("head", fontName=BOLD, fontSize=8, leading=10.5, spaceAfter=0)


def _paragraph(text: str, style: ParagraphStyle, *, bullet: str | None = None) -> Paragraph:
    """One paragraph, so of bounded length: setting one takes time that grows with its square."""
    shown = printable(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
    return Paragraph(escape(shown).replace("\n", "<br/>"), style, bulletText=bullet)


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces short enough for a paragraph, cut between lines where there are any."""
    lines = [line[at : at + _LONGEST] for line in text.split("\n") for at in range(0, max(len(line), 1), _LONGEST)]
    piece: list[str] = []
    for line in lines:
        if piece and (len(piece) == _MOST_LINES or sum(map(len, piece)) + len(line) > _LONGEST - _MOST_LINES):
            yield "\n".join(piece)
            piece = []
        piece.append(line)
    yield "\n".join(piece)


class Story:
    """What is printed, in order."""

    def __init__(self) -> None:
        _fonts()
        self._parts: list[Flowable] = []

    def title(self, text: str, *, below: str) -> None:
        self._parts += [_paragraph(text, _TITLE), _paragraph(below, _SUBTITLE)]

    def heading(self, text: str, *, aim: str) -> None:
        """A part of the document, and what it proves."""
        self._parts += [_paragraph(text, _HEADING), _paragraph(aim, _AIM)]

    def small_heading(self, text: str) -> None:
        self._parts.append(_paragraph(text, _SMALL_HEADING))

    def say(self, text: str) -> None:
        self._parts.append(_paragraph(text, _TEXT))

    def point(self, text: str) -> None:
        self._parts.append(_paragraph(text, _POINT, bullet="•"))

    def fact(self, name: str, value: str) -> None:
        if value:
            first, *rest = _pieces(value)
            self._parts.append(_paragraph(first, _FACT, bullet=name))
            self._parts += [_paragraph(piece, _FACT) for piece in rest]

    def quote(self, text: str) -> None:
        """Somebody's own words, however long."""
        self._parts += [_paragraph(piece, _QUOTE) for piece in _pieces(text)]

    def code(self, text: str) -> None:
        plain = escape(text.encode("ascii", "replace").decode())
        self._parts.append(Paragraph(plain.replace(" ", "\N{NO-BREAK SPACE}"), _CODE))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], *, widths: Sequence[float]) -> None:
        """Rows of short texts; the head is repeated on each page. `widths` are shares of the page."""
        if not rows:
            return
        cells = [[_paragraph(cell, _HEAD) for cell in head]]
        cells += [[_paragraph(cell, _CELL) for cell in row] for row in rows]
        table = LongTable(cells, colWidths=[WIDTH * share for share in widths], repeatRows=1, splitInRow=1)
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("BACKGROUND", (0, 0), (-1, 0), TINT),
                    ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
                    ("LEFTPADDING", (0, 0), (-1, -1), 4),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                    ("TOPPADDING", (0, 0), (-1, -1), 3),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
                ]
            )
        )
        self._parts += [Spacer(1, 3), table, Spacer(1, 6)]

    def as_pdf(self, *, title: str, foot: str, author: str) -> bytes:
        """The document; `foot` stands on each page beside its number."""
        file = io.BytesIO()
        document = SimpleDocTemplate(
            file,
            pagesize=A4,
            leftMargin=MARGIN - _PADDING,
            rightMargin=MARGIN - _PADDING,
            topMargin=20 * mm,
            bottomMargin=22 * mm,
            title=printable(title),
            author=printable(author),
            lang="en",
        )
        shown = printable(re.sub(r"\s+", " ", foot))

        class Page(_NumberedPage):
            foot = shown

        document.build(self._parts, canvasmaker=Page)
        return file.getvalue()


class _NumberedPage(Canvas):
    """Pages wait until their number is known, so that each can say "page 3 of 7"."""

    foot = ""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._waiting: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._waiting.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]  # the stubs leave it out

    def save(self) -> None:
        pages = self._waiting
        for number, page in enumerate(pages, start=1):
            self.__dict__.update(page)
            self._draw_foot(number, of=len(pages))
            super().showPage()
        super().save()

    def _draw_foot(self, number: int, *, of: int) -> None:
        self.setStrokeColor(RULE)
        self.setLineWidth(0.4)
        self.line(MARGIN, 15 * mm, A4[0] - MARGIN, 15 * mm)
        self.setFont(REGULAR, 8)
        self.setFillColor(GREY)
        self.drawString(MARGIN, 11 * mm, self.foot)
        self.drawRightString(A4[0] - MARGIN, 11 * mm, f"Page {number} of {of}")
