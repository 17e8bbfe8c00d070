"""The simulator as the process that demo, tests and benchmarks start."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smsdesk.simulator import journal
from smsdesk.simulator.accounts import AccountBook, BadAccounts
from smsdesk.simulator.options import Options
from tests.carrier_rig import APP, BASIC, KEY, SENDER, SID, TO, Rig, accounts, play

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(port=0, log=tmp_path / "carrier.jsonl")


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "manage.py", "simulator", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = re.match(r"simulator (http://\S+)/", process.stdout.readline())
    assert address is not None
    return process, address[1]


def test_the_command_serves_and_ends_cleanly_within_seconds(tmp_path):
    log = tmp_path / "carrier.jsonl"
    process, url = start("--open", "--log", str(log))
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as idle:
        idle.sendall(b"POST /sms/3/messages HTTP/1.1\r\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=6) == 0
    assert process.communicate()[1] == ""
    assert [line["kind"] for line in journal.read(log)] == ["start", "stop"]


def test_an_unanswered_webhook_does_not_hold_up_the_end(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        inbound_url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        process, url = start("--open", "--inbound-url", inbound_url)
        host, _, port = url.removeprefix("http://").partition(":")
        form = "To=%2B12025550105&From=%2B12025550199&Body=hello"
        with socket.create_connection((host, int(port))) as caller:
            head = f"POST /2010-04-01/Accounts/{SID}/Messages.json HTTP/1.1\r\nContent-Length: {len(form)}"
            caller.sendall(f"{head}\r\nAuthorization: {BASIC['Authorization']}\r\n\r\n{form}".encode())
            assert caller.recv(12) == b"HTTP/1.1 201"
            connection, _ = silent.accept()  # the handset's STOP is on its way and gets no answer
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=2) == 0
            connection.close()
    assert process.communicate()[1] == ""


def test_a_taken_port_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "smsdesk.simulator", "--port", port]
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_accounts_are_read_again_when_the_file_changes(tmp_path):
    path = tmp_path / "accounts.json"
    book = AccountBook(path=path, desk="http://127.0.0.1:9")
    assert not book.refresh()  # the desk writes it later
    path.write_text(json.dumps(accounts("http://127.0.0.1:9")))
    assert book.refresh()
    assert not book.refresh()
    assert book.find("infobip", key=KEY, secret="") is not None
    time.sleep(0.01)
    path.write_text("[]")
    assert book.refresh()
    assert book.find("infobip", key=KEY, secret="") is None


@pytest.mark.parametrize(
    "listed",
    [
        5,
        [5],
        [{"dialect": "pigeon"}],
        [{"dialect": "infobip"}],
        [{"dialect": "infobip", "credentials": {"api_key": "k"}, "senders": "Lumen"}],
        [{"dialect": "infobip", "credentials": {"api_key": "k"}, "inbound_url": "nowhere"}],
        [{"dialect": "infobip", "name": "A", "credentials": {"api_key": key}} for key in "kl"],
        {"accounts": [], "phones": [{"number": "12"}]},
    ],
)
def test_wrong_accounts_are_refused_and_the_old_ones_stay(listed):
    book = AccountBook()
    book.replace(accounts("http://127.0.0.1:9"))
    with pytest.raises(BadAccounts):
        book.replace(listed)
    assert len(book.accounts) == 2


def test_an_open_carrier_takes_any_credentials(tmp_path):
    async def story(rig: Rig) -> None:
        rig.carrier.book.accounts.clear()
        rig.carrier.book.is_open = True
        assert (await rig.twilio()).status == 201
        assert (await rig.infobip(("a", TO))).status == 200

    play(story, Options(port=0, log=tmp_path / "log"))


def test_a_text_from_a_handset_reaches_the_desk(options):
    async def story(rig: Rig) -> None:
        status, answer = await rig.control("inbound", {"from": "+1 (202) 555-0177", "to": SENDER, "text": "Join ü"})
        assert (status, answer["status"]) == (200, 200)
        [form] = rig.forms()
        assert (form["From"], form["To"], form["Body"]) == (TO, SENDER, "Join ü")
        [line] = rig.journal("inbound")
        assert line["taken_at"] >= line["started"]
        await rig.control("inbound", {"account": "Infobip", "from": TO, "to": "+447700900100", "text": "hi"})
        [result] = json.loads(rig.posts[1][2])["results"]
        assert (result["from"], result["to"], result["text"]) == (TO[1:], "447700900100", "hi")

    play(story, options)


def test_twilio_blocks_after_stop_and_frees_after_start(options):
    async def story(rig: Rig) -> None:
        await rig.control("inbound", {"from": TO, "to": SENDER, "text": " stop. "})
        assert (await (await rig.twilio("a")).json())["code"] == 21610
        await rig.control("inbound", {"from": TO, "to": SENDER, "text": "START"})
        assert (await rig.twilio("b")).status == 201
        assert [form["OptOutType"] for form in rig.forms()[:2]] == ["STOP", "START"]
        assert len(rig.journal("carrier_reply")) == 2

    play(story, options)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("inbound", {"from": "abc", "text": "hi", "to": SENDER}),
        ("inbound", {"from": TO, "text": " ", "to": SENDER}),
        ("inbound", {"from": TO, "text": "x" * 5000, "to": SENDER}),
        ("inbound", {"from": TO, "text": "hi", "to": "+19995550100"}),
        ("inbound", []),
        ("faults", {"rate_429": 7}),
        ("receipts", {"reference": "never", "status": "delivered"}),
        ("receipts", {"reference": "never", "status": "eaten"}),
        ("accounts", {"accounts": 5}),
        ("forget-opt-outs", {"numbers": ["x"]}),
    ],
)
def test_wrong_control_requests_get_a_sentence(options, path, body):
    async def story(rig: Rig) -> None:
        status, answer = await rig.control(path, body)
        assert status == 400
        assert len(answer["error"]) > 20

    play(story, options)


def test_control_sends_a_receipt_at_once(options):
    async def story(rig: Rig) -> None:
        await rig.control("faults", {"receipt_delay_ms": 60000})
        await rig.twilio("abc")
        status, answer = await rig.control("receipts", {"reference": "abc", "status": "expired"})
        assert (status, answer["status"]) == (200, 200)
        assert rig.forms()[0]["ErrorCode"] == "30001"

    play(story, options)


def test_other_web_sites_can_neither_post_nor_read(options):
    async def story(rig: Rig) -> None:
        form = {"from": TO, "to": SENDER, "text": "STOP"}
        async with rig.http.post("/control/inbound", data=form) as answer:
            assert answer.status == 400
        async with rig.http.get("/phones/state", headers={"Host": "rebound.example"}) as answer:
            assert answer.status == 421
        assert rig.posts == []

    play(story, options)


def test_the_page_is_served_under_a_strict_policy(options):
    async def story(rig: Rig) -> None:
        for path in ("/", "/phones", "/static/phones.css", "/static/phones.js", "/favicon.ico"):
            async with rig.http.get(path) as answer:
                assert answer.status == 200
                policy = answer.headers["Content-Security-Policy"]
                assert "script-src 'self'; style-src 'self'" in policy
                assert "unsafe" not in policy
        await rig.twilio()
        async with rig.http.get(f"/phones/{TO}/messages") as answer:
            [message] = (await answer.json())["messages"]
        assert (message["sender"], message["encoding"], message["parts"]) == (SENDER, "gsm7", 1)
        async with rig.http.get(f"/phones/{TO}/messages?after={message['version']}") as answer:
            assert (await answer.json())["messages"] == []
        async with rig.http.get("/phones/nobody/messages") as answer:
            assert answer.status == 400

    play(story, options)


def test_requests_in_pieces_and_in_a_row_are_all_served(options):
    async def story(rig: Rig) -> None:
        body = b"To=%2B12025550177&From=%2B12025550199&Body=one"
        head = f"POST /2010-04-01/Accounts/{SID}/Messages.json HTTP/1.1\r\nHost: x\r\nAuthorization: "
        request = f"{head}{BASIC['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        host, _, port = rig.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for start_of_piece in range(0, len(request), 7):
            writer.write(request[start_of_piece : start_of_piece + 7])
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(request + request + b"GET /sms/3/logs HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answers = await reader.read()
        writer.close()
        assert answers.count(b"HTTP/1.1 201 Created") == 3
        assert answers.count(b"HTTP/1.1 401 Unauthorized") == 1
        assert len(rig.journal("accepted")) == 3

    play(story, options)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /sms/3/messages HTTP/1.1\r\nHost: x\r\n\r\n", b"411"),
        (b"POST /sms/3/messages HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /" + b"x" * 20_000, b"431"),
        (b"\0\xff garbage\r\n\r\n", b"400"),
        (b"GET /sms/3/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
    ],
)
def test_broken_requests_are_answered_and_harm_nobody(options, request_bytes, status):
    async def story(rig: Rig) -> None:
        host, _, port = rig.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request_bytes)
        async with asyncio.timeout(3):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 " + status) or answer.startswith(b"HTTP/1.0 " + status)
        assert (await rig.twilio()).status == 201

    play(story, options)


def test_a_deeply_nested_body_is_bad_and_not_fatal(options):
    async def story(rig: Rig) -> None:
        async with rig.http.post("/sms/3/messages", data=b"[" * 200_000, headers=APP) as answer:
            assert answer.status == 400

    play(story, options)


def test_the_log_can_hold_only_what_was_accepted(tmp_path):
    async def story(rig: Rig) -> None:
        await rig.infobip(("a", TO), ("b", "+12025550000"))
        await rig.infobip(("a", TO))
        assert [line["kind"] for line in rig.journal()] == ["accepted", "duplicate"]

    play(story, Options(port=0, log=tmp_path / "log", log_level="accepted"))
