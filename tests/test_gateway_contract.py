"""Every adapter keeps the contract, whatever the other side does."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from smsdesk.gateways import client, contract, errors
from tests import gateway_cases as cases
from tests import gateway_peer as peers

pytestmark = pytest.mark.parametrize("case", cases.ALL, ids=lambda case: case.kind)

GARBAGE = {
    "empty": b"",
    "html": b"<html><script>alert(1)</script></html>",
    "truncated": b'{"sid":"SM1","messages":[{"messageId":',
    "deep": b'{"a":' * 9000 + b"1" + b"}" * 9000,
    "deep list": b"[" * 60_000,
    "list": b"[1,2,3]",
    "null": b"null",
    "number": b"1" * 5000,
    "nan": b'{"sid":NaN,"messages":NaN}',
    "wrong types": b'{"sid":{"a":1},"messages":{"0":[]},"code":[1],"errorCode":{}}',
    "wrong entries": b'{"sid":7,"messages":[null,1,"x",[],{"messageId":5},{"messageId":"x","status":3}]}',
    "no id": b'{"status":"queued","messages":[{"status":{"groupName":"PENDING","id":26}}]}',
    "error word": b'{"error":"boom"}',
    "not utf-8": b'{"sid":"\xff\xfe","messages":"\xc3\x28"}',
    "hostile id": b'{"sid":"SM\\u0000<script> \\n","messages":[]}',
    "long id": b'{"sid":"' + b"S" * 4000 + b'","messages":[]}',
}


NOT_HTTP = [
    b"",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 999999 X\r\n\r\n",
    b"HTTP/1.1 200 X\r\nContent-Length: -4\r\n\r\n",
    b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n{}",
    b"HTTP/1.1 200 X\r\nA: " + b"a" * 100_000,
]


class Clock:
    """Elapsed seconds as told, one reading after the other."""

    def __init__(self, *readings: float) -> None:
        self._readings = list(readings)

    def seconds(self) -> float:
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


def submit_with(case: cases.Case, behaviour: peers.Behaviour, *, time_scale: float = 1.0) -> tuple[Any, peers.Peer]:
    async def work() -> tuple[Any, peers.Peer]:
        async with peers.Peer(behaviour) as peer:
            [result] = await case.submit(peer, cases.item(), time_scale=time_scale)
        return result, peer

    return cases.run(work())


def answering(status: int, body: bytes = b"", headers: str = "") -> peers.Behaviour:
    async def behave(connection: peers.Connection, request: peers.Request) -> None:
        await connection.answer(status, body, headers=headers)

    return behave


def test_each_item_gets_one_result_in_order(case):
    async def work() -> None:
        items = [cases.item(to=f"+155501{number:02}") for number in range(30)]
        async with peers.Peer(case.accept) as peer:
            results = await case.submit(peer, *items)
        assert [result.reference for result in results] == [item.reference for item in items]
        assert {result.outcome for result in results} == {"accepted"}
        assert len({result.gateway_id for result in results}) == 30

    cases.run(work())


def test_an_empty_batch_calls_nobody(case):
    async def work() -> None:
        async with peers.Peer(case.accept) as peer:
            assert await case.submit(peer) == []
            assert peer.connections == 0

    cases.run(work())


def test_the_standard_event_loop_will_do_as_well(case):
    async def work() -> None:
        async with peers.Peer(case.accept) as peer:
            [result] = await case.submit(peer, cases.item())
        assert result.outcome == "accepted"

    asyncio.run(work())


# --- Written or not -----------------------------------------------------------------------------------


def test_a_reset_after_the_request_is_unknown_and_nothing_is_repeated(case):
    async def reset(connection: peers.Connection, request: peers.Request) -> None:
        await connection.reset()

    result, peer = submit_with(case, reset)
    assert (result.outcome, result.error.error_class) == ("unknown", errors.ErrorClass.AMBIGUOUS)
    assert len(peer.requests) == 1


def test_a_reset_on_a_kept_alive_connection_is_unknown_and_nothing_is_repeated(case):
    async def work() -> None:
        async def accept_then_reset(connection: peers.Connection, request: peers.Request) -> None:
            if len(peer.requests) == 1:
                await case.accept(connection, request)
            else:
                await connection.reset()

        async with peers.Peer(accept_then_reset) as peer, client.session(calls=1) as http:
            gateway = case.gateway(peer.url, http=http)
            [first] = await gateway.submit(cases.batch(cases.item()), deadline=cases.in_time())
            [second] = await gateway.submit(cases.batch(cases.item()), deadline=cases.in_time())
            assert (first.outcome, second.outcome) == ("accepted", "unknown")
            assert (len(peer.requests), peer.connections) == (2, 1)

    cases.run(work())


def test_a_connection_closed_while_it_lay_idle_costs_nothing(case):
    async def work() -> None:
        async with peers.Peer(case.accept) as peer, client.session(calls=1) as http:
            gateway = case.gateway(peer.url, http=http)
            await gateway.submit(cases.batch(cases.item()), deadline=cases.in_time())
            await peer.hang_up()
            # As between two batches: the close has arrived, our loop has not looked yet.
            for connection in peer.open:
                connection.writer.transport.abort()
            time.sleep(0.02)
            [result] = await gateway.submit(cases.batch(cases.item()), deadline=cases.in_time())
            assert result.outcome == "accepted"
            assert len(peer.requests) == 2

    cases.run(work())


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_deadline_refuses_at_the_write_and_no_byte_leaves(case, loop):
    async def work() -> None:
        async with peers.Peer(case.accept) as peer, client.session(calls=1) as http:
            late = contract.Deadline(Clock(0.0, 1.2), 1.0)  # in time when asked first, late at the socket
            [result] = await case.gateway(peer.url, http=http).submit(cases.batch(cases.item()), deadline=late)
            await asyncio.sleep(0.02)
            assert result.outcome == "again"
            assert result.error.error_class == errors.ErrorClass.NOTHING_WRITTEN
            assert (peer.connections, peer.bytes_received) == (1, 0)

    cases.run(work()) if loop == "uvloop" else asyncio.run(work())


def test_a_deadline_that_has_passed_opens_nothing(case):
    async def work() -> None:
        async with peers.Peer(case.accept) as peer, client.session(calls=4) as http:
            late = contract.Deadline(Clock(9.0), 1.0)
            items = [cases.item() for _ in range(9)]
            results = await case.gateway(peer.url, http=http).submit(cases.batch(*items), deadline=late)
            assert [result.outcome for result in results] == ["again"] * 9
            assert peer.connections == 0

    cases.run(work())


def test_the_request_is_with_the_kernel_before_the_loop_turns(case):
    """Between the check of the deadline and `send()` nothing else of ours runs."""
    received: list[int] = []

    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(20)  # fails, where a busy machine made the client give up connecting
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with client.session(calls=1, time_scale=0.05) as http:
                gateway = case.gateway(url, http=http)
                await gateway.connect(1)
                ours, _ = listener.accept()

                class Watching(Clock):
                    def seconds(self) -> float:
                        asyncio.get_running_loop().call_soon(lambda: received.append(waiting_bytes(ours)))
                        return 0.0

                deadline = contract.Deadline(Watching(0.0), 1.0)
                await gateway.submit(cases.batch(cases.item()), deadline=deadline)
                ours.close()

    cases.run(work())
    assert received[-1] > 0


def waiting_bytes(connection: socket.socket) -> int:
    connection.setblocking(False)
    try:
        return len(connection.recv(100, socket.MSG_PEEK))
    except BlockingIOError:
        return 0


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_a_gateway_that_cannot_be_reached_took_nothing(case, address):
    async def work() -> None:
        async with client.session(calls=2, time_scale=0.3) as http:
            gateway = case.gateway(address, http=http)
            results = await gateway.submit(cases.batch(cases.item(), cases.item()), deadline=cases.in_time())
            assert {(result.outcome, result.error.error_class) for result in results} == {
                ("again", errors.ErrorClass.UNREACHABLE)
            }
            trouble = await gateway.connect(2)
            assert trouble is not None
            assert trouble.error_class == errors.ErrorClass.UNREACHABLE

    cases.run(work())


def test_a_certificate_nobody_vouches_for_is_refused_before_a_byte(case, tmp_path):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*self_signed(tmp_path))

    async def work() -> None:
        async with peers.Peer(case.accept, tls=tls) as peer:
            [result] = await case.submit(peer, cases.item())
            assert (result.outcome, result.error.code) == ("again", "tls")
            assert peer.requests == []

    # The standard loop: uvloop's server prints the broken handshake.
    asyncio.run(work())


def self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -out {certificate} -keyout {key}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return certificate, key


def test_connections_are_opened_ahead_and_used(case):
    async def work() -> None:
        async with peers.Peer(case.accept) as peer, client.session(calls=3) as http:
            gateway = case.gateway(peer.url, http=http)
            assert await gateway.connect(10) is None
            await asyncio.sleep(0.02)
            assert (peer.connections, peer.bytes_received) == (3, 0)
            await gateway.submit(cases.batch(*(cases.item() for _ in range(9))), deadline=cases.in_time())
            assert await gateway.connect(3) is None
            assert peer.connections == 3

    cases.run(work())


def test_a_host_that_does_not_answer_the_knock_took_nothing(case):
    """A full backlog: the connection is never made."""

    async def work() -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with client.session(calls=4, time_scale=0.05) as http:
                gateway = case.gateway(url, http=http)
                trouble = await gateway.connect(4)
                assert trouble is not None
                assert trouble.code == "connect_timeout"

    cases.run(work())


# --- Slow, long and wrong answers ---------------------------------------------------------------------


def test_a_timeout_after_accepting_is_unknown(case):
    async def sleep(connection: peers.Connection, request: peers.Request) -> None:
        await asyncio.sleep(5)

    result, peer = submit_with(case, sleep, time_scale=0.02)
    assert (result.outcome, result.error.code) == ("unknown", "timeout")
    assert len(peer.requests) == 1


def test_a_dribbled_answer_ends_at_the_total_deadline(case):
    async def dribble(connection: peers.Connection, request: peers.Request) -> None:
        await connection.send(b"HTTP/1.1 201 X\r\nContent-Length: 5000\r\n\r\n")
        while True:
            await connection.send(b"{")
            await asyncio.sleep(0.03)

    started = time.monotonic()
    result, _ = submit_with(case, dribble, time_scale=0.02)
    assert result.outcome == "unknown"
    assert time.monotonic() - started < 0.6


def test_an_endless_answer_is_cut_off(case):
    sent = 0

    async def flood(connection: peers.Connection, request: peers.Request) -> None:
        nonlocal sent
        await connection.send(b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < 50_000_000:
            await connection.send(b"2000\r\n" + b" " * 8192 + b"\r\n")
            sent += 8192

    result, _ = submit_with(case, flood, time_scale=0.5)
    assert result.outcome == "unknown"
    assert sent < 20_000_000


def test_a_gzip_bomb_is_not_unpacked(case):
    bomb = gzip.compress(b" " * 30_000_000)
    result, peer = submit_with(case, answering(201, bomb, "Content-Encoding: gzip\r\n"))
    assert result.outcome == "unknown"
    assert peer.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("status", [200, 201, 400])
def test_garbage_is_never_accepted(case, status, body):
    result, _ = submit_with(case, answering(status, body))
    assert result.outcome == "unknown"
    assert result.gateway_id == ""


@pytest.mark.parametrize("raw", NOT_HTTP)
def test_what_is_not_http_is_unknown(case, raw):
    async def rude(connection: peers.Connection, request: peers.Request) -> None:
        await connection.send(raw)
        await connection.close()

    result, peer = submit_with(case, rude)
    assert result.outcome == "unknown"
    assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 301, 302, 307, 308])
def test_a_status_that_proves_nothing_is_unknown_and_never_followed(case, status):
    headers = "Location: http://127.0.0.1:1/elsewhere\r\nRetry-After: 3\r\n"
    result, peer = submit_with(case, answering(status, case.refused("20003"), headers))
    assert (result.outcome, result.error.retry_after) == ("unknown", 3.0)
    assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404])
@pytest.mark.parametrize("body", [b"", b"<html>"])
def test_refused_credentials_give_the_row_back_and_pause_the_account(case, status, body):
    result, _ = submit_with(case, answering(status, body))
    assert result.outcome == "again"
    assert result.error.policy.beyond == errors.Beyond.PAUSE_ACCOUNT


@pytest.mark.parametrize(
    ("header", "wait"),
    [("Retry-After: 7\r\n", 7.0), ("", None), ("Retry-After: soon\r\n", None), ("Retry-After: 9e99\r\n", 86_400)],
)
def test_told_to_slow_down_the_row_goes_back_without_spending_an_attempt(case, header, wait):
    result, _ = submit_with(case, answering(429, b"", header))
    assert (result.outcome, result.error.error_class) == ("again", errors.ErrorClass.THROTTLE)
    assert result.error.retry_after == wait
    assert not result.error.policy.spends_attempt


def test_a_text_that_cannot_be_encoded_is_refused_alone(case):
    async def work() -> None:
        async with peers.Peer(case.accept) as peer:
            results = await case.submit(peer, cases.item(body="half \ud83d"), cases.item())
        assert [result.outcome for result in results] == ["rejected", "accepted"]
        assert results[0].error.error_class == errors.ErrorClass.MESSAGE

    cases.run(work())


def test_lookup_says_when_it_could_not_ask(case):
    async def work() -> None:
        async with peers.Peer(answering(429, b"", "Retry-After: 2\r\n")) as peer, client.session(calls=2) as http:
            wanted = contract.LookupItem(cases.item().reference, "+12125550123", "Hello")
            with pytest.raises(errors.Throttled):
                await case.gateway(peer.url, http=http).lookup([wanted], submitted_after=cases.NOON)

    cases.run(work())


# --- Webhooks -----------------------------------------------------------------------------------------


def test_a_genuine_webhook_is_taken(case):
    hook = cases.request(case, **case.hook(case.credentials))
    gateway = case.gateway("http://x")
    gateway.verify(hook)
    [inbound] = gateway.parse(hook).inbound
    assert (inbound.phone, inbound.sender, inbound.text[:4]) == ("+12125550123", "+12125550100", "stop")
    assert gateway.acknowledge(hook).status == 200


def test_a_webhook_without_proof_is_refused(case):
    given = case.hook(case.credentials)
    given["headers"] = {"Content-Type": given["headers"]["Content-Type"]}
    with pytest.raises(contract.HookRefused):
        case.gateway("http://x").verify(cases.request(case, **given))


def test_another_accounts_proof_is_refused(case):
    with pytest.raises(contract.HookRefused):
        case.gateway("http://x").verify(cases.request(case, **case.hook(case.other)))


def test_a_proof_with_one_byte_changed_is_refused(case):
    given = case.hook(case.credentials)
    [name] = [name for name in given["headers"] if name != "Content-Type"]
    proof = given["headers"][name]
    for place in (8, len(proof) // 2, len(proof) - 3):
        changed = "A" if proof[place] != "A" else "B"
        given["headers"][name] = proof[:place] + changed + proof[place + 1 :]
        with pytest.raises(contract.HookRefused):
            case.gateway("http://x").verify(cases.request(case, **given))


def test_a_secret_that_was_never_set_opens_nothing(case):
    """There is no former secret: what is signed with the empty one is forged."""
    empty = dict.fromkeys(case.credentials, "") | {"hook_user": "us"}
    with pytest.raises(contract.HookRefused):
        case.gateway("http://x").verify(cases.request(case, **case.hook(empty)))


def test_proof_in_strange_letters_is_refused(case):
    given = case.hook(case.credentials)
    [name] = [name for name in given["headers"] if name != "Content-Type"]
    given["headers"][name] = "Bäsic \udcff"
    with pytest.raises(contract.HookRefused):
        case.gateway("http://x").verify(cases.request(case, **given))


def test_the_former_secret_still_counts_while_it_is_rotated(case):
    gateway = case.gateway("http://x", credentials=case.former)
    gateway.verify(cases.request(case, **case.hook(case.credentials)))
    current = {**case.former, "account_sid": case.credentials.get("account_sid", "")}
    gateway.verify(cases.request(case, **case.hook(current)))
    with pytest.raises(contract.HookRefused):
        case.gateway("http://x", credentials={**case.former, **case.other}).verify(
            cases.request(case, **case.hook(current))
        )


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("kind", ["status", "inbound"])
def test_a_webhook_that_makes_no_sense_is_refused_or_empty(case, kind, body):
    given = case.hook(case.credentials, kind=kind) | {"body": body}
    events = contract.HookEvents()
    with contextlib.suppress(contract.HookRefused):
        events = case.gateway("http://x").parse(cases.request(case, **given))
    assert events == contract.HookEvents()


def test_a_form_of_too_many_fields_is_refused(case):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with pytest.raises(contract.HookRefused):
        cases.request(case, url="/hooks/a/b/status/", headers=headers, body=b"a=1&" * 1000)
