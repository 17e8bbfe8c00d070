"""Twilio Programmable Messaging, API 2010-04-01: one recipient per call, form bodies, signed webhooks."""

import asyncio
import functools
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus, urlencode
from uuid import UUID

import aiohttp
from yarl import URL

from smsdesk.gateways import (
    client,
    contract,
    errors,
    hooks,
    reading,
    twilio_codes,
    twilio_signature,
    twilio_words,
    verdicts,
)

# Twilio takes 1 to 36000 s; its default is the most.
VALIDITY_LIMIT = 36_000
LIST_PAGE = 50
LIST_CALLS = 10


class Twilio(contract.Gateway):
    kind = "twilio"
    label = "Twilio"
    capabilities = contract.Capabilities(tier="C", lookup="proof", signed_webhooks=True, max_characters=1600)
    credential_fields = (
        contract.CredentialField("account_sid", "Account SID", secret=False, names_account=True),
        contract.CredentialField("auth_token", "Auth token", secret=True, help="Also signs the webhooks."),
        contract.CredentialField(
            "auth_token_former",
            "Former auth token",
            secret=True,
            required=False,
            help="While it is being rotated: webhooks signed with it are still taken.",
        ),
        contract.CredentialField(
            "api_key_sid", "API key SID", secret=False, required=False, help="Sends instead of the auth token."
        ),
        contract.CredentialField("api_key_secret", "API key secret", secret=True, required=False),
        contract.CredentialField(
            "webhook_key_sid",
            "Webhook key SID",
            secret=False,
            required=False,
            help="Where webhooks are signed with a shared key (HMAC-SHA256) instead of the auth token.",
        ),
        contract.CredentialField("webhook_key_secret", "Webhook key secret", secret=True, required=False),
    )

    def __init__(self, settings: contract.AccountSettings, *, http: aiohttp.ClientSession | None) -> None:
        super().__init__(settings, http=http)
        credentials = settings.credentials
        self._account_sid = credentials.get("account_sid", "")
        user, password = self._account_sid, credentials.get("auth_token", "")
        if credentials.get("api_key_sid"):
            user, password = credentials["api_key_sid"], credentials.get("api_key_secret", "")
        self._headers = {
            "Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}",
            "Content-Type": hooks.FORM,
        }
        account = f"{settings.base_url.rstrip('/')}/2010-04-01/Accounts/{quote(self._account_sid, safe='')}"
        self._messages = f"{account}/Messages.json"
        self._message = f"{account}/Messages/"
        self._submit_url = URL(self._messages, encoded=True)

    # --- Sending ------------------------------------------------------------------------------------------

    async def submit(
        self, batch: contract.SubmitBatch, *, deadline: contract.Deadline
    ) -> list[contract.SubmitResult]:
        """As many calls at once as the session has connections; an answer meant for a sender stops its rest."""
        items = batch.items
        head = functools.cache(functools.partial(_form_head, batch.callback_url))
        results: dict[UUID, contract.SubmitResult] = {}
        waiting = iter(items)
        halts: dict[contract.SenderAddress, errors.GatewayError] = {}

        async def call() -> None:
            for item in waiting:
                if halt := halts.get(item.sender):
                    results[item.reference] = _not_taken(item, halt)
                    continue
                result = await self._send(item, head(item.sender, item.validity), deadline)
                results[item.reference] = result
                if result.error is not None and _stops_the_rest(result.error):
                    halts.setdefault(item.sender, result.error)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(items), client.calls(self.http))):
                group.create_task(call())
        return [results[item.reference] for item in items]

    async def _send(
        self, item: contract.SubmitItem, head: str, deadline: contract.Deadline
    ) -> contract.SubmitResult:
        try:
            deadline.check()
            body = _form(item, head)
            answer = await client.post(
                self.http, self._submit_url, headers=self._headers, body=body, before_write=deadline.check
            )
        except errors.GatewayError as error:
            return _refused(item, error)
        return judge(item, answer)

    # --- Looking up ---------------------------------------------------------------------------------------

    async def lookup(
        self, items: Sequence[contract.LookupItem], *, submitted_after: datetime
    ) -> list[contract.Receipt]:
        """Proof only: a message in Twilio's list proves acceptance, its absence proves nothing.

        Messages with the same parties and text are told apart by time; where more are found than asked for,
        nothing is proven. The caller refuses a gateway id that another row already has.
        """
        known = [item for item in items if item.gateway_id]
        alike: dict[tuple[str, str], list[contract.LookupItem]] = defaultdict(list)
        for item in items:
            if not item.gateway_id:
                alike[item.to, item.sender].append(item)
        gate = asyncio.Semaphore(LIST_CALLS)
        answers = await asyncio.gather(
            *(self._fetch(item, gate) for item in known),
            *(self._search(group, submitted_after, gate) for group in alike.values()),
        )
        found = [receipt for answer in answers if isinstance(answer, list) for receipt in answer]
        failed = [answer for answer in answers if isinstance(answer, errors.GatewayError)]
        if failed and not found:
            raise failed[0]
        return found

    async def _fetch(
        self, item: contract.LookupItem, gate: asyncio.Semaphore
    ) -> list[contract.Receipt] | errors.GatewayError:
        said = await self._get(self._message + quote(item.gateway_id, safe="") + ".json", gate)
        if isinstance(said, errors.GatewayError):
            return said
        return [twilio_words.listed(said, item.reference)] if said.get("sid") == item.gateway_id else []

    async def _search(
        self, group: list[contract.LookupItem], submitted_after: datetime, gate: asyncio.Semaphore
    ) -> list[contract.Receipt] | errors.GatewayError:
        first = group[0]
        query = {"To": first.to, "PageSize": str(LIST_PAGE)}
        if first.sender:
            query["From"] = first.sender
        query["DateSent>"] = (submitted_after.astimezone(UTC) - twilio_words.BEFORE_SUBMIT).strftime("%Y-%m-%d")
        said = await self._get(f"{self._messages}?{urlencode(query)}", gate)
        if isinstance(said, errors.GatewayError):
            return said
        return twilio_words.match(group, reading.objects(said.get("messages")), submitted_after=submitted_after)

    async def _get(self, url: str, gate: asyncio.Semaphore) -> dict[str, Any] | errors.GatewayError:
        try:
            async with gate:
                answer = await client.get(self.http, URL(url, encoded=True), headers=self._headers)
        except errors.GatewayError as error:
            return error
        if answer.status == 404:
            return {}
        said = reading.json_object(answer.body)
        if answer.status != 200:
            return _error(answer, said)
        return said or verdicts.garbage(answer)

    # --- Webhooks -----------------------------------------------------------------------------------------

    def verify(self, request: contract.HookRequest) -> None:
        twilio_signature.verify(request, hook_url=self.settings.hook_url, credentials=self.settings.credentials)
        told = request.value("AccountSid")
        if told and told != self._account_sid:
            raise contract.HookRefused("another account's message")

    def parse(self, request: contract.HookRequest) -> contract.HookEvents:
        sid = reading.identifier(request.value("MessageSid") or request.value("SmsSid"))
        if not sid:
            raise contract.HookRefused("no MessageSid", status=400)
        if request.kind == "inbound":
            return contract.HookEvents(inbound=(twilio_words.inbound(request, sid),))
        return contract.HookEvents(receipts=(twilio_words.receipt(request, sid),))

    def acknowledge(self, request: contract.HookRequest) -> contract.HookAnswer:
        return contract.HookAnswer(body="<Response/>", content_type="text/xml; charset=utf-8")


