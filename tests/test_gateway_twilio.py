"""What is Twilio's own: forms, codes, signatures, its list as proof."""

import asyncio
import hashlib
import json
import uuid
from base64 import b64decode
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from smsdesk.gateways import client, contract, errors, twilio_signature, twilio_words
from tests import gateway_cases as cases
from tests import gateway_peer as peers

CASE = cases.TWILIO
NOON = cases.NOON


def refuse(code: int, status: int = 400) -> peers.Behaviour:
    async def behave(connection: peers.Connection, request: peers.Request) -> None:
        body = json.dumps({"code": code, "message": "No +12125550123.", "status": status}).encode()
        await connection.answer(status, body)

    return behave


def submit_to(behaviour: peers.Behaviour, *items: contract.SubmitItem, calls: int = 8) -> tuple[Any, peers.Peer]:
    async def work() -> tuple[Any, peers.Peer]:
        async with peers.Peer(behaviour) as peer, client.session(calls=calls) as http:
            gateway = CASE.gateway(peer.url, http=http)
            return await gateway.submit(cases.batch(*items), deadline=cases.in_time()), peer

    return cases.run(work())


def test_the_form_is_what_twilio_expects():
    item = cases.item(body="Grüße & 100 % + 😀\nÜbermorgen?", validity=timedelta(hours=2))
    _, peer = submit_to(CASE.accept, item)
    [request] = peer.requests
    account = CASE.credentials["account_sid"]
    assert (request.method, request.target) == ("POST", f"/2010-04-01/Accounts/{account}/Messages.json")
    assert parse_qs(request.body.decode(), strict_parsing=True) == {
        "To": [item.to],
        "From": [cases.SENDER.value],
        "Body": [item.body],
        "ValidityPeriod": ["7200"],
        "StatusCallback": [f"{cases.HOOK}status/?m={item.reference.hex}"],
    }
    scheme, _, secret = request.headers["authorization"].partition(" ")
    assert (scheme, b64decode(secret).decode()) == ("Basic", f"{account}:token-one")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_an_api_key_sends_where_there_is_one():
    async def work() -> None:
        credentials = {**CASE.credentials, "api_key_sid": "SK1", "api_key_secret": "s"}
        async with peers.Peer(CASE.accept) as peer, client.session(calls=1) as http:
            gateway = CASE.gateway(peer.url, http=http, credentials=credentials)
            await gateway.submit(cases.batch(cases.item()), deadline=cases.in_time())
            assert b64decode(peer.requests[0].headers["authorization"][6:]) == b"SK1:s"

    cases.run(work())


def test_calls_run_at_once_up_to_the_bound():
    running, most = 0, 0

    async def slow(connection: peers.Connection, request: peers.Request) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        await CASE.accept(connection, request)

    results, peer = submit_to(slow, *(cases.item() for _ in range(20)), calls=5)
    assert {result.outcome for result in results} == {"accepted"}
    assert (most, peer.connections) == (5, 5)


@pytest.mark.parametrize(
    ("code", "status", "outcome", "error_class"),
    [
        (21211, 400, "rejected", "recipient"),
        (21610, 400, "rejected", "opted_out"),
        (21612, 400, "rejected", "sender"),
        (21617, 400, "rejected", "message"),
        (21611, 400, "again", "throttle"),
        (20429, 429, "again", "throttle"),
        (20003, 401, "again", "auth"),
        (20404, 404, "again", "config"),
        (21609, 400, "again", "config"),
        (20500, 500, "unknown", "ambiguous"),
        (20503, 503, "unknown", "ambiguous"),
        (21211, 503, "unknown", "ambiguous"),
        (99999, 400, "rejected", "unlisted"),
    ],
)
def test_a_refusals_code_decides(code, status, outcome, error_class):
    [result], _ = submit_to(refuse(code, status), cases.item())
    assert (result.outcome, result.error.error_class, result.error.code) == (outcome, error_class, str(code))
    assert "2125550123" not in result.error.message


def test_one_answer_meant_for_all_stops_the_rest_of_the_batch():
    results, peer = submit_to(refuse(20003, 401), *(cases.item() for _ in range(20)), calls=2)
    assert {(result.outcome, result.error.error_class) for result in results} == {("again", "auth")}
    assert len(peer.requests) <= 3


