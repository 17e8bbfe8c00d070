import json
from pathlib import Path

import pytest

from smsdesk.simulator import parts, twilio
from smsdesk.simulator.faults import Faults
from smsdesk.simulator.options import Options
from tests.carrier_rig import APP, BASIC, SENDER, SID, TO, Rig, accounts, play


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(port=0, log=tmp_path / "carrier.jsonl", faults=Faults(receipt_delay_ms=60))


def test_twilio_takes_a_message_and_signs_its_receipts(options):
    async def story(rig: Rig) -> None:
        answer = await rig.twilio("abc", body="Grüße €")
        sent = await answer.json()
        assert (answer.status, sent["status"], sent["num_segments"]) == (201, "queued", "1")
        await rig.until(lambda: len(rig.posts) == 2)
        assert [form["MessageStatus"] for form in rig.forms()] == ["sent", "delivered"]
        path, headers, body = rig.posts[1]
        assert path == "/hooks/t/status/?m=abc"
        wanted = twilio.signature("token-of-the-account", url=rig.desk + path, body=body.encode())
        assert headers["X-Twilio-Signature"] == wanted
        async with rig.http.get(
            f"/2010-04-01/Accounts/{SID}/Messages/{sent['sid']}.json", headers=BASIC
        ) as fetched:
            assert (await fetched.json())["price"] == "-0.00750"

    play(story, options)


def test_twilio_signature_is_that_of_the_published_vector():
    body = b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio.signature("12345", url=url, body=body) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_twilio_lists_by_number_and_date(options):
    async def story(rig: Rig) -> None:
        await rig.twilio("one", body="first")
        await rig.twilio("two", to="+12025550178", body="second")
        query = {"To": TO, "From": SENDER, "DateSent>": "2020-01-01"}
        url = f"/2010-04-01/Accounts/{SID}/Messages.json"
        async with rig.http.get(url, params=query, headers=BASIC) as answer:
            assert [row["body"] for row in (await answer.json())["messages"]] == ["first"]
        async with rig.http.get(url, params={"DateSent<": "2020-01-01"}, headers=BASIC) as answer:
            assert (await answer.json())["messages"] == []
        async with rig.http.get(url, params={"DateSent": "yesterday"}, headers=BASIC) as answer:
            assert answer.status == 400

    play(story, options)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"to": ""}, 21604),
        ({"to": "12025550177"}, 21211),
        ({"body": ""}, 21602),
        ({"body": "x" * 1601}, 21617),
        ({"From": "+19995550100"}, 21606),
        ({"StatusCallback": "nowhere"}, 21609),
    ],
)
def test_twilio_refuses_what_twilio_refuses(options, form, code):
    async def story(rig: Rig) -> None:
        answer = await rig.twilio(**form)
        assert (answer.status, (await answer.json())["code"]) == (400, code)
        assert rig.journal("accepted") == []

    play(story, options)


def test_infobip_judges_each_destination_of_a_call(options):
    async def story(rig: Rig) -> None:
        answer = await rig.infobip(("a", TO), ("b", "+12025550000"), ("c", "+12025550001"))
        entries = (await answer.json())["messages"]
        assert [entry["status"]["id"] for entry in entries] == [26, 52, 14]
        await rig.until(lambda: len(rig.posts) == 2)
        [result] = json.loads(rig.posts[1][2])["results"]
        assert (result["messageId"], result["to"], result["status"]["id"]) == ("a", TO[1:], 5)

    play(story, options)


def test_infobip_webhooks_carry_basic_credentials_when_asked(options):
    async def story(rig: Rig) -> None:
        listed = accounts(rig.desk)
        listed[1]["credentials"] |= {"hook_user": "desk", "hook_password": "secret"}
        rig.carrier.book.replace(listed)
        await rig.infobip(("a", TO))
        await rig.until(lambda: bool(rig.posts))
        assert rig.posts[0][1]["Authorization"] == "Basic ZGVzazpzZWNyZXQ="

    play(story, options)


def test_infobip_knows_a_message_id_it_has_seen(options):
    async def story(rig: Rig) -> None:
        await rig.infobip(("a", TO))
        again = await (await rig.infobip(("a", TO))).json()
        assert again["messages"][0]["status"]["id"] == 23
        assert [line["reference"] for line in rig.journal("accepted")] == ["a"]
        assert [line["reference"] for line in rig.journal("duplicate")] == ["a"]

    play(story, options)


def test_infobip_logs_say_what_was_taken_and_what_was_not(options):
    async def story(rig: Rig) -> None:
        await rig.infobip(("a", TO), ("b", "+12025550000"))
        async with rig.http.get("/sms/3/logs", params={"messageId": "a,b,never"}, headers=APP) as answer:
            assert [row["messageId"] for row in (await answer.json())["results"]] == ["a"]
        async with rig.http.get("/sms/3/logs", params={"limit": "5000"}, headers=APP) as answer:
            assert answer.status == 400

    play(story, options)


def test_infobip_receipts_travel_together(options):
    async def story(rig: Rig) -> None:
        await rig.infobip(*((f"m{number}", f"+1202555{number}") for number in range(1100, 1350)))
        await rig.until(lambda: sum(len(json.loads(body)["results"]) for _, _, body in rig.posts) == 500)
        assert max(len(json.loads(body)["results"]) for _, _, body in rig.posts) == 100

    play(story, options)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"messages":[]}', b'{"messages":[{}]}', b'{"messages":[{"content":{"text":1}}]}', b"\xff"],
)
def test_infobip_names_what_is_wrong_with_a_request(options, body):
    async def story(rig: Rig) -> None:
        async with rig.http.post("/sms/3/messages", data=body, headers=APP) as answer:
            problem = await answer.json()
            assert (answer.status, problem["errorCode"]) == (400, "E400")
            assert problem["violations"][0]["property"]

    play(story, options)


def test_wrong_credentials_open_nothing(options):
    async def story(rig: Rig) -> None:
        async with rig.http.post("/sms/3/messages", json={}, headers={"Authorization": "App wrong"}) as answer:
            assert answer.status == 401
        url = f"/2010-04-01/Accounts/{'AC' + 'b' * 32}/Messages.json"
        for method in ("GET", "POST"):
            async with rig.http.request(method, url, headers=BASIC) as answer:
                assert (answer.status, (await answer.json())["code"]) == (401, 20003)

    play(story, options)


def test_nul_and_lone_surrogates_reach_the_log_whole(options):
    async def story(rig: Rig) -> None:
        assert (await rig.infobip(("a", TO), body="nul\0 \ud800")).status == 200
        [line] = rig.journal("accepted")
        assert line["body"] == "nul\0 \ud800"
        async with rig.http.get(f"/phones/{TO}/messages") as answer:
            assert (await answer.json())["messages"][0]["text"] == "nul\0 ?"

    play(story, options)


@pytest.mark.parametrize(
    ("text", "encoding", "number"),
    [
        ("", "gsm7", 1),
        ("x" * 160, "gsm7", 1),
        ("x" * 161, "gsm7", 2),
        ("€" * 80, "gsm7", 1),
        ("x" * 152 + "€" + "x" * 152, "gsm7", 3),
        ("ç" * 70, "ucs2", 1),
        ("ç" * 71, "ucs2", 2),
        ("😀" * 36, "ucs2", 2),
        ("😀" * 67, "ucs2", 3),
    ],
)
def test_the_carrier_counts_parts(text, encoding, number):
    assert parts.count(text) == (encoding, number)
