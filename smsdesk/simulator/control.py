"""What tests and the handset page may do to the carrier: text from a handset, set faults, send a receipt, look."""

import json
from dataclasses import asdict
from typing import Any

from aiohttp import web

from smsdesk.simulator import faults
from smsdesk.simulator.accounts import Account, BadAccounts
from smsdesk.simulator.lookups import CARRIER
from smsdesk.simulator.messages import FINAL_WORDS, WORDS
from smsdesk.simulator.numbering import digits

LONGEST_TEXT = 4000


class BadControl(ValueError):
    """A request to the control side nobody can follow; the text names the field and the cure."""


def routes() -> list[web.RouteDef]:
    return [
        web.post("/control/inbound", post_inbound),
        web.get("/control/faults", get_faults),
        web.post("/control/faults", post_faults),
        web.get("/control/stats", get_stats),
        web.post("/control/receipts", post_receipt),
        web.post("/control/accounts", post_accounts),
        web.post("/control/forget-opt-outs", post_forget),
        web.get("/control/happenings", get_happenings),
    ]


@web.middleware
async def errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """What was asked wrongly is answered with a sentence."""
    try:
        answer: web.StreamResponse = await handler(request)
    except (BadControl, faults.BadFault, BadAccounts) as error:
        return web.json_response({"error": str(error)}, status=400)
    return answer


async def _body(request: web.Request) -> dict[str, Any]:
    # Asking for JSON keeps forms of other web sites out: a browser would have to ask first.
    if request.content_type != "application/json":
        raise BadControl("Send the request as application/json.")
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise BadControl("The body must be JSON in UTF-8.") from error
    if not isinstance(body, dict):
        raise BadControl("The body must be a JSON object.")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadControl(f"{name} is missing: give it as a text.")
    return value


def handset_number(text: str) -> str:
    """The + form of a handset's number as a person types it."""
    number = digits("".join(character for character in text if character not in " ()-./"))
    if not number:
        raise BadControl(f"{text[:40]!r} is no international number: write it like +12025550123.")
    return f"+{number}"


async def post_inbound(request: web.Request) -> web.Response:
    carrier, body = request.app[CARRIER], await _body(request)
    handset, text = handset_number(_text(body, "from")), _text(body, "text")
    if len(text) > LONGEST_TEXT:
        raise BadControl(f"text is {len(text)} characters long: at most {LONGEST_TEXT} are allowed.")
    account = _account(request, body)
    sender = str(body.get("to") or body.get("sender") or (account.senders[0] if account.senders else ""))
    if not sender:
        raise BadControl("to is missing: name the sender that is texted to.")
    if not account.inbound_url:
        raise BadControl(f"account {account.name!r} has no inbound_url: texts from handsets go nowhere.")
    status, seconds = await carrier.receive(account, handset=handset, sender=sender, text=text)
    return web.json_response({"status": status, "seconds": round(seconds, 4)})


def _account(request: web.Request, body: dict[str, Any]) -> Account:
    book = request.app[CARRIER].book
    if body.get("account"):
        account = book.named(str(body["account"]))
    else:
        account = book.with_sender(str(body.get("to") or body.get("sender") or ""))
        if account is None and len(book.accounts) == 1:
            account = next(iter(book.accounts.values()))
    if account is None:
        names = ", ".join(sorted(known.name for known in book.accounts.values())) or "none"
        raise BadControl(f"No account has that name or sender; known accounts: {names}.")
    return account


async def get_faults(request: web.Request) -> web.Response:
    return web.json_response(asdict(request.app[CARRIER].faults))


async def post_faults(request: web.Request) -> web.Response:
    """Change the named settings, or with {"reset": true} go back to none first."""
    carrier, body = request.app[CARRIER], await _body(request)
    base = faults.Faults(seed=carrier.faults.seed) if body.pop("reset", False) is True else carrier.faults
    carrier.faults = faults.changed(base, body)
    carrier.journal.note("faults", asdict(carrier.faults))
    return web.json_response(asdict(carrier.faults))


async def get_stats(request: web.Request) -> web.Response:
    carrier = request.app[CARRIER]
    postman = carrier.receipts.postman
    return web.json_response(
        {
            "accepted": carrier.accepted,
            "duplicates": carrier.duplicates,
            "submits": sum(carrier.submits.values()),
            "receipts_planned": carrier.receipts.waiting,
            "posts_waiting": postman.waiting,
            **{name: postman.counts[name] for name in sorted(postman.counts)},
        }
    )


async def post_receipt(request: web.Request) -> web.Response:
    carrier, body = request.app[CARRIER], await _body(request)
    reference, word = _text(body, "reference"), _text(body, "status")
    if word not in WORDS:
        raise BadControl(f"status {word[:40]!r} is unknown: one of {', '.join(('sent', *FINAL_WORDS))}.")
    held = carrier.traffic
    message = held.by_id.get(reference) or next(
        (found for (_, known), found in held.by_reference.items() if known == reference), None
    )
    if message is None or message.is_inbound:
        raise BadControl(f"The carrier never accepted reference {reference[:60]!r}.")
    if not message.callback_url:
        raise BadControl(f"Message {reference[:60]!r} came without a callback URL: nowhere to send a receipt.")
    status, seconds = await carrier.receipts.now(message, word)
    return web.json_response({"status": status, "seconds": round(seconds, 4)})


async def post_accounts(request: web.Request) -> web.Response:
    """Use these accounts instead: {"accounts": [...], "phones": [...]}, as in the accounts file."""
    carrier = request.app[CARRIER]
    carrier.book.replace(await _body(request))
    return web.json_response({"accounts": len(carrier.book.accounts)})


async def post_forget(request: web.Request) -> web.Response:
    """Free all handsets, or those in {"numbers": [...]}, from the carrier's own opt-out list."""
    body = await _body(request)
    numbers = body.get("numbers", [])
    if not isinstance(numbers, list):
        raise BadControl("numbers must be a list.")
    request.app[CARRIER].forget_blocks([handset_number(str(number)) for number in numbers])
    return web.json_response({})


async def get_happenings(request: web.Request) -> web.Response:
    after = request.query.get("after", "0")
    newest = request.app[CARRIER].traffic.happenings
    number = int(after) if after.isascii() and after.isdigit() else 0
    rows = [row for row in newest if row["n"] > number][-60:]
    return web.json_response({"happenings": rows})
