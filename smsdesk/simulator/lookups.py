"""What the desk may ask afterwards: Infobip's logs, Twilio's list and single message."""

from datetime import UTC, datetime
from itertools import islice

from aiohttp import web

from smsdesk.simulator import endpoints, infobip, twilio
from smsdesk.simulator.answers import Answer
from smsdesk.simulator.carrier import Carrier
from smsdesk.simulator.messages import Message
from smsdesk.simulator.numbering import digits

CARRIER = web.AppKey("carrier", Carrier)
LONGEST_CSV = 2048
# A list without a number is answered from the newest messages only.
NEWEST = 100_000


def routes() -> list[web.RouteDef]:
    messages = f"/{twilio.VERSION}/Accounts/{{sid}}/Messages"
    return [
        web.get("/sms/3/logs", infobip_logs),
        web.get(f"{messages}.json", twilio_list),
        web.get(f"{messages}/{{message}}.json", twilio_fetch),
    ]


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, content_type="application/json")


def _infobip_bad(name: str, violation: str) -> web.Response:
    body = infobip.error_body("E400", "Request cannot be processed", violations=((name, violation),))
    return _response(Answer(400, body))


async def infobip_logs(request: web.Request) -> web.Response:
    carrier = request.app[CARRIER]
    account = endpoints.infobip_account(carrier, request.headers.get("Authorization", ""))
    if account is None:
        return _response(endpoints.infobip_unauthorized())
    query = request.query
    ids, limit = query.get("messageId", ""), query.get("limit", "50")
    if len(ids) > LONGEST_CSV:
        return _infobip_bad("messageId", f"must not exceed {LONGEST_CSV} characters")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= 1000:
        return _infobip_bad("limit", "must be a number from 1 to 1000")
    if ids:
        keys = ((account.name, key.strip()) for key in ids.split(","))
        found = [carrier.traffic.by_reference[key] for key in keys if key in carrier.traffic.by_reference]
    else:
        found = [message for message in islice(carrier.traffic.newest_first(), NEWEST) if not message.is_inbound]
    chosen = [message for message in found if _wanted(message, request, account.name)][: int(limit)]
    _note(carrier, "infobip", asked=len(ids.split(",")) if ids else 0, found=len(chosen))
    cursor = {"limit": int(limit), "nextCursor": None}
    results = [infobip.log_entry(message) for message in chosen]
    return web.json_response({"results": results, "cursor": cursor})


def _wanted(message: Message, request: web.Request, account: str) -> bool:
    query = request.query
    if message.account != account or not _is_shown(message, request.app[CARRIER]):
        return False
    if "destination" in query and digits(query["destination"]) != digits(message.to):
        return False
    if "sender" in query and query["sender"].removeprefix("+") != message.sender.removeprefix("+"):
        return False
    return "bulkId" not in query or message.bulk_id in query["bulkId"].split(",")


def _is_shown(message: Message, carrier: Carrier) -> bool:
    """A carrier's log may lag behind what it has accepted."""
    lag = carrier.faults.lookup_lag_ms / 1000
    return not lag or message.at + lag <= datetime.now(UTC).timestamp()


async def twilio_list(request: web.Request) -> web.Response:
    carrier, sid = request.app[CARRIER], request.match_info["sid"]
    account = endpoints.twilio_account(carrier, request.headers.get("Authorization", ""), sid=sid)
    if account is None:
        return _response(endpoints.twilio_unauthorized())
    query = request.query
    size, page = query.get("PageSize", "50"), query.get("Page", "0")
    if not (size.isascii() and size.isdigit() and page.isascii() and page.isdigit() and 1 <= int(size) <= 1000):
        return _response(Answer(400, twilio.error_body(20001, "PageSize must be from 1 to 1000", status=400)))
    try:
        found = [message for message in _candidates(carrier, query.get("To", "")) if _listed(message, request)]
    except ValueError:
        return _response(Answer(400, twilio.error_body(20001, "DateSent is not a valid date", status=400)))
    found = [message for message in found if message.account == account.name and _is_shown(message, carrier)]
    start = int(page) * int(size)
    chosen = found[start : start + int(size)]
    _note(carrier, "twilio", asked=1, found=len(chosen))
    body = twilio.list_json(
        chosen,
        account.key,
        uri=request.path_qs,
        page=int(page),
        size=int(size),
        more=len(found) > start + int(size),
    )
    return _response(Answer(200, body))


def _candidates(carrier: Carrier, to: str) -> list[Message]:
    if to in carrier.traffic.threads:
        return list(reversed(carrier.traffic.threads[to]))
    return [] if to.startswith("+") else list(islice(carrier.traffic.newest_first(), NEWEST))


def _listed(message: Message, request: web.Request) -> bool:
    query = request.query
    if ("To" in query and query["To"] != message.to) or ("From" in query and query["From"] != message.sender):
        return False
    names = ("DateSent", "DateSent<", "DateSent>")
    return all(twilio.matches_date(message, name=name, value=query[name]) for name in names if name in query)


async def twilio_fetch(request: web.Request) -> web.Response:
    carrier, sid = request.app[CARRIER], request.match_info["sid"]
    account = endpoints.twilio_account(carrier, request.headers.get("Authorization", ""), sid=sid)
    if account is None:
        return _response(endpoints.twilio_unauthorized())
    message = carrier.traffic.by_id.get(request.match_info["message"])
    _note(carrier, "twilio", asked=1, found=int(message is not None))
    if message is None or message.account != account.name or not _is_shown(message, carrier):
        text = f"The requested resource {request.path} was not found"
        return _response(Answer(404, twilio.error_body(20404, text, status=404)))
    return _response(Answer(200, twilio.message_json(message, account.key)))


def _note(carrier: Carrier, dialect: str, *, asked: int, found: int) -> None:
    carrier.journal.note("lookup", {"dialect": dialect, "asked": asked, "found": found})
    now = datetime.now(UTC).timestamp()
    carrier.traffic.happened("lookup", f"{dialect} · {found} found", status="200", at=now)
