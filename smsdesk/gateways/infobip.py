"""Infobip SMS API v3: many recipients per call, our reference is the message id, exact lookup by it."""

import functools
import hmac
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
from yarl import URL

from smsdesk.gateways import client, contract, errors, hooks, infobip_codes, infobip_words, reading, verdicts

RECIPIENTS_PER_CALL = 500
# One call's texts, in characters of JSON: well below what a gateway or a proxy before it refuses.
CALL_SIZE = 500_000
# Room in the answer for each recipient's own status.
ANSWER_PER_RECIPIENT = 1024
# A csv of ids may be 2048 characters long: 55 ids of 32 and their commas, percent-encoded or not.
LOOKUP_BATCH = 55


class Infobip(contract.Gateway):
    kind = "infobip"
    label = "Infobip"
    capabilities = contract.Capabilities(
        tier="B",
        recipients_per_call=RECIPIENTS_PER_CALL,
        echoes_reference=True,
        lookup="exact",
        lookup_batch=LOOKUP_BATCH,
        lookups_per_minute=120,
        repeats_webhooks=True,  # after 1 min + (1 min × n²)
        max_characters=4000,
    )
    credential_fields = (
        contract.CredentialField("api_key", "API key", secret=True, may_open_another=True),
        contract.CredentialField(
            "hook_user",
            "Webhook user",
            secret=False,
            required=False,
            help="For Basic authentication of inbound webhooks, as set in Infobip's portal.",
        ),
        contract.CredentialField("hook_password", "Webhook password", secret=True, required=False),
        contract.CredentialField(
            "hook_password_former",
            "Former webhook password",
            secret=True,
            required=False,
            help="While it is being rotated: webhooks that carry it are still taken.",
        ),
    )

    def __init__(self, settings: contract.AccountSettings, *, http: aiohttp.ClientSession | None) -> None:
        super().__init__(settings, http=http)
        self._headers = {
            "Authorization": f"App {settings.credentials.get('api_key', '')}",
            "Content-Type": "application/json",
        }
        base = settings.base_url.rstrip("/")
        self._submit_url = URL(f"{base}/sms/3/messages", encoded=True)
        self._logs = f"{base}/sms/3/logs"

    # --- Sending ------------------------------------------------------------------------------------------

    async def submit(
        self, batch: contract.SubmitBatch, *, deadline: contract.Deadline
    ) -> list[contract.SubmitResult]:
        """One call for up to 500 items of any senders; each is judged by its own status, found by our reference."""
        results: dict[UUID, contract.SubmitResult] = {}
        messages: list[tuple[contract.SubmitItem, str]] = []
        frame = functools.cache(functools.partial(_frame, batch.callback_url))
        for item in batch.items:
            try:
                item.body.encode()
            except UnicodeEncodeError:
                refusal = errors.InvalidMessage("unencodable", "The text holds half of a surrogate pair.")
                results[item.reference] = _refused(item, refusal)
            else:
                messages.append((item, _message(item, *frame(item.sender, item.validity))))
        for chunk in _chunks(messages):
            for result in await self._send(chunk, deadline):
                results[result.reference] = result
        return [results[item.reference] for item in batch.items]

    async def _send(
        self, chunk: Sequence[tuple[contract.SubmitItem, str]], deadline: contract.Deadline
    ) -> list[contract.SubmitResult]:
        items = [item for item, _ in chunk]
        texts = ",".join(text for _, text in chunk)
        body = f'{{"messages":[{texts}],"options":{{"includeSmsCountInResponse":true}}}}'.encode("ascii")
        try:
            deadline.check()
            answer = await client.post(
                self.http,
                self._submit_url,
                headers=self._headers,
                body=body,
                before_write=deadline.check,
                limit=max(client.ANSWER_LIMIT, ANSWER_PER_RECIPIENT * len(items)),
            )
        except errors.GatewayError as failure:
            return [_refused(item, failure) for item in items]
        said = reading.json_object(answer.body)
        if 200 <= answer.status < 300:
            return judge(items, said, answer=answer)
        error = _error(answer, said)
        if isinstance(error, errors.Refused) and len(items) > 1:
            # The whole call was refused because of some of them: nothing was taken, so halves may be tried.
            half = len(chunk) // 2
            return await self._send(chunk[:half], deadline) + await self._send(chunk[half:], deadline)
        return [_refused(item, error) for item in items]

    # --- Looking up ---------------------------------------------------------------------------------------

    async def lookup(
        self, items: Sequence[contract.LookupItem], *, submitted_after: datetime
    ) -> list[contract.Receipt]:
        """Exact, by our reference: what is missing was never seen, once the gateway's delay is over.

        Infobip allows 120 requests a minute and keeps 48 h; `capabilities.lookup_batch` items make one request.
        """
        found: list[contract.Receipt] = []
        for start in range(0, len(items), LOOKUP_BATCH):
            asked = {item.reference for item in items[start : start + LOOKUP_BATCH]}
            ids = ",".join(reference.hex for reference in asked)
            query = urlencode({"messageId": ids, "limit": LOOKUP_BATCH}, safe=",")
            answer = await client.get(self.http, URL(f"{self._logs}?{query}", encoded=True), headers=self._headers)
            said = reading.json_object(answer.body)
            if answer.status != 200:
                raise _error(answer, said)
            if not isinstance(said.get("results"), list):
                raise verdicts.garbage(answer)
            receipts = [infobip_words.receipt(entry) for entry in reading.objects(said["results"])]
            found += [receipt for receipt in receipts if receipt.reference in asked]
        return found

    # --- Webhooks -----------------------------------------------------------------------------------------

    def verify(self, request: contract.HookRequest) -> None:
        """Basic credentials where the account has them; else the secret in the path, which the caller checks.

        Receipts go to the address given with each message, and there Infobip adds no credentials of its own: they
        need none, but must not carry wrong ones.
        """
        hooks.public_url(request, hook_url=self.settings.hook_url)
        credentials = self.settings.credentials
        user = credentials.get("hook_user", "")
        passwords = [credentials.get(name, "") for name in ("hook_password", "hook_password_former")]
        if not user or not passwords[0]:
            return
        given = request.headers.get("authorization", "").encode("utf-8", "replace")
        if not given and request.kind == "status":
            return
        matches = False
        for password in passwords:
            if password:
                matches |= hmac.compare_digest(_basic(user, password), given)
        if not matches:
            raise contract.HookRefused("wrong credentials", status=401)

    def parse(self, request: contract.HookRequest) -> contract.HookEvents:
        said = reading.json_object(request.body)
        if not isinstance(said.get("results"), list):
            raise contract.HookRefused("no results", status=400)
        entries = reading.objects(said["results"])
        if request.kind == "inbound":
            return contract.HookEvents(
                inbound=tuple(infobip_words.inbound(entry) for entry in entries if entry.get("from"))
            )
        receipts = (infobip_words.receipt(entry) for entry in entries)
        return contract.HookEvents(receipts=tuple(receipt for receipt in receipts if receipt.gateway_id))


