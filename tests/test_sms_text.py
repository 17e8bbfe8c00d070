"""Parts and alphabets are what carriers bill."""

import csv
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsdesk import sms_text

with (Path(__file__).parent / "data" / "segment_cases.csv").open(encoding="utf-8", newline="") as file:
    CASES = list(csv.DictReader(file))

GSM7 = st.text(sms_text.GSM7_BASIC + sms_text.GSM7_EXTENSION * 5, max_size=700)
EMOJI = st.text(st.sampled_from("яЖ😀👩\u200d👧a€"), max_size=400)
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case):
    text = json.loads(f'"{case["text"]}"')
    measured = sms_text.measure(text)
    assert (measured.encoding, measured.parts, measured.units) == (
        case["encoding"],
        int(case["parts"]),
        int(case["units"]),
    )


def test_the_alphabet_has_127_characters_and_10_behind_the_escape():
    assert len(set(sms_text.GSM7_BASIC)) == len(sms_text.GSM7_BASIC) == 127
    assert len(set(sms_text.GSM7_EXTENSION)) == 10
    assert not set(sms_text.GSM7_BASIC) & set(sms_text.GSM7_EXTENSION)


def test_the_characters_that_force_ucs2_are_named_once_in_their_order():
    assert sms_text.measure("Hi ç and Ç, ă and ç").forcing == ("ç", "ă")
    assert sms_text.measure("plain €").forcing == ()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", 160),
        ("a" * 160, 0),
        ("a" * 161, 145),
        ("a" * 306, 0),
        ("€" * 81, 153 - 10),
        ("a" * 152 + "€" + "b" * 10, 141),
        ("я" * 70, 0),
        ("я" * 71, 63),
        ("я" * 66 + "😀" + "я" * 10, 55),
    ],
)
def test_left_is_the_room_in_the_last_part(text, left):
    assert sms_text.measure(text).left == left


@given(GSM7 | EMOJI | ANY)
def test_the_parts_joined_are_the_text(text):
    parts = sms_text.split(text)
    assert "".join(parts) == text
    assert len(parts) == sms_text.measure(text).parts


@given(GSM7 | EMOJI)
def test_no_part_is_larger_than_its_room_and_none_is_cut_early(text):
    measured = sms_text.measure(text)
    parts = sms_text.split(text)
    sizes = [septets(part) if measured.encoding == "gsm7" else len(part.encode("utf-16-le")) // 2 for part in parts]
    single, room = (160, 153) if measured.encoding == "gsm7" else (70, 67)
    limit = single if len(parts) == 1 else room
    assert sum(sizes) == measured.units
    assert all(size <= limit for size in sizes)
    assert all(size >= room - 1 for size in sizes[:-1])
    assert measured.left == (limit - sizes[-1] if sizes else 160)


def septets(part):
    return len(part) + sum(part.count(character) for character in sms_text.GSM7_EXTENSION)


@given(EMOJI)
def test_a_surrogate_pair_is_never_torn_apart(text):
    for part in sms_text.split(text):
        assert part.encode("utf-16-le").decode("utf-16-le") == part


def test_typographic_characters_become_gsm7():
    assert sms_text.typographic("“Hello” – it’s…") == '"Hello" - it\'s...'
    assert sms_text.measure(sms_text.typographic("“Hello” – it’s…")).encoding == "gsm7"
    assert sms_text.typographic("‹a› ça\tb\u00a0c") == "<a> ça b c"


def test_the_joiner_of_persian_words_is_kept():
    assert sms_text.typographic("می\u200cخواهم") == "می\u200cخواهم"


def test_every_replacement_is_gsm7():
    with (Path(sms_text.__file__).with_name("data") / "smart_encoding.csv").open(
        encoding="utf-8", newline=""
    ) as rows:
        table = {chr(int(row["codepoint"], 16)): row["replacement"] for row in csv.DictReader(rows)}
    assert len(table) == 270
    for character, replacement in table.items():
        assert sms_text.measure(replacement).encoding == "gsm7"
        normal = unicodedata.normalize("NFC", character)
        assert sms_text.typographic(character) == table.get(normal, normal)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("e\u0301", "é"),
        ("a\r\nb", "a\nb"),
        ("a\r\x00\nb", "a\nb"),
        ("\x00a\ud800b\udc00", "ab"),
        ("\ud83d\ude00", "😀"),
        ("ok", "ok"),
    ],
)
def test_clean(text, cleaned):
    assert sms_text.clean(text) == cleaned


@given(ANY)
def test_a_clean_text_can_be_stored_and_stays_as_it_is(text):
    cleaned = sms_text.clean(text)
    assert "\x00" not in cleaned
    assert "\r\n" not in cleaned
    cleaned.encode()
    assert sms_text.clean(cleaned) == cleaned
