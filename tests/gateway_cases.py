"""What the shared tests of the adapters must know of each provider."""

import asyncio
import json
import uuid
from base64 import b64encode
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvloop

from smsdesk import clock
from smsdesk.gateways import client, contract, registry, twilio_signature
from tests import gateway_peer

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOOK = "https://desk.example/hooks/5f0c/s3cret/"
SENDER = contract.SenderAddress("+12125550100", "10dlc")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """On the event loop the workers use."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def item(
    *,
    to: str = "+12125550123",
    body: str = "Hello & welcome: 50 % + more",
    sender: contract.SenderAddress = SENDER,
    validity: timedelta | None = None,
) -> contract.SubmitItem:
    return contract.SubmitItem(uuid.uuid4(), sender, to, body, "gsm7", 1, validity)


def batch(*items: contract.SubmitItem) -> contract.SubmitBatch:
    return contract.SubmitBatch(items, f"{HOOK}status/")


def in_time(limit: float = 30.0) -> contract.Deadline:
    return contract.Deadline(clock.Elapsed(), limit)


@dataclass(frozen=True)
class Case:
    kind: str
    credentials: Mapping[str, str]
    former: Mapping[str, str]  # credentials after a rotation that still take what `credentials` sign
    other: Mapping[str, str]  # another account's

    def gateway(self, base_url: str, *, http: Any = None, credentials: Mapping[str, str] | None = None) -> Any:
        settings = contract.AccountSettings(
            uuid.uuid4(), base_url, credentials or self.credentials, HOOK, is_simulator=False
        )
        return registry.gateway_for(self.kind, settings, http=http)

    async def submit(self, peer: gateway_peer.Peer, *items: contract.SubmitItem, time_scale: float = 1.0) -> Any:
        async with client.session(calls=8, time_scale=time_scale) as http:
            return await self.gateway(peer.url, http=http).submit(batch(*items), deadline=in_time())

    def accepted(self, request: gateway_peer.Request) -> bytes:
        raise NotImplementedError

    def refused(self, code: str) -> bytes:
        raise NotImplementedError

    def hook(self, credentials: Mapping[str, str], *, kind: str = "inbound") -> dict[str, Any]:
        """The keyword arguments of a genuine webhook, to be tampered with."""
        raise NotImplementedError

    async def accept(self, connection: gateway_peer.Connection, request: gateway_peer.Request) -> None:
        await connection.answer(201, self.accepted(request))


class TwilioCase(Case):
    def accepted(self, request: gateway_peer.Request) -> bytes:
        form = parse_qs(request.body.decode())
        reference = parse_qs(form["StatusCallback"][0].partition("?")[2])["m"][0]
        return json.dumps({"sid": f"SM{reference}", "status": "queued", "num_segments": "1"}).encode()

    def refused(self, code: str) -> bytes:
        return json.dumps({"code": int(code), "message": "No.", "status": 400}).encode()

    def hook(self, credentials: Mapping[str, str], *, kind: str = "inbound") -> dict[str, Any]:
        form = {"MessageSid": "SM1", "AccountSid": self.credentials["account_sid"], "From": "+12125550123"}
        form |= {"To": "+12125550100", "Body": "stop ümläut &=", "SmsStatus": "received"}
        tail = f"{kind}/?m={uuid.uuid4().hex}"
        signature = twilio_signature.signature(
            HOOK + tail, form={name: [value] for name, value in form.items()}, secret=credentials["auth_token"]
        )
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        return {"url": f"/hooks/5f0c/s3cret/{tail}", "headers": headers, "body": urlencode(form).encode()}


class InfobipCase(Case):
    def accepted(self, request: gateway_peer.Request) -> bytes:
        answers = [
            infobip_entry(message["destinations"][0]["messageId"], 26, "PENDING")
            for message in json.loads(request.body)["messages"]
        ]
        return json.dumps({"bulkId": "b", "messages": answers}).encode()

    def refused(self, code: str) -> bytes:
        return json.dumps({"errorCode": code, "description": "No."}).encode()

    def hook(self, credentials: Mapping[str, str], *, kind: str = "inbound") -> dict[str, Any]:
        entry = {"messageId": "in1", "from": "12125550123", "to": "12125550100", "text": "stop", "smsCount": 1}
        secret = f"{credentials['hook_user']}:{credentials['hook_password']}".encode()
        headers = {"Authorization": f"Basic {b64encode(secret).decode()}", "Content-Type": "application/json"}
        body = json.dumps({"results": [entry]}).encode()
        return {"url": f"/hooks/5f0c/s3cret/{kind}/", "headers": headers, "body": body}


def infobip_entry(reference: str, status: int, group: str) -> dict[str, Any]:
    return {
        "messageId": reference,
        "destination": "12125550123",
        "status": {"groupName": group, "id": status, "name": "WORD", "description": "What it says."},
        "details": {"messageCount": 2},
    }


def request(case: Case, **given: Any) -> contract.HookRequest:
    return contract.HookRequest.read("POST", path_args={}, **given)


TWILIO = TwilioCase(
    "twilio",
    credentials={"account_sid": "AC" + "a" * 32, "auth_token": "token-one"},
    former={"account_sid": "AC" + "a" * 32, "auth_token": "token-two", "auth_token_former": "token-one"},
    other={"account_sid": "AC" + "b" * 32, "auth_token": "token-of-another"},
)
INFOBIP = InfobipCase(
    "infobip",
    credentials={"api_key": "key-one", "hook_user": "us", "hook_password": "word-one"},
    former={
        "api_key": "key-one",
        "hook_user": "us",
        "hook_password": "word-two",
        "hook_password_former": "word-one",
    },
    other={"api_key": "key-two", "hook_user": "us", "hook_password": "word-of-another"},
)
ALL = [TWILIO, INFOBIP]
