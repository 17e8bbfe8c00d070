"""The simulator and a desk that only listens, in one event loop, for tests of the simulator itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import uvloop
from aiohttp import web

from smsdesk.simulator import journal, server
from smsdesk.simulator.options import Options

SID, TOKEN, KEY = "AC" + "a" * 32, "token-of-the-account", "key-of-the-account"
TO, SENDER = "+12025550177", "+12025550199"
BASIC = {"Authorization": aiohttp.encode_basic_auth(SID, TOKEN)}
APP = {"Authorization": f"App {KEY}"}


@dataclass
class Rig:
    """`posts` are the webhooks the desk got: path with query, headers, body. `answer_with` is its HTTP status."""

    http: aiohttp.ClientSession
    carrier: Any
    url: str
    desk: str
    options: Options
    posts: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    answer_with: list[int] = field(default_factory=list)

    async def twilio(
        self, reference: str = "r1", *, to: str = TO, body: str = "Hello", **more: str
    ) -> aiohttp.ClientResponse:
        form = {
            "To": to, "From": SENDER, "Body": body,
            "StatusCallback": f"{self.desk}/hooks/t/status/?m={reference}", **more,
        }  # fmt: skip
        form = {name: value for name, value in form.items() if value}
        return await self.http.post(f"/2010-04-01/Accounts/{SID}/Messages.json", data=form, headers=BASIC)

    async def infobip(self, *rows: tuple[str, str], body: str = "Hello") -> aiohttp.ClientResponse:
        delivery = {"url": f"{self.desk}/hooks/i/status/", "intermediateReport": True}
        messages = [
            {
                "sender": "Lumen", "destinations": [{"to": to.removeprefix("+"), "messageId": reference}],
                "content": {"text": body}, "webhooks": {"delivery": delivery},
            }
            for reference, to in rows
        ]  # fmt: skip
        return await self.http.post("/sms/3/messages", json={"messages": messages}, headers=APP)

    async def control(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        async with self.http.post(f"/control/{path}", json=body) as answer:
            return answer.status, await answer.json()

    def journal(self, kind: str = "") -> list[dict[str, Any]]:
        assert self.options.log is not None
        self.carrier.journal.flush()
        return list(journal.read(self.options.log, kind=kind))

    def forms(self) -> list[dict[str, str]]:
        return [{name: values[0] for name, values in parse_qs(body).items()} for _, _, body in self.posts]

    async def until(self, is_true: Callable[[], bool], *, seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not is_true():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def rig(options: Options) -> AsyncIterator[Rig]:
    """A simulator on a free port with a Twilio and an Infobip account."""
    posts: list[tuple[str, dict[str, str], str]] = []
    answer_with: list[int] = []

    async def hook(request: web.Request) -> web.Response:
        posts.append((request.path_qs, dict(request.headers), await request.text()))
        return web.Response(status=answer_with.pop(0) if answer_with else 200)

    app = web.Application()
    app.router.add_post("/{path:.*}", hook)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    desk = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with server.running(options) as simulator, aiohttp.ClientSession(simulator.url) as http:
            simulator.carrier.book.replace(accounts(desk))
            simulator.carrier.receipts.postman.first_pause = 0.02
            yield Rig(http, simulator.carrier, simulator.url, desk, options, posts, answer_with)
    finally:
        await runner.cleanup()


def accounts(desk: str) -> list[dict[str, Any]]:
    return [
        {
            "dialect": "twilio", "name": "Twilio", "credentials": {"account_sid": SID, "auth_token": TOKEN},
            "senders": [SENDER], "inbound_url": f"{desk}/hooks/t/inbound/",
        },
        {
            "dialect": "infobip", "name": "Infobip", "credentials": {"api_key": KEY},
            "senders": ["Lumen", "+447700900100"], "inbound_url": f"{desk}/hooks/i/inbound/",
        },
    ]  # fmt: skip


def play(story: Callable[[Rig], Awaitable[None]], options: Options) -> None:
    """Run an async story against a simulator of its own."""

    async def run() -> None:
        async with rig(options) as a_rig:
            await story(a_rig)

    uvloop.run(run())
