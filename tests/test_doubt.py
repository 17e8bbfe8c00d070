"""What the matcher makes of texts it was not made from, and the weights behind its doubt."""

import csv
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from inbound import folding, intent
from inbound.models import Intent
from tests.training import doubt as training

UNSEEN = Path(__file__).parent / "data" / "intent" / "unseen"


@dataclass(frozen=True)
class Text:
    text: str
    is_request: bool


def texts(folder, files="*.csv"):
    for path in sorted(folder.glob(files)):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                assert row["label"] in ("opt_out", "ordinary")
                yield Text(row["text"], row["label"] == "opt_out")


def shares(folder, files="*.csv"):
    """Of the requests: caught, suppressed at once. Of the ordinary texts: suppressed, held. In percent."""
    read = [(text.is_request, intent.read(text.text)) for text in texts(folder, files)]
    requests = [reading for is_request, reading in read if is_request]
    ordinary = [reading for is_request, reading in read if not is_request]
    stops, wrong = ([one for one in of if one.intent == Intent.OPT_OUT] for of in (requests, ordinary))
    at_once, suppressed = ([one for one in of if one.is_certain] for of in (stops, wrong))
    return (
        100 * len(stops) / len(requests),
        100 * len(at_once) / len(requests),
        100 * len(suppressed) / len(ordinary),
        100 * (len(wrong) - len(suppressed)) / len(ordinary),
    )


@pytest.mark.parametrize(
    ("files", "certain"),
    [("round_7.csv", 50), ("round_8.csv", 50), ("round_9.csv", 35)],  # the requests of 9 go roundabout
)
def test_of_texts_it_was_not_made_from_hardly_a_request_is_missed(files, certain):
    caught, at_once, suppressed, held = shares(UNSEEN, files)
    assert caught >= 98
    assert at_once >= certain
    assert suppressed <= 1
    assert held <= 10


def test_of_texts_it_was_made_from_nearly_none_is_missed():
    caught, at_once, suppressed, held = shares(training.TEXTS)
    assert caught >= 98
    assert at_once >= 40
    assert suppressed <= 0.5
    assert held <= 10


def test_no_text_is_both_learned_from_and_measured_on():
    def folded(folder):
        return {folding.fold(text.text).words for text in texts(folder)}

    assert not folded(training.TEXTS) & folded(UNSEEN)


def test_the_weights_are_those_learned_from_the_texts():
    """Fails when either was changed alone: run `python -m tests.training.doubt`."""
    assert training.LEARNED.read_text() == training.digests()


def test_learning_again_gives_the_same_weights(tmp_path):
    few = training.examples()[::40]
    for name in ("one", "two"):
        training.write(training.learn(few), path=tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_hold_says_which_words_weighed_most():
    reading = intent.read("My kid has this phone now and she is nine, so please no more of your sales")
    assert reading.intent == Intent.OPT_OUT
    assert reading.rule.startswith("reads like a request to stop: ")
    assert len(reading.rule) <= 60


def test_doubt_alone_never_suppresses():
    for text in texts(UNSEEN):
        reading = intent.read(text.text)
        assert not (reading.is_certain and reading.rule.startswith("reads like")), text


def test_words_nobody_knows_are_no_request():
    assert intent.read("xqzt").intent == Intent.NONE
    assert intent.read("flurbo grindal weppy").intent == Intent.NONE


@pytest.mark.parametrize(
    "word", ["pizza", "vip", "deals", "win", "spring", "tacos", "menu", "gold", "party", "hours"]
)
def test_words_a_marketer_may_want_as_a_keyword_are_free(word):
    assert intent.read(word).intent == Intent.NONE


def test_a_text_is_read_sooner_than_this_machine_counts_to_twenty_thousand():
    """That is 1 to 3 ms: a ratio, so that a busy or slow machine judges alike."""
    read = [text.text for text in texts(UNSEEN)]
    intent.read(read[0])  # lists and weights are read once

    def seconds(work):
        started = time.process_time()
        work()
        return time.process_time() - started

    reading = statistics.median(seconds(lambda text=text: intent.read(text)) for text in read)
    counting = statistics.median(seconds(lambda: sum(n for n in range(20_000))) for _ in range(50))
    assert reading < counting