def test_a_sender_whose_queue_is_full_does_not_stop_the_other_senders():
    async def behave(connection: peers.Connection, request: peers.Request) -> None:
        full = b"From=Full" in request.body
        await (refuse(21611) if full else CASE.accept)(connection, request)

    full = contract.SenderAddress("Full", "alphanumeric")
    results, peer = submit_to(behave, *(cases.item(sender=one) for one in (full, cases.SENDER) * 3), calls=1)
    assert [result.outcome for result in results] == ["again", "accepted"] * 3
    assert len(peer.requests) == 4


def test_a_bad_number_does_not_stop_the_others():
    async def behave(connection: peers.Connection, request: peers.Request) -> None:
        bad = b"To=%2B10000" in request.body
        await (refuse(21211) if bad else CASE.accept)(connection, request)

    results, _ = submit_to(behave, cases.item(), cases.item(to="+10000"), cases.item(), calls=1)
    assert [result.outcome for result in results] == ["accepted", "rejected", "accepted"]


# --- Signatures ---------------------------------------------------------------------------------------

VECTOR = {
    "CallSid": "CA1234567890ABCDE",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
    "Caller": "+14158675309",
}


def test_twilios_own_example_verifies():
    form = {name: [value] for name, value in VECTOR.items()}
    made = twilio_signature.signature("https://mycompany.com/myapp.php?foo=1&bar=2", form=form, secret="12345")
    assert made == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def verify(*, signed_url: str, hook_url: str, url: str, fields: list[tuple[str, str]], **headers: str) -> None:
    form: dict[str, list[str]] = {}
    for name, value in fields:
        form.setdefault(name, []).append(value)
    made = twilio_signature.signature(signed_url, form=form, secret="t")
    given = {"X-Twilio-Signature": made, "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    request = contract.HookRequest.read(
        "POST", url=url, path_args={}, headers=given | headers, body=urlencode(fields).encode()
    )
    twilio_signature.verify(request, hook_url=hook_url, credentials={"auth_token": "t"})


PATH = "/hooks/a/s/status/?m=1&x=%20y"


@pytest.mark.parametrize(
    ("signed", "configured"),
    [
        ("https://desk.example", "https://desk.example"),
        ("https://desk.example:443", "https://desk.example"),
        ("https://desk.example", "https://desk.example:443"),
        ("http://desk.example:80", "http://desk.example"),
        ("https://desk.example:8443", "https://desk.example:8443"),
        ("https://desk.example", "https://desk.example:8443"),
        ("https://desk.example/sms", "https://desk.example/sms"),
    ],
)
def test_the_public_address_is_signed_with_or_without_its_port(signed, configured):
    verify(signed_url=signed + PATH, hook_url=f"{configured}/hooks/a/s/", url=PATH, fields=[("a", "1")])


