"""The handset page and what it polls."""

from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from smsdesk.simulator import control, faults, lookups
from smsdesk.simulator.carrier import Carrier
from smsdesk.simulator.lookups import CARRIER
from smsdesk.simulator.messages import Message

STATIC = files("smsdesk.simulator") / "static"
FILES = {
    "phones.html": "text/html",
    "phones.css": "text/css",
    "phones.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def application(carrier: Carrier, *, is_loopback: bool) -> web.Application:
    app = web.Application(
        middlewares=[_local_names_only, control.errors] if is_loopback else [control.errors],
        client_max_size=1_048_576,
    )
    app[CARRIER] = carrier
    app.on_response_prepare.append(_finish)
    app.add_routes(lookups.routes())
    app.add_routes(control.routes())
    app.add_routes(
        [
            web.get("/", _file("phones.html")),
            web.get("/phones", _file("phones.html")),
            web.get("/static/phones.css", _file("phones.css")),
            web.get("/static/phones.js", _file("phones.js")),
            web.get("/static/icon.svg", _file("icon.svg")),
            web.get("/favicon.ico", _file("icon.svg")),
            web.get("/phones/state", get_state),
            web.get("/phones/{number}/messages", get_messages),
        ]
    )
    return app


@web.middleware
async def _local_names_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    # A web site that points its own name at 127.0.0.1 must not read handsets.
    name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    if name not in ("localhost", "::1") and not name.startswith("127."):
        raise web.HTTPMisdirectedRequest(text="This page answers to 127.0.0.1 and localhost only.")
    return await handler(request)


async def _finish(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    # The front door takes each connection's next request anew.
    response.headers["Connection"] = "close"
    response.force_close()


def _file(name: str) -> Handler:
    async def serve(request: web.Request) -> web.Response:
        text = (STATIC / name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=FILES[name], charset="utf-8")

    return serve


async def get_state(request: web.Request) -> web.Response:
    """Everything but the threads: accounts with their senders, numbers to pick, links."""
    carrier = request.app[CARRIER]
    accounts = [
        {
            "name": account.name,
            "dialect": account.dialect,
            "senders": account.senders,
            "hears": bool(account.inbound_url),
        }
        for account in carrier.book.accounts.values()
    ]
    return web.json_response(
        {
            "accounts": accounts,
            "phones": [{"number": phone.number, "name": phone.name} for phone in carrier.book.phones],
            "magic": [{"number": number, "name": meaning} for number, meaning in faults.MEANINGS.items()],
            "recent": carrier.traffic.handsets(limit=30),
            "desk": carrier.book.desk,
        }
    )


async def get_messages(request: web.Request) -> web.Response:
    number = control.handset_number(request.match_info["number"])
    after = request.query.get("after", "0")
    version = int(after) if after.isascii() and after.isdigit() else 0
    rows = request.app[CARRIER].traffic.thread(number, after=version)
    return web.json_response({"number": number, "messages": [_as_json(message) for message in rows]})


def _as_json(message: Message) -> dict[str, Any]:
    return {
        "id": message.gateway_id,
        "version": message.version,
        "mine": message.is_inbound,
        "sender": message.to if message.is_inbound else message.sender,
        "account": message.account,
        "text": message.text.encode("utf-8", "replace").decode(),
        "encoding": message.encoding,
        "parts": message.parts,
        "word": message.word,
        "at": message.at,
        "note": message.note,
        "receipts": message.receipts_answered,
        "callback": bool(message.callback_url),
    }
