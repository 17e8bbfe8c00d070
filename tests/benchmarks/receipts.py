"""How fast receipts are taken: singly as Twilio posts them, and a hundred a call as Infobip does.

`python -m tests.benchmarks.receipts --json` (PostgreSQL where DATABASE_URL says so, else SQLite)

A database of its own whose ledger holds accepted messages of both providers, a real web process as `runall` starts
it, real signatures and addresses. Each message gets `sent`, then `delivered`. Every event is counted afterwards.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import aiohttp

from smsdesk.gateways import hooks, twilio_signature
from tests import world
from tests.benchmarks import gauge

Post = tuple[str, bytes, dict[str, str]]  # path, body, headers

INFOBIP = {
    "sent": {"id": 3, "groupId": 3, "groupName": "DELIVERED", "name": "DELIVERED_TO_OPERATOR"},
    "delivered": {"id": 5, "groupId": 3, "groupName": "DELIVERED", "name": "DELIVERED_TO_HANDSET"},
}  # fmt: skip
NO_ERROR = {
    "groupId": 0,
    "groupName": "OK",
    "id": 0,
    "name": "NO_ERROR",
    "description": "No Error",
    "permanent": False,
}


def main() -> None:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="smsdesk-bench-"))
    with world.world(folder, database_url=os.environ.get("DATABASE_URL", "")) as desk:
        figures = measure(desk, options)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:>26}: {value}")
    if (
        figures["singly"]["refused"]
        or figures["bundled"]["refused"]
        or figures["events"] != figures["events_expected"]
    ):  # type: ignore[index]
        sys.exit(1)


def measure(desk: world.World, options: argparse.Namespace) -> dict[str, object]:
    desk.migrate()
    ledger = desk.folder / "sent.json"
    desk.python(
        "tests.benchmarks.sent",
        json.dumps({"messages": options.messages, "dialects": ["twilio", "infobip"], "into": str(ledger)}),
    )
    said = json.loads(ledger.read_text())
    is_postgres = desk.environment["DATABASE_URL"].startswith("postgres")
    web = desk.web(processes=2 if is_postgres else 1)
    if options.profile:
        _profile(web, options.profile)
    singly = list(_twilio(desk, said["twilio"], options.singly))
    bundled = list(_infobip(said["infobip"], options.bundled, per_call=options.per_call))
    cpu = _cpu(web)
    one = asyncio.run(_post(desk.url, singly, at_once=options.at_once, warm=200))
    one |= {"web_cpu_ms_per_receipt": round((_cpu(web) - cpu) * 1000 / len(singly), 3)}
    cpu = _cpu(web)
    many = asyncio.run(_post(desk.url, bundled, at_once=options.calls_at_once, warm=4))
    many |= {
        "receipts_per_second": round(many["calls_per_second"] * options.per_call),
        "web_cpu_ms_per_receipt": round((_cpu(web) - cpu) * 1000 / (len(bundled) * options.per_call), 3),
    }
    counted = desk.python("tests.benchmarks.received")
    return {
        "database": "postgresql" if is_postgres else "sqlite",
        "ledger": options.messages * 2,
        "singly": one,
        "bundled": many,
        "per_call": options.per_call,
        "events": counted["events"],
        "events_expected": len(singly) + len(bundled) * options.per_call,
        "delivered": counted["delivered"],
        "web_peak_mb": max(gauge.peak_mb(pid) for pid in world.workers_of(web)),
        "cores": os.cpu_count(),
        "machine_seconds": gauge.machine_seconds(),
        "python": platform.python_version(),
    }


# --- What the providers post ------------------------------------------------------------------------------


def _twilio(desk: world.World, said: dict[str, object], count: int) -> Iterator[Post]:
    """Forms as Twilio posts them, signed; `sent` of fifty messages, then their `delivered`."""
    token, sid = world.CREDENTIALS["twilio"]["auth_token"], world.CREDENTIALS["twilio"]["account_sid"]
    base = f"/hooks/{said['account']}/{said['secret']}/status/"
    for status, (reference, gateway_id) in _words(said["messages"], count, together=50):  # type: ignore[arg-type]
        path = f"{base}?m={reference}"
        form = {
            "SmsSid": gateway_id, "SmsStatus": status, "MessageStatus": status, "To": "+12125550123",
            "MessageSid": gateway_id, "AccountSid": sid, "From": "+12025550000", "ApiVersion": "2010-04-01",
        }  # fmt: skip
        if status == "delivered":
            form["RawDlrDoneDate"] = datetime.now(UTC).strftime("%y%m%d%H%M")
        signed = twilio_signature.signature(
            desk.url + path, form={name: [value] for name, value in form.items()}, secret=token
        )
        yield path, urlencode(form).encode(), {"Content-Type": hooks.FORM, "X-Twilio-Signature": signed}


def _infobip(said: dict[str, object], count: int, *, per_call: int) -> Iterator[Post]:
    path = f"/hooks/{said['account']}/{said['secret']}/status/"
    calls = count // per_call * per_call
    words = list(_words(said["messages"], calls, together=per_call))  # type: ignore[arg-type]
    for start in range(0, calls, per_call):
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        results = [
            {
                "bulkId": "2034072219640523072", "messageId": reference, "to": "12125550123", "sentAt": now,
                "doneAt": now, "smsCount": 1, "messageCount": 1, "callbackData": "", "mccMnc": "310260",
                "price": {"pricePerMessage": 0.01, "currency": "EUR"}, "status": INFOBIP[word], "error": NO_ERROR,
            }
            for word, (reference, _) in words[start : start + per_call]
        ]  # fmt: skip
        yield (
            path,
            json.dumps({"results": results}, separators=(",", ":")).encode(),
            {"Content-Type": "application/json"},
        )


def _words(
    messages: Sequence[tuple[str, str]], count: int, *, together: int
) -> Iterator[tuple[str, tuple[str, str]]]:
    """(word, message), `count` of them: first the one word for some messages, then the other for the same."""
    needed = messages[: count // 2]
    for start in range(0, len(needed), together):
        for word in ("sent", "delivered"):
            for message in needed[start : start + together]:
                yield word, message


# --- The client -------------------------------------------------------------------------------------------


async def _post(url: str, posts: Sequence[Post], *, at_once: int, warm: int) -> dict[str, float]:
    """Post all of them in order, so many at once; `warm` of them before the clock runs."""
    waiting = iter(posts)
    times: list[float] = []
    statuses: Counter[int] = Counter()

    async def worker(http: aiohttp.ClientSession, limit: int) -> None:
        for path, body, headers in _some(waiting, limit):
            begun = time.monotonic()
            async with http.post(path, data=body, headers=headers) as answer:
                await answer.read()
                statuses[answer.status] += 1
            times.append(time.monotonic() - begun)

    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(url, connector=connector) as http:
        await worker(http, warm)
        times.clear()
        begun = time.monotonic()
        await asyncio.gather(*(worker(http, len(posts)) for _ in range(at_once)))
        seconds = time.monotonic() - begun
    times.sort()
    return {
        "calls": len(times),
        "at_once": at_once,
        "calls_per_second": round(len(times) / seconds, 1),
        "p50_ms": round(statistics.median(times) * 1000, 1),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 1),
        "longest_ms": round(times[-1] * 1000, 1),
        "refused": sum(count for status, count in statuses.items() if status >= 300),
    }


def _some(waiting: Iterator[Post], limit: int) -> Iterator[Post]:
    for _ in range(limit):
        try:
            yield next(waiting)
        except StopIteration:
            return


def _cpu(web: subprocess.Popen[bytes]) -> float:
    return sum(gauge.cpu_seconds(pid) for pid in world.workers_of(web))


def _profile(web: subprocess.Popen[bytes], file: str) -> None:
    """Where the time goes: py-spy's raw stacks of one web process, for half a minute."""
    worker = world.workers_of(web)[-1]
    subprocess.Popen(
        ["py-spy", "record", "--pid", str(worker), "--duration", "30", "--format", "raw", "--output", file],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(1.5)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=60_000, help="accepted messages of each provider")
    parser.add_argument("--singly", type=int, default=12_000, help="receipts that come one by one")
    parser.add_argument("--bundled", type=int, default=60_000, help="receipts that come many to a call")
    parser.add_argument("--per-call", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=16, help="calls of one receipt open at once")
    parser.add_argument("--calls-at-once", type=int, default=8, help="calls of many receipts open at once")
    parser.add_argument("--profile", default="", help="write py-spy's raw stacks of a web process here")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