def _frame(callback_url: str, sender: contract.SenderAddress, validity: timedelta | None) -> tuple[str, str]:
    """What stands before and after each message's own part, the same for all of a sender that end together."""
    value = json.dumps(sender.value.removeprefix("+"))
    rest: dict[str, Any] = {
        "webhooks": {
            "delivery": {"url": callback_url, "notify": True},
            "contentType": "application/json",
        }
    }
    if validity is not None:
        amount = max(int(validity.total_seconds()), 1)
        rest["options"] = {"validityPeriod": {"amount": amount, "timeUnit": "SECONDS"}}
    return (
        f'{{"sender":{value},"destinations":[{{"to":',
        f"}},{json.dumps(rest)[1:]}",
    )


def _message(item: contract.SubmitItem, before: str, after: str) -> str:
    to = json.dumps(item.to.removeprefix("+"))
    return f'{before}{to},"messageId":"{item.reference.hex}"}}],"content":{{"text":{json.dumps(item.body)}{after}'


def _chunks(
    messages: Sequence[tuple[contract.SubmitItem, str]],
) -> Iterator[list[tuple[contract.SubmitItem, str]]]:
    chunk: list[tuple[contract.SubmitItem, str]] = []
    size = 0
    for item, text in messages:
        if chunk and (len(chunk) == RECIPIENTS_PER_CALL or size + len(text) > CALL_SIZE):
            yield chunk
            chunk, size = [], 0
        chunk.append((item, text))
        size += len(text)
    if chunk:
        yield chunk


def judge(
    items: Sequence[contract.SubmitItem], said: Mapping[str, Any], *, answer: client.Answer
) -> list[contract.SubmitResult]:
    """Each item by the entry that carries its reference; without one, or with two that differ: unknown."""
    asked = {item.reference: item for item in items}
    found: dict[UUID, contract.SubmitResult] = {}
    for entry in reading.objects(said.get("messages")):
        item = asked.get(infobip_words.reference(entry.get("messageId")) or UUID(int=0))
        if item is not None:
            result = _result(item, entry, answer)
            earlier = found.setdefault(item.reference, result)
            if earlier.outcome != result.outcome:
                found[item.reference] = _refused(item, verdicts.garbage(answer))
    return [
        found[item.reference] if item.reference in found else _refused(item, verdicts.garbage(answer))
        for item in items
    ]


def _result(item: contract.SubmitItem, entry: Mapping[str, Any], answer: client.Answer) -> contract.SubmitResult:
    status = reading.mapping(entry.get("status"))
    number, group = reading.number(status.get("id")), status.get("groupName")
    if group in infobip_codes.TAKEN_GROUPS:
        details = reading.mapping(entry.get("details"))
        parts = reading.count(details.get("messageCount"))
        return contract.SubmitResult(item.reference, "accepted", item.reference.hex, parts)
    if group not in infobip_codes.REFUSED_GROUPS or number is None:
        return _refused(item, verdicts.garbage(answer))
    kind, permanent = infobip_codes.SUBMIT_CLASSES.get(number, (errors.ErrorClass.UNLISTED, None))
    message = reading.text(status.get("description"), limit=200) or reading.word(status.get("name"))
    return _refused(item, errors.CLASSES[kind](str(number), message, permanent=permanent))


def _refused(item: contract.SubmitItem, error: errors.GatewayError) -> contract.SubmitResult:
    return contract.SubmitResult(item.reference, error.policy.outcome, error=error)


def _error(answer: client.Answer, said: Mapping[str, Any]) -> errors.GatewayError:
    """Both forms of Infobip's errors are understood, the present one and that of older endpoints."""
    old = reading.mapping(reading.mapping(said.get("requestError")).get("serviceException"))
    code = reading.code(said.get("errorCode")) or reading.code(old.get("messageId"))
    message = reading.text(said.get("description"), limit=200) or reading.text(old.get("text"), limit=200)
    by_status = verdicts.by_status(answer, code=code, message=message)
    if by_status is not None:
        return by_status
    return errors.Refused(code, message) if code else verdicts.garbage(answer)


def _basic(user: str, password: str) -> bytes:
    return b"Basic " + b64encode(f"{user}:{password}".encode())
