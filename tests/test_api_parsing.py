import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsdesk.api.parsing import MAX_BYTES, StrictJSONParser
from smsdesk.api.problems import Problem


def parse(raw: bytes):
    return StrictJSONParser().parse(io.BytesIO(raw))


@pytest.mark.parametrize(
    ("raw", "code", "pointer"),
    [
        (b'{"a": {"b": ["x\\u0000"]}}', "nul_character", "/a/b/0"),
        (b'{"a": "\\ud800"}', "lone_surrogate", "/a"),
        (b'{"a/\\udc00": 1}', "lone_surrogate", "/a~1\udc00"),
        (b"[" * 60_000, "too_deep", ""),
        (b"[" * 30 + b"]" * 30, "too_deep", ""),
        (b'{"a": NaN}', "invalid_json", ""),
        (b'{"a": -Infinity}', "invalid_json", ""),
        (b'{"a": 1e999}', "invalid_json", ""),
        (b'{"a": ' + b"9" * 5000 + b"}", "invalid_json", ""),
        (b'{"a": 1, "a": 2}', "duplicate_field", "/a"),
        (b'{"a": "\xff"}', "invalid_json", ""),
        ('{"a": 1}'.encode("utf-16"), "invalid_json", ""),
        (b"{", "invalid_json", ""),
        (b"", "invalid_json", ""),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(raw, code, pointer):
    with pytest.raises(Problem) as refused:
        parse(raw)
    assert refused.value.status_code == 400
    assert refused.value.code == code
    assert refused.value.faults[0]["pointer"] == pointer


def test_a_huge_body_is_413_before_it_is_parsed():
    with pytest.raises(Problem) as refused:
        parse(b"[" * (MAX_BYTES + 1))
    assert refused.value.status_code == 413


def test_text_outside_the_basic_plane_is_kept():
    assert parse('{"a": "\\ud83d\\ude00 é"}'.encode()) == {"a": "😀 é"}


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_value_or_a_problem(raw):
    with contextlib.suppress(Problem):
        json.dumps(parse(raw)).encode()
