import itertools

import pytest

from contacts import reading
from smsdesk.errors import Invalid


def cut(content: bytes, size: int):
    return (content[i : i + size] for i in range(0, len(content), size))


def read(content: bytes, *, size: int = 7, offset: int = 0, line: int = 0, encoding: str = "utf-8"):
    pieces = cut(content[offset:], size)
    return list(reading.records(pieces, encoding=encoding, delimiter=",", offset=offset, line=line))


CONTENT = (
    'phone,name\r\n+12125550101,"Ann\nof ""two"" lines"\n\n+12125550102,5" nail\r+12125550103,"a,b"\r\n'
    "+12125550104,Zoë 🎉\n+12125550105,last"
).encode()


def test_cells_with_delimiters_quotes_and_line_breaks_are_read():
    assert [r.cells[1] for r in read(CONTENT)] == [
        "name",
        'Ann\nof "two" lines',
        '5" nail',
        "a,b",
        "Zoë 🎉",
        "last",
    ]


def test_lines_are_counted_as_an_editor_counts_them():
    assert [r.line for r in read(CONTENT)] == [1, 2, 5, 6, 7, 8]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 4096])
def test_reading_may_stop_after_any_record_and_go_on_at_its_offset(size):
    whole = read(CONTENT, size=size)

    for done in whole:
        rest = read(CONTENT, size=size, offset=done.end, line=done.end_line)
        assert rest == whole[whole.index(done) + 1 :]


def test_the_last_offset_is_the_size_of_the_file():
    assert read(CONTENT)[-1].end == len(CONTENT)


def test_a_line_of_ten_megabytes_costs_one_record_and_little_memory():
    content = b"a,1\n" + b"x" * 10_000_000 + b"\r\nb,2\n"

    first, long, last = read(content, size=1_048_576)

    assert (first.cells, last.cells, last.line) == (["a", "1"], ["b", "2"], 3)
    assert "10,000,002 bytes" in long.fault
    assert len(long.cells[0]) == 100
    assert last.end == len(content)


def test_an_oversized_line_that_ends_at_the_edge_of_a_piece_swallows_nothing():
    long = b"x" * 70_000
    for ending, size in itertools.product((b"\n", b"\r", b"\r\n"), (70_000, 70_001, 70_002)):
        rows = read(long + ending + b"b,2\n", size=size)
        assert [bool(r.fault) for r in rows] == [True, False]
        assert rows[1].cells == ["b", "2"]


def test_a_quote_that_is_never_closed_costs_its_own_line_only():
    content = b'a,1\nb,"open\nc,3\nd,4\n' + b"e,5\n" * 300

    rows = read(content, size=64)

    assert [r.line for r in rows if r.fault] == [2]
    assert "never closed" in rows[1].fault
    assert len(rows) == 304


def test_an_open_quote_at_the_end_of_the_file_is_reported():
    rows = read(b'a,1\nb,"open\nc,3')

    assert [(r.line, bool(r.fault)) for r in rows] == [(1, False), (2, True), (3, False)]


def test_nul_and_foreign_bytes_are_marked():
    rows = read(b"a,1\nb\0,2\nc\xed\xa0\x80,3\n")

    assert [r.is_dirty for r in rows] == [False, True, True]


@pytest.mark.parametrize(
    ("head", "delimiter", "header"),
    [
        (b"phone;name\n1;a,b\n", ";", ("phone", "name")),
        (b"phone\tname\n1\ta\n", "\t", ("phone", "name")),
        (b"sep=;\r\nphone;name\r\n", ";", ("phone", "name")),
        (b"\xef\xbb\xbfphone,name\n", ",", ("phone", "name")),
        (b"phone\n12\n", ",", ("phone",)),
        (b"phone,,phone,\n", ",", ("phone", "Column 2", "phone (3)")),
        (b"phone,\0na\xffme\n", ",", ("phone", "name")),
    ],
)
def test_layout(head, delimiter, header):
    layout = reading.layout(head, encoding="utf-8")

    assert (layout.delimiter, layout.header) == (delimiter, header)
    assert head[: layout.offset].endswith(b"\n")
    assert head[: layout.offset].count(b"\n") == layout.line


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"+12125550101,Ann\n", "header_missing"),
        (b'"open\n', "header_unreadable"),
        (b"\n\n", "file_is_empty"),
        (b" , \t\nx,y\n", "header_missing"),
        (b"a," * 300 + b"b\n", "too_many_columns"),
        (b"x" * 70_000, "header_unreadable"),
    ],
)
def test_a_file_without_a_usable_header_is_refused(head, code):
    with pytest.raises(Invalid) as refused:
        reading.layout(head, encoding="utf-8")

    assert refused.value.code == code
    assert refused.value.cure


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b",\n", b'""\n'])
def test_a_long_stretch_of_blank_lines_gives_places_to_stop_at_and_changes_nothing_else(blank):
    many = 2 * reading.BLANK_AT_ONCE + 5
    content = b"phone,name\n" + blank * many + b"+12125550101,Ann\n"
    rows = read(content, size=65_536)
    assert [row.is_blank for row in rows] == [False, True, True, False]
    assert rows[-1].line == many + 2
    assert rows[-1].end == len(content)
    stopped = rows[1]
    rest = read(content, size=65_536, offset=stopped.end, line=stopped.end_line)
    assert rest[-1] == rows[-1]


def test_a_header_is_found_behind_many_blank_lines():
    found = reading.layout(b"\n" * (reading.BLANK_AT_ONCE + 1) + b"phone;name\n1;2\n", encoding="utf-8")
    assert (found.header, found.delimiter) == (("phone", "name"), ";")
