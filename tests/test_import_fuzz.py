"""Whatever a file holds: it is refused with a cure, or every row of it is counted. Never an exception."""

import csv
import io
import zipfile
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from openpyxl.utils.exceptions import IllegalCharacterError

from contacts import dry_run, importing
from contacts.models import ContactImport, ImportState
from smsdesk.errors import Invalid
from tests import factories
from tests.factories import NOW
from tests.test_importing import CLAIM, upload
from tests.test_workbooks import by_hand, workbook

pytestmark = pytest.mark.django_db
BOUNDED = settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
HEADER = ["phone", "name", "external id", "country", "language", "state", "timezone", "x", "y"]
TARGETS = dict(
    zip(
        HEADER,
        [
            "phone",
            "name",
            "external_id",
            "country",
            "language",
            "region",
            "time_zone",
            "attributes.x",
            "attributes.y",
        ],
        strict=True,
    )
)
NASTY = [
    "", "\x00", "\ud800", "\u202e", "=1+1", "+12125550101", "(212) 555-0102", "1.2025550101E10", "٣٤٥", "US", "en",
    '"', "a,b;c\td|e", "\r", "\n", "\r\n", "#REF!", "x" * 3_000, "America/Chicago", "🎉", "\ufeff", "sep=;",
]  # fmt: skip
cells = st.sampled_from(NASTY) | st.text(max_size=12) | st.text(st.characters(), max_size=6)
rows = st.lists(st.lists(cells, max_size=11), max_size=6)


def taken(content: bytes, *, columns=None) -> ContactImport | None:
    """The import after its dry run and its end; None when the file was refused as it should be."""
    try:
        made = upload(content)
    except Invalid as refused:
        assert_says_what_to_do(refused)
        return None
    columns = columns or {name: "phone" if place == 0 else "" for place, name in enumerate(made.header)}
    importing.configure(
        made,
        columns=columns,
        brand=factories.brand(),
        contact_list=None,
        default_country="US",
        claim=CLAIM,
        now=NOW,
    )
    dry_run.start(made)
    while dry_run.run(made.pk):
        pass
    made.refresh_from_db()
    forecast = made.forecast
    importing.start(made, now=NOW)
    while importing.run(made.pk):
        pass
    made.refresh_from_db()
    assert made.state == ImportState.FINISHED
    for name in ("created", "updated", "duplicate", "invalid"):
        assert forecast.get(name, 0) == getattr(made, name)
    refused_lines = made.problems.values("line").distinct().count()
    assert refused_lines >= (made.invalid + made.duplicate > 0)
    return made


def assert_says_what_to_do(refused: Invalid) -> None:
    assert refused.code
    assert refused.field == "file"
    assert refused.cure


