"""The two hot endpoints: a send call's bytes in, an answer out."""

from smsdesk.simulator import infobip, twilio
from smsdesk.simulator.accounts import Account
from smsdesk.simulator.answers import Answer
from smsdesk.simulator.carrier import Carrier, Taken
from smsdesk.simulator.messages import Message

GARBAGE = b"<html><body>upstream went away</body>"
HOWS = {"hang": "hang", "reset_before": "reset", "reset_after": "reset"}


def infobip_account(carrier: Carrier, authorization: str) -> Account | None:
    scheme, _, key = authorization.partition(" ")
    return carrier.book.find("infobip", key=key.strip(), secret="") if scheme.lower() == "app" else None


def twilio_account(carrier: Carrier, authorization: str, *, sid: str) -> Account | None:
    name, password = twilio.credentials(authorization)
    return carrier.book.find("twilio", key=name, secret=password) if name and name == sid else None


def infobip_send(carrier: Carrier, body: bytes, *, authorization: str, at: float, mono: float) -> Answer:
    account = infobip_account(carrier, authorization)
    if account is None:
        return _happened(carrier, infobip_unauthorized(), "infobip", "wrong API key", at)
    try:
        bulk_id, messages = infobip.parse_send(body, account, new_id=carrier.new_id)
    except infobip.BadRequest as error:
        violations = ((error.property_name, error.violation),)
        answer = Answer(400, infobip.error_body("E400", "Request cannot be processed", violations=violations))
        return _happened(carrier, answer, "infobip", f"{error.property_name} {error.violation}", at)
    taken = carrier.take(messages, at=at, mono=mono)
    answer = _infobip_answer(bulk_id, messages, taken)
    return _happened(carrier, answer, "infobip", _said(messages), at)


def _infobip_answer(bulk_id: str, messages: list[Message], taken: Taken) -> Answer:
    if taken.how == "throttle":
        return Answer(429, infobip.error_body("E429", "Too many requests"), retry_after=1, call=taken.call)
    if taken.how in ("fail_before", "fail_after"):
        return Answer(500, infobip.error_body("E500", "Something went wrong"), call=taken.call, early=taken.early)
    if taken.how == "garbage":
        return Answer(200, GARBAGE, call=taken.call, early=taken.early)
    how = HOWS.get(taken.how, "answer")
    body = infobip.send_answer(bulk_id, messages, taken.refusals) if how == "answer" else b""
    return Answer(200, body, how=how, call=taken.call, early=taken.early)


def infobip_unauthorized() -> Answer:
    return Answer(401, infobip.error_body("E401", "The request lacks valid authentication credentials"))


def twilio_send(carrier: Carrier, body: bytes, *, sid: str, authorization: str, at: float, mono: float) -> Answer:
    account = twilio_account(carrier, authorization, sid=sid)
    if account is None:
        return _happened(carrier, twilio_unauthorized(), "twilio", "wrong account sid or token", at)
    message = twilio.parse_send(body, account)
    taken = carrier.take([message], at=at, mono=mono)
    return _happened(carrier, _twilio_answer(message, taken, account), "twilio", _said([message]), at)


def _twilio_answer(message: Message, taken: Taken, account: Account) -> Answer:
    if taken.how == "throttle":
        return Answer(
            429, twilio.error_body(20429, "Too Many Requests", status=429), retry_after=1, call=taken.call
        )
    if taken.how in ("fail_before", "fail_after"):
        body = twilio.error_body(20500, "Internal Server Error", status=500)
        return Answer(500, body, call=taken.call, early=taken.early)
    how = HOWS.get(taken.how, "answer")
    if taken.refusals and taken.refusals[0]:
        code, text = twilio.REFUSALS[taken.refusals[0]]
        return Answer(400, twilio.error_body(code, text, status=400), how=how, call=taken.call)
    if taken.how == "garbage":
        return Answer(201, GARBAGE, call=taken.call, early=taken.early)
    body = twilio.message_json(message, account.key) if how == "answer" else b""
    return Answer(201, body, how=how, call=taken.call, early=taken.early)


def twilio_unauthorized() -> Answer:
    return Answer(401, twilio.error_body(20003, "Authenticate", status=401))


def _said(messages: list[Message]) -> str:
    return f"1 message to {messages[0].to}" if len(messages) == 1 else f"{len(messages)} messages"


def _happened(carrier: Carrier, answer: Answer, dialect: str, text: str, at: float) -> Answer:
    status = str(answer.status) if answer.how == "answer" else answer.how
    carrier.traffic.happened("request", f"{dialect} · {text}", status=status, at=at)
    return answer