@pytest.mark.parametrize(
    "said", ["https://evil.example", "https://desk.example.evil.example", "http://desk.example"]
)
def test_the_host_a_request_claims_is_never_believed(said):
    with pytest.raises(contract.HookRefused):
        verify(
            signed_url=said + PATH,
            hook_url="https://desk.example/hooks/a/s/",
            url=said + PATH,
            fields=[("a", "1")],
            Host="evil.example",
            **{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"},
        )


def test_repeated_values_are_signed_sorted_and_once():
    fields = [("a", "2"), ("a", "1"), ("a", "2"), ("Body", "")]
    verify(signed_url="https://d" + PATH, hook_url="https://d/hooks/a/s/", url=PATH, fields=fields)


@pytest.mark.parametrize("field", ["a", "b"])
def test_a_form_with_one_byte_changed_is_refused(field):
    made = twilio_signature.signature("https://d" + PATH, form={"a": ["1"], "b": ["2"]}, secret="t")
    body = urlencode({"a": "1", "b": "2", field: "3"}).encode()
    headers = {"X-Twilio-Signature": made, "Content-Type": "application/x-www-form-urlencoded"}
    request = contract.HookRequest.read("POST", url=PATH, path_args={}, headers=headers, body=body)
    with pytest.raises(contract.HookRefused):
        twilio_signature.verify(request, hook_url="https://d/hooks/a/s/", credentials={"auth_token": "t"})


def json_hook(body: bytes, *, told: bytes | None) -> contract.HookRequest:
    query = f"?bodySHA256={hashlib.sha256(told).hexdigest()}" if told is not None else ""
    url = f"/hooks/a/s/status/{query}"
    made = twilio_signature.signature(f"https://d{url}", form={}, secret="t")
    headers = {"X-Twilio-Signature": made, "Content-Type": "application/json"}
    return contract.HookRequest.read("POST", url=url, path_args={}, headers=headers, body=body)


def test_a_json_body_is_covered_by_its_digest():
    def check(request: contract.HookRequest) -> None:
        twilio_signature.verify(request, hook_url="https://d/hooks/a/s/", credentials={"auth_token": "t"})

    check(json_hook(b'{"a":1}', told=b'{"a":1}'))
    with pytest.raises(contract.HookRefused):
        check(json_hook(b'{"a":2}', told=b'{"a":1}'))
    with pytest.raises(contract.HookRefused):
        check(json_hook(b'{"a":1}', told=None))


def test_a_shared_key_signs_with_sha256():
    form = {"a": ["1"]}
    made = twilio_signature.signature("https://d" + PATH, form=form, secret="shared", algorithm="sha256")
    credentials = {"auth_token": "t", "webhook_key_sid": "KY1", "webhook_key_secret": "shared"}

    def check(settings: str) -> None:
        headers = {"X-Twilio-Signature": made, "X-Twilio-Webhooks-Signature-Settings": settings}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        request = contract.HookRequest.read("POST", url=PATH, path_args={}, headers=headers, body=b"a=1")
        twilio_signature.verify(request, hook_url="https://d/hooks/a/s/", credentials=credentials)

    check("key=KY1,algorithm=HMAC_SHA256")
    for settings in ("key=KY2,algorithm=HMAC_SHA256", "key=KY1,algorithm=NONE", "", "x"):
        with pytest.raises(contract.HookRefused):
            check(settings)


def test_a_message_of_another_account_is_refused():
    fields = {"MessageSid": "SM1", "AccountSid": "AC" + "f" * 32}
    url = "/hooks/5f0c/s3cret/status/"
    form = {name: [value] for name, value in fields.items()}
    made = twilio_signature.signature(f"{cases.HOOK}status/", form=form, secret="token-one")
    headers = {"X-Twilio-Signature": made, "Content-Type": "application/x-www-form-urlencoded"}
    with pytest.raises(contract.HookRefused):
        CASE.gateway("http://x").verify(
            cases.request(CASE, url=url, headers=headers, body=urlencode(fields).encode())
        )


# --- Receipts and inbound texts -----------------------------------------------------------------------


def parse(kind: str, reference: str = "", **fields: str) -> contract.HookEvents:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"/hooks/5f0c/s3cret/{kind}/" + (f"?m={reference}" if reference else "")
    body = urlencode(fields).encode()
    return CASE.gateway("http://x").parse(cases.request(CASE, url=url, headers=headers, body=body))


@pytest.mark.parametrize(
    ("word", "code", "state", "error_class"),
    [
        ("queued", "", "accepted", None),
        ("sending", "", "sent", None),
        ("sent", "", "sent", None),
        ("delivered", "", "delivered", None),
        ("read", "", "delivered", None),
        ("undelivered", "30003", "undelivered", "recipient"),
        ("undelivered", "30007", "undelivered", "blocked"),
        ("undelivered", "21610", "rejected", "opted_out"),
        ("failed", "21610", "rejected", "opted_out"),
        ("failed", "30001", "expired", "throttle"),
        ("failed", "30005", "undelivered", "recipient"),
        ("failed", "30008", "undelivered", "carrier"),
        ("failed", "30034", "rejected", "sender"),
        ("failed", "", "rejected", None),
        ("canceled", "", "cancelled", None),
        ("partially_delivered", "", "", None),
        ("something new", "4", "", None),
    ],
)
def test_a_receipts_words_become_ours(word, code, state, error_class):
    reference = uuid.uuid4()
    [receipt] = parse("status", reference.hex, MessageSid="SM1", MessageStatus=word, ErrorCode=code).receipts
    assert (receipt.reference, receipt.gateway_id) == (reference, "SM1")
    assert (receipt.word, receipt.state, receipt.code) == (word, state, code)
    assert receipt.error_class == error_class


def test_a_receipt_has_the_same_key_when_it_comes_twice_and_another_when_it_moves_on():
    keys = [
        parse("status", MessageSid="SM1", MessageStatus=word).receipts[0].event_key
        for word in ("sent", "sent", "delivered")
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("reference", ["", "xyz", "0" * 31, "%00", "é"])
def test_a_receipt_without_our_reference_keeps_the_gateways_id(reference):
    [receipt] = parse("status", reference, MessageSid="SM1", MessageStatus="sent").receipts
    assert (receipt.reference, receipt.gateway_id) == (None, "SM1")


def test_an_inbound_text_is_cleaned_and_says_whether_twilio_answered():
    plain = parse("inbound", MessageSid="SM2", From="+12125550123", To="24365", Body="Hi\x00 there").inbound[0]
    assert (plain.phone, plain.sender, plain.text) == ("+12125550123", "24365", "Hi there")
    assert (plain.event_key, plain.opt_hint, plain.answers_stop_itself) == ("SM2", "", False)
    stop = parse("inbound", MessageSid="SM3", From="+12125550123", Body="STOP", OptOutType="STOP").inbound[0]
    assert (stop.opt_hint, stop.answers_stop_itself) == ("stop", True)
    assert "Body" not in stop.raw
    assert CASE.gateway("http://x").acknowledge(json_hook(b"", told=None)).body == "<Response/>"


# --- The list as proof --------------------------------------------------------------------------------


def listed(sid: str, *, body: str = "Hello", after: int = 1, **more: Any) -> dict[str, Any]:
    made = format_datetime(NOON + timedelta(seconds=after))
    return {"sid": sid, "body": body, "status": "delivered", "date_created": made, "num_segments": "2"} | more


def wanted(body: str = "Hello", **more: Any) -> contract.LookupItem:
    return contract.LookupItem(uuid.uuid4(), "+12125550123", body, sender="+12125550100", submitted_at=NOON, **more)


def test_a_message_with_the_same_text_and_time_is_proof():
    item = wanted()
    [receipt] = twilio_words.match([item], [listed("SM1"), listed("SM2", body="Bye")], submitted_after=NOON)
    assert (receipt.reference, receipt.gateway_id, receipt.state) == (item.reference, "SM1", "delivered")
    assert receipt.parts == 2


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [listed("SM1", after=-60)],
        [listed("SM1", after=600)],
        [listed("SM1"), listed("SM2", after=2)],  # one of them is another row's
        [{"sid": "SM1", "body": "Hello"}],
        [listed("", after=1)],
        [listed("SM1", date_created=7)],
    ],
)
def test_what_may_be_another_message_is_no_proof(messages):
    assert twilio_words.match([wanted()], messages, submitted_after=NOON) == []