def as_csv(table, *, encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(table)
    return text.getvalue().encode(encoding, "surrogatepass")


def counted(made: ContactImport) -> int:
    return made.created + made.updated + made.duplicate + made.invalid


class AnyFile(TestCase):
    @BOUNDED
    @given(content=st.binary(max_size=400))
    def test_any_bytes(self, content):
        taken(content)

    @BOUNDED
    @given(content=st.binary(max_size=200))
    def test_any_bytes_behind_a_header(self, content):
        taken(b"phone,name\n+12125550101,Ann\n" + content)

    @BOUNDED
    @given(
        table=rows, delimiter=st.sampled_from(",;\t|"), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
    )
    def test_any_cell(self, table, delimiter, encoding):
        made = taken(as_csv([HEADER, *table], delimiter=delimiter, encoding=encoding), columns=TARGETS)

        filled = sum(any(row) for row in table)
        assert made is not None
        assert counted(made) >= filled > 0 or counted(made) == filled or any(has_line_break(row) for row in table)

    @BOUNDED
    @given(header=st.lists(cells, max_size=6), row=st.lists(cells, max_size=6))
    def test_any_header(self, header, row):
        taken(as_csv([header, row]))


def has_line_break(row) -> bool:
    return any("\r" in cell or "\n" in cell for cell in row)


SOUND = workbook(HEADER, ["+12125550101", "Ann", "c1", "US", "en", "TX", "America/Chicago", 7, date(2026, 1, 1)])
values = (
    cells
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | st.dates(date(1900, 1, 1), date(9999, 12, 31))
    | st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31))
    | st.times()
    | st.timedeltas(timedelta(0), timedelta(days=999))
    | st.sampled_from([time(0), "=1/0", "=A1", "#N/A", 12125550103, 1.2125550104e10])
)
TOKENS = [
    "<row>", "</row>", "<row r='3'>", "<row r='1'/>", "<row r='x'>", "<row r='-1'/>", "<row r='99999999999999'/>",
    "<c>",
    "</c>", "<c r='A2'>", "<c r='ZZZZ1' t='s'>", "<c t='s'>", "<c t='e'>", "<c t='b'>", "<c t='d'>", "<c t='zz'>",
    "<c s='1'>", "<c s='99999999'>", "<c s='-1'>", "<c r=''>", "<c r='a1'>", "<v>", "</v>", "<v>1e999</v>", "<v/>",
    "<v>99999999999999999999</v>", "<v>0</v>", "<is><t>", "</t></is>", "<f>1</f>", "<rPh>", "</rPh>", "<t>", "</t>",
    "phone", "12125550101", "45000.5", "-1", "&amp;", "&#0;", "_x0000_", "_xD83D_", "&a;", "<!-- -->",
    "<![CDATA[x]]>",
    "<?x y?>", "<mergeCell ref='A1:B2'/>", "\x00",
]  # fmt: skip
GOOD_ROW = "<row><c t='str'><v>phone</v></c></row>"


class AnyWorkbook(TestCase):
    @BOUNDED
    @given(table=st.lists(st.lists(values, max_size=10), max_size=5))
    def test_any_cell(self, table):
        book = openpyxl.Workbook()
        book.active.append(HEADER)
        for number, row in enumerate(table, start=2):
            for column, value in enumerate(row, start=1):
                try:
                    str(value).encode()  # of half a character no workbook can be made
                    book.active.cell(number, column, value)
                except (IllegalCharacterError, ValueError):
                    continue
        file = io.BytesIO()
        book.save(file)

        made = taken(file.getvalue(), columns=TARGETS)
        assert made is not None
        assert all(2 <= line <= len(table) + 1 for line in made.problems.values_list("line", flat=True))

    @BOUNDED
    @given(place=st.integers(0, len(SOUND) - 1), put=st.binary(max_size=6), cut=st.integers(0, 60))
    def test_any_damage(self, place, put, cut):
        taken(SOUND[:place] + put + SOUND[place + cut :])

    @BOUNDED
    @given(
        tokens=st.lists(st.sampled_from(TOKENS), max_size=14), shared=st.lists(st.sampled_from(TOKENS), max_size=6)
    )
    def test_any_sheet(self, tokens, shared):
        taken(by_hand(GOOD_ROW + "".join(tokens), strings="".join(shared)))

    @BOUNDED
    @given(
        part=st.sampled_from([
            "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml", "xl/sharedStrings.xml",
            "xl/worksheets/sheet1.xml",
        ]),
        content=st.binary(max_size=60) | st.sampled_from([b"", b"<a/>", b"<a>", b"\xff\xfe<\x00a\x00/\x00>\x00"]),
    )  # fmt: skip
    def test_any_part(self, part, content):
        taken(by_hand(GOOD_ROW, extra=[(part, content)]))

    @BOUNDED
    @given(names=st.lists(st.text(max_size=20), max_size=4), content=st.binary(max_size=40))
    def test_any_archive(self, names, content):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name in set(names):
                try:
                    archive.writestr(name or "x", content)
                except (UnicodeEncodeError, ValueError):
                    continue
        taken(file.getvalue())
