"""Excel workbooks, good ones made by an independent library and bad ones made by hand, become lines of CSV."""

import csv
import io
import tracemalloc
import zipfile
from datetime import date, datetime, time
from time import process_time as time_of_process

import openpyxl
import pytest
from openpyxl.styles import NamedStyle

from contacts import uploads, workbook_cells, workbook_parts, workbooks
from contacts.models import Contact, ContactImport
from smsdesk.errors import Invalid
from tests.test_importing import counts, done, reasons, upload

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(*rows, sheets=(), **titles) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = titles.get("title", "People")
    for row in rows:
        book.active.append(row)
    for title, more in sheets:
        sheet = book.create_sheet(title)
        for row in more:
            sheet.append(row)
    return saved(book)


def saved(book) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def by_hand(sheet: str, *, strings: str = "", styles: str = "", extra=(), without=()) -> bytes:
    """A workbook of one sheet, written as XML."""
    parts = {
        "_rels/.rels": relations(("w", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="People" sheetId="1" r:id="s"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            ("s", "worksheet", "worksheets/sheet1.xml"), ("t", "sharedStrings", "sharedStrings.xml"),
            ("y", "styles", "styles.xml"),
        ),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{strings}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>',
        **dict(extra),
    }  # fmt: skip
    return zipped({name: content for name, content in parts.items() if name not in without})


def relations(*rows) -> str:
    inner = "".join(f'<Relationship Id="{i}" Type="{OFFICE}/{kind}" Target="{to}"/>' for i, kind, to in rows)
    return f'<Relationships xmlns="{RELATIONS}">{inner}</Relationships>'


def zipped(parts, *, compression=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def lines(content: bytes) -> list[list[str]]:
    with workbooks.Workbook(io.BytesIO(content)) as book:
        text = b"".join(book.lines()).decode("utf-8", "surrogatepass")
    return list(csv.reader(io.StringIO(text)))


def test_texts_numbers_and_truths_are_what_a_person_sees():
    rows = [
        ["phone", "name", "points", "vip"],
        [12025550101, "Zoë, of “A”", 0.5, True],
        ["+1 202", 'a"b', -3, False],
    ]

    assert lines(workbook(*rows)) == [
        ["phone", "name", "points", "vip"],
        ["12025550101", "Zoë, of “A”", "0.5", "TRUE"],
        ["+1 202", 'a"b', "-3", "FALSE"],
    ]


def test_a_phone_kept_as_a_number_is_its_digits():
    cells = "".join(
        f"<row><c><v>{text}</v></c></row>"
        for text in (
            "12025550101",
            "1.2025550101E10",
            "12025550101.0",
            "4.42079460101E+11",
            "1E99",
            "1e400",
            "nan",
            "x",
        )
    )

    assert [row[0] for row in lines(by_hand(cells))] == [
        "12025550101", "12025550101", "12025550101", "442079460101", "1e+99", "1e400", "nan", "x",
    ]  # fmt: skip


def test_dates_are_written_as_dates_and_nothing_else_is():
    book = openpyxl.Workbook()
    euro = NamedStyle("euro", number_format='#,##0.00 "days";[Red]-0')
    book.active.append([date(2026, 11, 25), datetime(2026, 11, 25, 13, 30), time(9, 5), date(1900, 1, 5)])
    book.active.cell(1, 5, 12025550101).number_format = "0"
    book.active.cell(1, 6, 45000).style = euro
    book.active.cell(1, 7, 1.5).number_format = "[h]:mm"
    book.active.cell(1, 8, 12025550101).number_format = "yyyy-mm-dd"

    assert lines(saved(book)) == [
        ["2026-11-25", "2026-11-25 13:30:00", "09:05:00", "1900-01-05", "12025550101", "45000",
         "1900-01-01 12:00:00", "12025550101"]
    ]  # fmt: skip


def test_a_workbook_that_counts_from_1904_has_its_dates_right():
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.active.append([date(2026, 11, 25)])

    assert lines(saved(book)) == [["2026-11-25"]]


def test_a_formula_counts_with_the_value_it_last_had():
    cells = (
        '<row><c><f>A1+1</f><v>7</v></c><c t="str"><f>"a"</f><v>Ann</v></c><c><f>NOW()</f></c>'
        '<c t="str"><f>""</f><v></v></c></row>'
    )

    assert lines(by_hand(cells)) == [["7", "Ann", workbook_cells.NOT_CALCULATED]]


def test_names_may_have_a_prefix():
    row = "<x:row><x:c><x:v>7</x:v></x:c></x:row>"
    sheet = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{row}</x:sheetData></x:worksheet>'

    assert lines(by_hand("", extra=[("xl/worksheets/sheet1.xml", sheet)])) == [["7"]]


def test_rich_text_inline_text_and_phonetic_signs():
    strings = "<si><r><t>Ann</t></r><r><t xml:space='preserve'> Lee</t></r><rPh><t>アン</t></rPh></si>"
    cells = '<row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>Bo_x0009_x</t></is></c><c t="s"><v>9</v></c></row>'

    assert lines(by_hand(cells, strings=strings)) == [["Ann Lee", "Bo\tx", "#REF!"]]


def test_line_numbers_are_row_numbers_whatever_stands_in_the_cells():
    book = openpyxl.Workbook()
    book.active.cell(3, 1, "phone")
    book.active.cell(3, 3, "name")
    book.active.cell(7, 1, "12")
    book.active.cell(7, 3, "Ann\nLee\r\nof two\rlines")

    assert lines(saved(book)) == [[], [], ["phone", "", "name"], [], [], [], ["12", "", "Ann Lee of two lines"]]


def test_of_merged_cells_the_first_has_the_value():
    book = openpyxl.Workbook()
    book.active.append(["phone", "name"])
    book.active.append(["+12025550101", "Ann"])
    book.active.append([None, "Bo"])
    book.active.merge_cells("A2:A3")

    assert lines(saved(book)) == [["phone", "name"], ["+12025550101", "Ann"], ["", "Bo"]]


def test_the_first_sheet_in_which_something_stands_is_read():
    book = openpyxl.Workbook()
    book.active.title = "Cover"
    hidden = book.create_sheet("Old")
    hidden.append(["phone"])
    hidden.sheet_state = "hidden"
    book.create_sheet("People").append(["phone", "name"])
    book.create_sheet("Notes").append(["hello"])
    book.create_chartsheet("Chart")

    with workbooks.Workbook(io.BytesIO(saved(book))) as read:
        assert (read.sheet, read.others) == ("People", ["Cover", "Notes"])
        assert b"".join(read.lines()) == b"phone,name\n"


@pytest.mark.django_db
def test_a_workbook_is_imported_like_any_file():
    content = workbook(
        ["Phone", "Full name", "City"],
        [12125550101, "Ann", "Rome"],
        [],
        ["(212) 555-0102", "#N/A", "Bonn"],
        ["#REF!", "Cy", ""],
        ["+12125550101", "Again", ""],
        sheets=[("Notes", [["hello"]])],
    )
    made = done(content)

    assert counts(made) == (2, 0, 1, 1, 0)
    assert Contact.objects.get(phone="+12125550101").attributes == {"city": "Rome"}
    assert (made.sheet, made.other_sheets) == ("People", ["Notes"])
    assert [(line, column) for line, column, _ in reasons(made)] == [(4, "Full name"), (5, "Phone"), (6, "Phone")]


@pytest.mark.django_db
def test_a_failed_formula_in_a_csv_is_no_name():
    made = done("phone,name,attributes.city\n+12125550101,#N/A,#DIV/0!\n", columns=CITY)

    assert (Contact.objects.get().name, Contact.objects.get().attributes) == ("", {})
    assert len(reasons(made)) == 2


CITY = {"phone": "phone", "name": "name", "attributes.city": "attributes.city"}
BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def with_document_type(
    declaration: str, *, part: str = "xl/worksheets/sheet1.xml", encoding: str = "utf-8"
) -> bytes:
    cell = f'<worksheet xmlns="{MAIN}"><sheetData><row><c t="str"><v>&a;</v></c></row></sheetData></worksheet>'
    document = f'<?xml version="1.0" encoding="{encoding}"?>{declaration}{cell}'
    return by_hand("", extra=[(part, document.encode(encoding))])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("declaration", [BOMB, OUTSIDE, "<!DOCTYPE a>"])
@pytest.mark.parametrize(
    "part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "_rels/.rels"]
)
def test_a_document_type_is_refused_wherever_it_stands(declaration, part, encoding):
    with pytest.raises(Invalid) as refused:
        lines(with_document_type(declaration, part=part, encoding=encoding))

    assert refused.value.code == "workbook_unreadable"


def damaged() -> dict[str, bytes]:
    good = workbook(["phone"], ["+12125550101"])
    return {
        "cut in half": good[: len(good) // 2],
        "no end": good[:-22],
        "nothing behind the signature": b"PK\x03\x04",
        "an empty archive": zipped({}),
        "no workbook": zipped({"a.txt": "hello"}),
        "no sheet": by_hand("", without=["xl/worksheets/sheet1.xml"]),
        "no relations": by_hand("", without=["xl/_rels/workbook.xml.rels"]),
        "no xml": by_hand("", extra=[("xl/worksheets/sheet1.xml", b"\x00\x01")]),
        "xml that ends": by_hand("", extra=[("xl/worksheets/sheet1.xml", "<worksheet><sheetData>")]),
        "an encoding nobody knows": by_hand(
            "", extra=[("xl/workbook.xml", '<?xml version="1.0" encoding="x-no"?><a/>')]
        ),
        "another compression": zipped(
            {"_rels/.rels": relations(("w", "officeDocument", "a"))}, compression=zipfile.ZIP_LZMA
        ),
        "nothing in any sheet": workbook(),
    }  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(damaged()))
def test_a_workbook_that_cannot_be_read_is_refused_with_a_cure_and_leaves_nothing(kind):
    with pytest.raises(Invalid) as refused:
        upload(damaged()[kind])

    assert refused.value.field == "file"
    assert refused.value.cure
    assert not ContactImport.objects.exists()


@pytest.mark.parametrize(
    "sheet",
    [
        '<row r="2000000"><c><v>1</v></c></row>',
        '<row r="1048577"><c><v>1</v></c></row>',
        f'<row><c x="{"y" * 9_000_000}"><v>1</v></c></row>',
    ],
)
def test_what_no_spreadsheet_can_hold_is_refused(sheet):
    with pytest.raises(Invalid) as refused:
        lines(by_hand(sheet))

    assert refused.value.code == "workbook_too_large"


def test_a_part_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(workbooks, "LARGE", 1_000)
    bomb = by_hand(f'<row><c t="str"><v>{"a" * 5_000}</v></c></row>')

    with pytest.raises(Invalid) as refused:
        lines(bomb)

    assert refused.value.code == "workbook_too_large"


def test_a_workbook_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(workbook_parts, "MAX_SECONDS", 0)

    with pytest.raises(Invalid) as refused:
        lines(workbook(["phone"]))

    assert refused.value.code == "workbook_too_large"


def test_an_archive_of_very_many_parts_is_refused_by_the_size_of_its_directory():
    with pytest.raises(Invalid) as refused:
        lines(zipped({f"{'x' * 200}{n}": "" for n in range(5_000)}))

    assert refused.value.code == "workbook_too_large"


SHARED = '<row><c t="s"><v>0</v></c></row>'
MANY_SHEETS = f'<workbook xmlns:r="{OFFICE}"><sheets>' + '<sheet r:id="s"/>' * 5_000 + "</sheets></workbook>"


@pytest.mark.parametrize(
    ("bomb", "code"),
    [
        (lambda: by_hand("<a>" * 2_000_000), "workbook_unreadable"),
        (lambda: by_hand(SHARED * 3_000, strings=f"<si><t>{'中' * 69_000}</t></si>"), "workbook_too_large"),
        (lambda: by_hand("", extra=[("xl/workbook.xml", MANY_SHEETS)]), "workbook_too_large"),
    ],
    ids=["tags in tags", "one long text in every row", "thousands of sheets"],
)
def test_a_small_file_that_grows_when_it_is_read_is_refused_before_it_does(bomb, code):
    content = bomb()
    assert len(content) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(Invalid) as refused:
            lines(content)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert refused.value.code == code
    assert most < 100 * 1_048_576


def test_a_row_of_long_texts_is_cut_where_it_is_too_long_to_be_read():
    row = "<row>" + '<c t="s"><v>0</v></c>' * 200 + "</row>"
    [read] = lines(by_hand(row, strings=f"<si><t>{'x' * 60_000}</t></si>"))

    assert len(read) == 2


def test_a_number_format_of_a_million_signs_takes_no_time():
    styles = f'<numFmts><numFmt numFmtId="170" formatCode="{"[" * 1_000_000}"/></numFmts>'
    started = time_of_process()
    assert lines(by_hand("<row><c><v>1</v></c></row>", styles=styles)) == [["1"]]

    assert time_of_process() - started < 5


@pytest.mark.django_db
def test_a_huge_cell_costs_its_row_only():
    made = done(workbook(["phone", "name"], ["+12125550101", "x" * 30_000], ["+12125550102", "Bo"]))
    assert counts(made) == (2, 0, 0, 0, 0)

    text = "x" * 3_000_000
    cells = (
        '<row><c t="str"><v>phone</v></c><c t="str"><v>name</v></c></row>'
        f'<row><c t="str"><v>+12125550103</v></c><c t="str"><v>{text}</v></c></row>'
        '<row><c t="str"><v>+12125550104</v></c></row>'
    )
    made = done(by_hand(cells))

    assert counts(made) == (1, 0, 0, 1, 0)
    assert "65,536" in reasons(made)[0][2]


@pytest.mark.django_db
def test_cells_far_to_the_right_make_their_row_too_long():
    cells = (
        '<row><c r="A1" t="str"><v>phone</v></c></row>'
        '<row><c r="A2"><v>12125550101</v></c><c r="XFD2"><v>1</v></c></row>'
    )

    assert counts(done(by_hand(cells))) == (0, 0, 0, 1, 0)


@pytest.mark.django_db
def test_signs_that_no_text_can_hold_are_reported():
    cells = (
        '<row><c t="str"><v>phone</v></c><c t="str"><v>name</v></c></row>'
        '<row><c><v>12125550101</v></c><c t="str"><v>a_x0000_b</v></c></row>'
        '<row><c><v>12125550102</v></c><c t="str"><v>a_xD800_b</v></c></row>'
    )

    assert [(line, column) for line, column, _ in reasons(done(by_hand(cells)))] == [(2, "name"), (3, "name")]


def test_a_workbook_is_known_by_its_content_not_by_its_name():
    assert uploads.workbooks.SIGNATURES[0] == workbook(["a"])[:4]
