"""The matcher against the shared cases; `SMSDESK_KEYWORD_CASES` may name another file of the same columns."""

import csv
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbound import intent
from inbound.models import Intent

CASES = Path(os.environ.get("SMSDESK_KEYWORD_CASES", Path(__file__).parent / "data" / "keyword_cases.csv"))


def cases() -> list[dict[str, str]]:
    with CASES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_shared_case(case):
    reading = intent.read(case["text"], pending_confirmation=case["pending_confirmation"] == "True")
    if case["expected_intent"] == "not auto opt_out":
        assert not (reading.intent == Intent.OPT_OUT and reading.is_certain), reading
        return
    assert reading.intent == case["expected_intent"], reading
    if case["expected_confidence"]:
        assert reading.confidence in case["expected_confidence"].split("|"), reading


@pytest.mark.parametrize(
    ("text", "intended", "confidence"),
    [
        ("help", "help", "exact"),
        ("INFO", "help", "exact"),
        ("Aide!", "help", "exact"),
        ("help me with my order", "none", "exact"),
        ("start please", "opt_in", "strong"),
        ("ЅТОР", "opt_out", "exact"),
        ("S T O P", "opt_out", "exact"),
        ("STOP START", "opt_out", "review"),
        ("", "none", "exact"),
        ("\x00\u200b", "none", "exact"),
        ("👍 to “Acme: sale. Reply STOP to end”", "none", "exact"),
        ("Emphasized “Reply STOP to opt out”", "none", "exact"),
        ("I replied STOP twice", "opt_out", "review"),
        ("不要退订", "none", "review"),
        ("ѕtор tехting mе", "opt_out", "strong"),  # Cyrillic look-alikes
        ("s t o p texting me", "opt_out", "strong"),
        ("\u202estop\u202c texting me", "opt_out", "strong"),
        ("> Acme: 30% off. Reply STOP to end\nThanks, on my way", "none", "exact"),
        ("> Acme: 30% off. Reply STOP to end\nstop", "opt_out", "exact"),
        ("On Mon, Nov 3, Acme wrote:\n> Big sale\nPlease take me off this list", "opt_out", "strong"),
        ("Acme: 30% off today only. Reply STOP to end", "none", "exact"),  # our own text, sent back
        ("“Please stop texting me”", "opt_out", "strong"),
        ("Stop\n\nSent from my Galaxy", "opt_out", "exact"),
        ("You won't stop texting me", "opt_out", "strong"),
    ],
)
def test_what_else_is_read(text, intended, confidence):
    reading = intent.read(text)
    assert (reading.intent, reading.confidence) == (intended, confidence), reading


def test_yes_counts_only_while_something_is_pending():
    for text in ("YES", "ok", "Sí", "oui", "yes please"):
        assert intent.read(text).intent == Intent.NONE
        assert intent.read(text, pending_confirmation=True).intent == Intent.OPT_IN
    assert intent.read("yes stop", pending_confirmation=True).intent == Intent.OPT_OUT
    assert intent.read("yes but no", pending_confirmation=True).intent == Intent.NONE


@pytest.mark.parametrize(
    "piece",
    [
        "stop ", "a", "dont want to ", "no ", "please please ", "ne veux plus ", "не хочу ", "不", "“", ".,",
        "s t o p ", "stop sending all the ", "u", "take my off ", "aaaaaaaaa ", "STOP\n", "ö̈", "\u202e",
    ],
)  # fmt: skip
def test_no_text_makes_the_matcher_slow(piece):
    text = (piece * 4_000)[:20_000]
    intent.read(text[:100])  # word lists are read once
    started = time.process_time()
    intent.read(text)
    assert time.process_time() - started < 0.25


def test_the_end_of_a_long_text_is_read_too():
    story = "We drove to the lake and the children were happy. " * 80
    assert intent.read(f"{story}Please stop texting me.").intent == Intent.OPT_OUT
    assert intent.read(story).intent == Intent.NONE


@given(st.text(max_size=300))
def test_any_text_has_a_reading_and_dressing_it_up_changes_little(text):
    reading = intent.read(text)
    assert reading.intent in Intent.values
    assert reading.confidence in ("exact", "strong", "review")
    if reading.intent == Intent.OPT_OUT and reading.confidence == "exact":
        assert intent.read(f"  {text.upper()} ").intent == Intent.OPT_OUT
