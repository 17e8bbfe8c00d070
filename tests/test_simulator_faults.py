import asyncio
import json
import time
from pathlib import Path

import aiohttp
import pytest

from smsdesk.simulator import faults
from smsdesk.simulator.faults import Faults
from smsdesk.simulator.options import Options
from tests.carrier_rig import APP, SENDER, TO, Rig, play


def options_with(tmp_path: Path, **values) -> Options:
    return Options(port=0, log=tmp_path / "carrier.jsonl", faults=Faults(**({"receipt_delay_ms": 60.0} | values)))


def words(rig: Rig) -> list[str]:
    return [form["MessageStatus"] for form in rig.forms()]


def test_fate_is_a_function_of_seed_reference_and_submit_number():
    some = Faults(rate_429=0.3, rate_duplicate_receipts=0.5)
    drawn = [faults.fate(some, reference=str(number), number=1, to=TO) for number in range(300)]
    again = [faults.fate(some, reference=str(number), number=1, to=TO) for number in range(300)]
    other = [faults.fate(some, reference=str(number), number=2, to=TO) for number in range(300)]
    assert drawn == again != other
    assert 60 < sum(fate.how == "throttle" for fate in drawn) < 120
    assert 110 < sum(fate.duplicate for fate in drawn) < 190


@pytest.mark.parametrize(
    ("to", "wanted"),
    [
        ("+12025550101", ["sent", "delivered"]),
        ("+12025550102", ["sent", "undelivered"]),
        ("+12025550104", ["sent", "failed"]),
        ("+447700900003", ["sent", "failed"]),
    ],
)
def test_a_magic_number_decides_the_receipt(tmp_path, to, wanted):
    async def story(rig: Rig) -> None:
        await rig.twilio(to=to)
        await rig.until(lambda: words(rig) == wanted)
        codes = {"+12025550104": "21610", "+447700900003": "30001", "+12025550102": "30003"}
        assert rig.forms()[1].get("ErrorCode") == codes.get(to)

    play(story, options_with(tmp_path))


def test_a_number_ending_0009_is_throttled_once(tmp_path):
    async def story(rig: Rig) -> None:
        first = await rig.twilio("r9", to="+447700900009")
        assert (first.status, first.headers["Retry-After"]) == (429, "1")
        assert (await rig.twilio("r9", to="+447700900009")).status == 201
        assert [line["number"] for line in rig.journal("seen")] == [1, 2]
        assert len(rig.journal("accepted")) == 1

    play(story, options_with(tmp_path))


def test_a_number_ending_0010_is_accepted_and_never_answered(tmp_path):
    async def story(rig: Rig) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rig.infobip(("r10", "+447700900010")), 0.3)
        assert [line["reference"] for line in rig.journal("accepted")] == ["r10"]
        async with rig.http.get("/sms/3/logs", params={"messageId": "r10"}, headers=APP) as answer:
            assert len((await answer.json())["results"]) == 1

    play(story, options_with(tmp_path))


def test_a_number_ending_0011_gets_no_receipt(tmp_path):
    async def story(rig: Rig) -> None:
        await rig.twilio(to="+447700900011")
        await asyncio.sleep(0.2)
        assert rig.posts == []

    play(story, options_with(tmp_path))


def test_bulk_runs_may_switch_magic_numbers_off(tmp_path):
    async def story(rig: Rig) -> None:
        assert (await rig.twilio(to="+447700900000")).status == 201

    play(story, options_with(tmp_path, magic_numbers=False))


def test_a_handset_that_answers_stop_does_so_once(tmp_path):
    async def story(rig: Rig) -> None:
        await rig.twilio("one", to="+12025550105")
        await rig.until(lambda: any(form.get("Body") == "STOP" for form in rig.forms()))
        [stop] = [form for form in rig.forms() if "Body" in form]
        assert (stop["From"], stop["To"], stop["OptOutType"]) == ("+12025550105", SENDER, "STOP")
        refused = await rig.twilio("two", to="+12025550105")
        assert (await refused.json())["code"] == 21610

    play(story, options_with(tmp_path))


@pytest.mark.parametrize(
    ("rate", "accepted"), [("rate_reset_before", 0), ("rate_reset_after", 1), ("rate_accept_then_timeout", 1)]
)
def test_a_lost_answer_says_nothing_about_acceptance(tmp_path, rate, accepted):
    async def story(rig: Rig) -> None:
        with pytest.raises((aiohttp.ClientConnectionError, TimeoutError)):
            await asyncio.wait_for(rig.twilio(), 0.3)
        assert len(rig.journal("accepted")) == accepted
        assert len(rig.journal("seen")) == 1

    play(story, options_with(tmp_path, **{rate: 1.0}))


