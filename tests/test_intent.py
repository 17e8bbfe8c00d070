"""The matcher against the shared cases; `SMSDESK_KEYWORD_CASES` may name another file of the same columns."""

import csv
import os
from pathlib import Path

import pytest

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