def test_two_rows_with_the_same_text_never_share_one_message():
    receipts = twilio_words.match([wanted(), wanted()], [listed("SM1")], submitted_after=NOON)
    assert [receipt.gateway_id for receipt in receipts] == ["SM1"]


def test_lookup_asks_by_number_and_day_and_by_id():
    async def behave(connection: peers.Connection, request: peers.Request) -> None:
        if "/Messages/SM9.json" in request.target:
            await connection.answer(200, json.dumps(listed("SM9")).encode())
        elif "/Messages/SM8.json" in request.target:
            await connection.answer(404, CASE.refused("20404"))
        else:
            await connection.answer(200, json.dumps({"messages": [listed("SM1")]}).encode())

    async def work() -> None:
        items = [wanted(), wanted(gateway_id="SM9"), wanted(gateway_id="SM8")]
        async with peers.Peer(behave) as peer, client.session(calls=4) as http:
            found = await CASE.gateway(peer.url, http=http).lookup(items, submitted_after=NOON)
        assert {receipt.gateway_id: receipt.reference for receipt in found} == {
            "SM1": items[0].reference,
            "SM9": items[1].reference,
        }
        [search] = [request.target for request in peer.requests if "Messages.json" in request.target]
        query = parse_qs(search.partition("?")[2])
        assert query["To"] == ["+12125550123"]
        assert query["From"] == ["+12125550100"]
        assert query["DateSent>"] == ["2026-03-04"]

    cases.run(work())


def test_an_answer_that_makes_no_sense_is_not_taken_for_an_empty_list():
    async def behave(connection: peers.Connection, request: peers.Request) -> None:
        await connection.answer(200, b"<html>")

    async def work() -> None:
        async with peers.Peer(behave) as peer, client.session(calls=4) as http:
            with pytest.raises(errors.OutcomeUnknown):
                await CASE.gateway(peer.url, http=http).lookup([wanted()], submitted_after=NOON)

    cases.run(work())