def test_half_of_the_5xx_have_taken_the_message(tmp_path):
    async def story(rig: Rig) -> None:
        assert {(await rig.twilio(f"r{number}")).status for number in range(40)} == {500}
        assert 8 < len(rig.journal("accepted")) < 32

    play(story, options_with(tmp_path, rate_5xx=1.0, receipts=False))


def test_garbage_is_an_answer_after_accepting(tmp_path):
    async def story(rig: Rig) -> None:
        answer = await rig.infobip(("a", TO))
        with pytest.raises(json.JSONDecodeError):
            json.loads(await answer.text())
        assert len(rig.journal("accepted")) == 1

    play(story, options_with(tmp_path, rate_garbage=1.0))


def test_latency_delays_the_answer(tmp_path):
    async def story(rig: Rig) -> None:
        began = time.monotonic()
        await rig.twilio()
        assert time.monotonic() - began > 0.15

    play(story, options_with(tmp_path, latency_ms=150.0))


def test_a_receipt_may_come_twice(tmp_path):
    async def story(rig: Rig) -> None:
        await rig.twilio()
        await rig.until(lambda: words(rig) == ["sent", "delivered", "delivered"])

    play(story, options_with(tmp_path, rate_duplicate_receipts=1.0))


def test_a_receipt_may_overtake_the_answer(tmp_path):
    async def story(rig: Rig) -> None:
        answer = await rig.twilio()
        assert (answer.status, words(rig)) == (201, ["delivered"])
        kinds = [line["kind"] for line in rig.journal()]
        assert kinds.index("receipt") < kinds.index("answered")

    play(story, options_with(tmp_path, rate_early_receipts=1.0))


def test_receipts_may_come_out_of_order(tmp_path):
    async def story(rig: Rig) -> None:
        await rig.twilio()
        await rig.until(lambda: words(rig) == ["delivered", "sent"])

    play(story, options_with(tmp_path, rate_reordered_receipts=1.0))


def test_a_refused_receipt_comes_again(tmp_path):
    async def story(rig: Rig) -> None:
        rig.answer_with += [503, 503]
        await rig.infobip(("a", TO))
        await rig.until(lambda: len(rig.journal("receipt")) == 4)
        statuses = sorted((line["status"], line["try"]) for line in rig.journal("receipt"))
        assert statuses in ([(200, 1), (200, 3), (503, 1), (503, 2)], [(200, 2), (200, 2), (503, 1), (503, 1)])
        async with rig.http.get("/control/stats") as answer:
            stats = await answer.json()
        assert (stats["receipts_taken"], stats["receipts_repeated"]) == (2, 2)

    play(story, options_with(tmp_path))


def test_without_receipts_none_is_sent(tmp_path):
    async def story(rig: Rig) -> None:
        await rig.twilio()
        await asyncio.sleep(0.2)
        assert rig.posts == []

    play(story, options_with(tmp_path, receipts=False))


@pytest.mark.parametrize(
    "values",
    [
        {"rate_429": 2},
        {"rate_429": "much"},
        {"rate_429": True},
        {"nothing": 1},
        {"receipts": 1},
        {"latency_ms": -1},
    ],
)
def test_a_wrong_fault_is_named(values):
    with pytest.raises(faults.BadFault, match=next(iter(values))):
        faults.changed(Faults(), values)


def test_a_text_may_be_posted_by_two_calls_at_once(tmp_path):
    async def story(rig: Rig) -> None:
        status, _ = await rig.control("inbound", {"from": TO, "to": SENDER, "text": "STOP"})
        assert status == 200
        assert len(rig.posts) == 2
        assert rig.posts[0][2] == rig.posts[1][2]
        assert len(rig.journal("inbound")) == 2

    play(story, options_with(tmp_path, rate_duplicate_inbound=1.0))


def test_a_receipt_may_carry_nothing_of_ours(tmp_path):
    async def story(rig: Rig) -> None:
        await rig.twilio()
        await rig.until(lambda: words(rig) == ["sent", "delivered"])
        assert {path for path, _, _ in rig.posts} == {"/hooks/t/status/"}

    play(story, options_with(tmp_path, rate_nameless_receipts=1.0))


def test_a_lookup_may_show_an_accepted_message_late(tmp_path):
    async def asked(rig: Rig) -> int:
        async with rig.http.get("/sms/3/logs", params={"messageId": "r1"}, headers=APP) as answer:
            return len((await answer.json())["results"])

    async def story(rig: Rig) -> None:
        await rig.infobip(("r1", TO))
        assert await asked(rig) == 0
        await asyncio.sleep(0.35)
        assert await asked(rig) == 1

    play(story, options_with(tmp_path, lookup_lag_ms=300.0))