def _form_head(callback_url: str, sender: contract.SenderAddress, validity: timedelta | None) -> str:
    """The part of the form that a sender's messages share, up to the reference in the callback's query."""
    fields = {"From": sender.value}
    if validity is not None:
        fields["ValidityPeriod"] = str(min(max(int(validity.total_seconds()), 1), VALIDITY_LIMIT))
    joint = "&" if "?" in callback_url else "?"
    return f"{urlencode(fields)}&StatusCallback={quote_plus(f'{callback_url}{joint}m=')}"


def _form(item: contract.SubmitItem, head: str) -> bytes:
    try:
        text = quote_plus(item.body)
    except UnicodeEncodeError as problem:
        raise errors.InvalidMessage("unencodable", "The text holds half of a surrogate pair.") from problem
    return f"{head}{item.reference.hex}&To={quote_plus(item.to)}&Body={text}".encode("ascii")


def judge(item: contract.SubmitItem, answer: client.Answer) -> contract.SubmitResult:
    """What the answer to one submit says; accepted only with a message id."""
    said = reading.json_object(answer.body)
    if not 200 <= answer.status < 300:
        return _refused(item, _error(answer, said))
    sid = reading.identifier(said.get("sid"))
    if not sid:
        return _refused(item, verdicts.garbage(answer))
    if said.get("status") in ("failed", "canceled"):
        code = reading.code(said.get("error_code"))
        kind, permanent = twilio_codes.CLASSES.get(code, (errors.ErrorClass.UNLISTED, None))
        message = reading.text(said.get("error_message"), limit=200) or "Twilio made the message and gave it up."
        error = errors.CLASSES[kind](code or "failed", message, permanent=permanent)
        return contract.SubmitResult(item.reference, "rejected", sid, error=error)
    return contract.SubmitResult(item.reference, "accepted", sid, reading.count(said.get("num_segments")))


def _error(answer: client.Answer, said: Mapping[str, Any]) -> errors.GatewayError:
    code = reading.code(said.get("code"))
    message = reading.text(said.get("message"), limit=200)
    if 400 <= answer.status < 500 and answer.status not in (408, 429) and code in twilio_codes.CLASSES:
        kind, permanent = twilio_codes.CLASSES[code]
        return errors.CLASSES[kind](code, message, retry_after=answer.retry_after, permanent=permanent)
    by_status = verdicts.by_status(answer, code=code, message=message)
    if by_status is not None:
        return by_status
    return errors.Refused(code, message) if code else verdicts.garbage(answer)


def _refused(item: contract.SubmitItem, error: errors.GatewayError) -> contract.SubmitResult:
    return contract.SubmitResult(item.reference, error.policy.outcome, error=error)


def _not_taken(item: contract.SubmitItem, halt: errors.GatewayError) -> contract.SubmitResult:
    """Not even called, because an answer before it was meant for all."""
    return contract.SubmitResult(item.reference, "again", error=halt)


def _stops_the_rest(error: errors.GatewayError) -> bool:
    return error.policy.outcome == "again" and error.policy.beyond in (
        errors.Beyond.SLOW_LANE,
        errors.Beyond.PAUSE_ACCOUNT,
    )
