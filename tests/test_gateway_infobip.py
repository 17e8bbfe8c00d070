"""What is Infobip's own: many recipients per call, each judged by itself, and an exact lookup."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from smsdesk.gateways import client, contract, errors, infobip, infobip_codes
from tests import gateway_cases as cases
from tests import gateway_peer as peers

CASE = cases.INFOBIP
NOON = cases.NOON


def references(request: peers.Request) -> list[str]:
    return [message["destinations"][0]["messageId"] for message in json.loads(request.body)["messages"]]


def submit_to(behaviour: peers.Behaviour, *items: contract.SubmitItem) -> tuple[Any, peers.Peer]:
    async def work() -> tuple[Any, peers.Peer]:
        async with peers.Peer(behaviour) as peer, client.session(calls=4) as http:
            return await CASE.gateway(peer.url, http=http).submit(
                cases.batch(*items), deadline=cases.in_time()
            ), peer

    return cases.run(work())


def answering(make: Any) -> peers.Behaviour:
    async def behave(connection: peers.Connection, request: peers.Request) -> None:
        await connection.answer(200, json.dumps({"messages": make(references(request))}).encode())

    return behave


def entry(reference: str, status: int = 26, group: str = "PENDING") -> dict[str, Any]:
    return cases.infobip_entry(reference, status, group)


def test_the_request_is_what_infobip_expects():
    items = [
        cases.item(body='Grüße "😀"\n', validity=timedelta(hours=2)),
        cases.item(to="+447700900123", sender=contract.SenderAddress("Acme", "alphanumeric")),
    ]
    results, peer = submit_to(CASE.accept, *items)
    [request] = peer.requests
    assert (request.method, request.target) == ("POST", "/sms/3/messages")
    assert request.headers["authorization"] == "App key-one"
    sent = json.loads(request.body)
    assert sent["options"] == {"includeSmsCountInResponse": True}
    assert [message["destinations"] for message in sent["messages"]] == [
        [{"to": "12125550123", "messageId": items[0].reference.hex}],
        [{"to": "447700900123", "messageId": items[1].reference.hex}],
    ]
    first, second = sent["messages"]
    assert (first["sender"], second["sender"]) == ("12125550100", "Acme")  # of several senders in one call
    assert "options" not in second
    assert first["content"] == {"text": 'Grüße "😀"\n'}
    assert first["options"] == {"validityPeriod": {"amount": 7200, "timeUnit": "SECONDS"}}
    assert first["webhooks"]["delivery"] == {"url": f"{cases.HOOK}status/", "notify": True}
    assert [(result.gateway_id, result.parts) for result in results] == [(i.reference.hex, 2) for i in items]


def test_a_large_batch_is_cut_into_calls_of_500():
    items = [cases.item() for _ in range(1100)]
    results, peer = submit_to(CASE.accept, *items)
    assert [len(references(request)) for request in peer.requests] == [500, 500, 100]
    assert {result.outcome for result in results} == {"accepted"}


def test_long_texts_make_smaller_calls():
    items = [cases.item(body="€" * 1600) for _ in range(100)]
    _, peer = submit_to(CASE.accept, *items)
    assert max(len(request.body) for request in peer.requests) < infobip.CALL_SIZE + 1000


def test_an_answer_in_another_order_is_assigned_by_reference():
    items = [cases.item() for _ in range(10)]
    refused = items[3].reference.hex

    def make(asked: list[str]) -> list[Any]:
        return [entry(r, 8, "REJECTED") if r == refused else entry(r) for r in reversed(asked)]

    results, _ = submit_to(answering(make), *items)
    assert [result.outcome for result in results] == ["accepted"] * 3 + ["rejected"] + ["accepted"] * 6


def test_what_the_answer_leaves_out_is_unknown():
    items = [cases.item() for _ in range(10)]
    results, _ = submit_to(answering(lambda asked: [entry(r) for r in asked[:7]][::-1]), *items)
    assert [result.outcome for result in results] == ["accepted"] * 7 + ["unknown"] * 3


def test_an_entry_that_contradicts_another_proves_nothing():
    items = [cases.item(), cases.item(), cases.item()]

    def make(asked: list[str]) -> list[Any]:
        return [entry(asked[0]), entry(asked[0]), entry(asked[1]), entry(asked[1], 8, "REJECTED"), entry("x")]

    results, _ = submit_to(answering(make), *items)
    assert [result.outcome for result in results] == ["accepted", "unknown", "unknown"]


@pytest.mark.parametrize(
    ("status", "group", "outcome", "error_class"),
    [
        (26, "PENDING", "accepted", None),
        (7, "PENDING", "accepted", None),
        (0, "ACCEPTED", "accepted", None),
        (8, "REJECTED", "rejected", "recipient"),
        (10, "REJECTED", "rejected", "opted_out"),
        (14, "REJECTED", "rejected", "opted_out"),
        (13, "REJECTED", "rejected", "sender"),
        (18, "REJECTED", "rejected", "sender"),
        (20, "REJECTED", "rejected", "blocked"),
        (87, "EXPIRED", "rejected", "blocked"),
        (25, "REJECTED", "rejected", "message"),
        (12, "REJECTED", "again", "funds"),
        (17, "REJECTED", "again", "funds"),
        (21, "REJECTED", "again", "retry"),
        (100, "REJECTED", "again", "retry"),
        (23, "REJECTED", "unknown", "ambiguous"),
        (77, "REJECTED", "rejected", "unlisted"),
        (26, "SOMETHING NEW", "unknown", "ambiguous"),
    ],
)
def test_each_destinations_status_decides_for_it(status, group, outcome, error_class):
    items = [cases.item(), cases.item()]
    results, _ = submit_to(answering(lambda asked: [entry(asked[0], status, group), entry(asked[1])]), *items)
    assert [result.outcome for result in results] == [outcome, "accepted"]
    assert (results[0].error and results[0].error.error_class) == error_class


def test_a_message_id_that_was_used_before_is_looked_up_not_refused():
    [result], _ = submit_to(answering(lambda asked: [entry(asked[0], 23, "REJECTED")]), cases.item())
    assert (result.outcome, result.error.code) == ("unknown", "23")


def test_one_bad_message_does_not_take_a_whole_call_with_it():
    items = [cases.item() for _ in range(20)]
    bad = {items[4].reference.hex, items[17].reference.hex}

    async def picky(connection: peers.Connection, request: peers.Request) -> None:
        if bad & set(references(request)):
            await connection.answer(400, CASE.refused("E400"))
        else:
            await CASE.accept(connection, request)

    results, peer = submit_to(picky, *items)
    refused = [result for result in results if result.outcome == "rejected"]
    assert {result.reference.hex for result in refused} == bad
    assert {result.error.code for result in refused} == {"E400"}
    assert sum(result.outcome == "accepted" for result in results) == 18
    taken = [r for request in peer.requests for r in references(request) if not bad & set(references(request))]
    assert len(taken) == len(set(taken)) == 18


def test_the_older_form_of_an_error_is_understood():
    async def old(connection: peers.Connection, request: peers.Request) -> None:
        problem = {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}
        await connection.answer(401, json.dumps({"requestError": {"serviceException": problem}}).encode())

    [result], _ = submit_to(old, cases.item())
    assert (result.outcome, result.error.code) == ("again", "UNAUTHORIZED")
    assert result.error.message == "Invalid login details"


# --- Looking up ---------------------------------------------------------------------------------------


def wanted() -> contract.LookupItem:
    return contract.LookupItem(uuid.uuid4(), "+12125550123", "Hello")


def log(reference: str, status: int = 5, group: str = "DELIVERED", **more: Any) -> dict[str, Any]:
    return {
        "messageId": reference,
        "status": {"id": status, "groupName": group, "name": "WORD"},
        "error": {"id": 0, "groupName": "OK"},
        "doneAt": "2026-03-04T12:00:01.500+0000",
        "messageCount": 2,
        "content": {"text": "Hello"},
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
    } | more


def test_lookup_is_by_our_reference_55_at_a_time():
    items = [wanted() for _ in range(120)]
    known = {item.reference.hex for item in items[::2]}

    async def logs(connection: peers.Connection, request: peers.Request) -> None:
        asked = parse_qs(request.target.partition("?")[2])["messageId"][0].split(",")
        found = [log(reference) for reference in asked if reference in known] + [log(uuid.uuid4().hex), {}]
        await connection.answer(200, json.dumps({"results": found}).encode())

    async def work() -> None:
        async with peers.Peer(logs) as peer, client.session(calls=2) as http:
            found = await CASE.gateway(peer.url, http=http).lookup(items, submitted_after=NOON)
        assert {receipt.gateway_id for receipt in found} == known
        assert {receipt.state for receipt in found} == {"delivered"}
        assert len(peer.requests) == 3
        assert all(request.target.startswith("/sms/3/logs?messageId=") for request in peer.requests)
        assert max(len(request.target) for request in peer.requests) < 2048
        assert "content" not in found[0].raw

    cases.run(work())


@pytest.mark.parametrize(("status", "body"), [(200, b"{}"), (200, b"<html>"), (500, b""), (404, b"")])
def test_an_answer_that_makes_no_sense_is_not_taken_for_never_seen(status, body):
    async def behave(connection: peers.Connection, request: peers.Request) -> None:
        await connection.answer(status, body)

    async def work() -> None:
        async with peers.Peer(behave) as peer, client.session(calls=2) as http:
            with pytest.raises(errors.GatewayError):
                await CASE.gateway(peer.url, http=http).lookup([wanted()], submitted_after=NOON)

    cases.run(work())


# --- Receipts and inbound texts -----------------------------------------------------------------------


def parse(kind: str, *entries: dict[str, Any]) -> contract.HookEvents:
    body = json.dumps({"results": entries}).encode()
    headers = {"Content-Type": "application/json"}
    return CASE.gateway("http://x").parse(
        cases.request(CASE, url=f"/hooks/5f0c/s3cret/{kind}/", headers=headers, body=body)
    )


@pytest.mark.parametrize(
    ("status", "group", "error", "error_group", "state", "error_class", "permanent"),
    [
        (26, "PENDING", 0, "OK", "accepted", None, None),
        (7, "PENDING", 0, "OK", "sent", None, None),
        (2, "DELIVERED", 0, "OK", "sent", None, None),
        (5, "DELIVERED", 0, "OK", "delivered", None, None),
        (9, "UNDELIVERABLE", 1, "HANDSET_ERRORS", "undelivered", "recipient", True),
        (9, "UNDELIVERABLE", 27, "HANDSET_ERRORS", "undelivered", "recipient", False),
        (9, "UNDELIVERABLE", 573, "HANDSET_ERRORS", "undelivered", "opted_out", True),
        (4, "UNDELIVERABLE", 603, "USER_ERRORS", "undelivered", "opted_out", True),
        (4, "UNDELIVERABLE", 2050, "OPERATOR_ERRORS", "undelivered", "opted_out", True),
        (31, "UNDELIVERABLE", 0, "OK", "rejected", None, None),
        (15, "EXPIRED", 0, "OK", "expired", None, None),
        (87, "EXPIRED", 0, "OK", "rejected", "blocked", None),
        (10, "REJECTED", 0, "OK", "rejected", "opted_out", None),
        (21, "REJECTED", 0, "OK", "rejected", "carrier", None),
        (23, "REJECTED", 0, "OK", "", None, None),
        (12345, "NEW", 54321, "NEW", "", None, None),
    ],
)
def test_a_receipts_words_become_ours(status, group, error, error_group, state, error_class, permanent):
    reference = uuid.uuid4()
    told = {"id": error, "groupName": error_group, "name": "E"}
    if permanent is not None:
        told["permanent"] = permanent
    [receipt] = parse("status", log(reference.hex, status, group, error=told)).receipts
    assert (receipt.reference, receipt.gateway_id) == (reference, reference.hex)
    assert (receipt.state, receipt.error_class, receipt.permanent) == (state, error_class, permanent)
    assert receipt.at == datetime(2026, 3, 4, 12, 0, 1, 500_000, tzinfo=UTC)
    assert receipt.parts == 2


def test_many_receipts_come_in_one_call_and_the_broken_ones_are_left_out():
    entries = [log(uuid.uuid4().hex) for _ in range(200)]
    receipts = parse("status", *entries, {"messageId": 7}, {}, log("not ours")).receipts
    assert len(receipts) == 200
    assert len({receipt.event_key for receipt in receipts}) == 200


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_no_database_stores_is_refused(word):
    body = json.dumps({"results": [log(uuid.uuid4().hex)]}).encode().replace(b"0.01", word)
    headers = {"Content-Type": "application/json"}
    hook = cases.request(CASE, url="/hooks/5f0c/s3cret/status/", headers=headers, body=body)
    with pytest.raises(contract.HookRefused):
        CASE.gateway("http://x").parse(hook)


def test_a_number_too_large_is_left_out_of_the_evidence():
    body = json.dumps({"results": [log(uuid.uuid4().hex)]}).encode().replace(b"0.01", b"1e999")
    headers = {"Content-Type": "application/json"}
    hook = cases.request(CASE, url="/hooks/5f0c/s3cret/status/", headers=headers, body=body)
    [receipt] = CASE.gateway("http://x").parse(hook).receipts
    assert receipt.raw["price"] == {"currency": "EUR"}


def test_an_inbound_text_gets_its_plus_back():
    told = {"messageId": "817790313235066447", "from": "385916242493", "to": "447700900100", "text": "Stop\x00 it"}
    [inbound] = parse("inbound", {**told, "receivedAt": "2026-03-04T12:00:00.000+0100", "keyword": "STOP"}).inbound
    assert (inbound.phone, inbound.sender, inbound.text) == ("+385916242493", "+447700900100", "Stop it")
    assert (inbound.event_key, inbound.keyword) == ("817790313235066447", "STOP")
    assert inbound.at == datetime(2026, 3, 4, 11, tzinfo=UTC)
    [short] = parse("inbound", {"from": "385916242493", "to": "24365", "text": "Hi"}).inbound
    assert (short.sender, len(short.event_key)) == ("24365", 64)


def test_receipts_need_no_credentials_but_must_not_carry_wrong_ones():
    given = CASE.hook(CASE.credentials, kind="status")
    gateway = CASE.gateway("http://x")
    gateway.verify(cases.request(CASE, **given))
    bare = {"Content-Type": "application/json"}
    gateway.verify(cases.request(CASE, **given | {"headers": bare}))
    with pytest.raises(contract.HookRefused):
        gateway.verify(cases.request(CASE, **given | {"headers": bare | {"Authorization": "Basic eDp5"}}))


def test_without_webhook_credentials_the_secret_in_the_path_is_all():
    given = CASE.hook(CASE.credentials)
    gateway = CASE.gateway("http://x", credentials={"api_key": "key-one"})
    gateway.verify(cases.request(CASE, **given | {"headers": {"Content-Type": "application/json"}}))


# --- The table ----------------------------------------------------------------------------------------


def test_every_line_of_the_table_is_understood():
    assert len(infobip_codes._rows()) > 200
    assert infobip_codes.state(5, group="DELIVERED") == "delivered"
    assert infobip_codes.error_class(4102, group="USER_ERRORS") is None
    assert infobip_codes.error_class(573, group="A GROUP OF TOMORROW") == errors.ErrorClass.OPTED_OUT


def test_only_the_explicit_codes_are_opt_outs():
    opted_out = {int(row["code"]) for row in infobip_codes._rows() if row["our_class"] == "OPTED_OUT"} | {
        code for code, (kind, _) in infobip_codes.SUBMIT_CLASSES.items() if kind == errors.ErrorClass.OPTED_OUT
    }
    assert opted_out == {10, 14, 573, 603, 2050, 2052}
