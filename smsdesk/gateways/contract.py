"""What a gateway adapter promises. Nothing here knows a database; everything passed across is frozen.

`submit` never raises for network or provider trouble: one result per item, always. Webhooks go
`verify → parse → acknowledge`. How to add a provider: `docs/adding_a_gateway.md`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from uuid import UUID

import aiohttp

from smsdesk import clock
from smsdesk.gateways import client, errors
from smsdesk.gateways.hooks import HookAnswer as HookAnswer
from smsdesk.gateways.hooks import HookRefused as HookRefused
from smsdesk.gateways.hooks import HookRequest as HookRequest

State = Literal["", "accepted", "sent", "delivered", "undelivered", "expired", "rejected", "cancelled"]

# Longest inbound text we keep; a text message has at most 255 parts of 153 characters.
INBOUND_LIMIT = 40_000


# --- The account and what it can do -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One thing an operator types in to connect an account; `secret` ones are never shown again."""

    name: str
    label: str
    secret: bool
    required: bool = True
    help: str = ""
    names_account: bool = False  # at the provider: with another one, another account is asked
    may_open_another: bool = False  # account than the one before it did, and nobody can see that


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """A gateway account, credentials already decrypted.

    `hook_url` is our public address for this account, `https://host[/prefix]/hooks/<account>/<secret>/`.
    """

    account_id: UUID
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    hook_url: str = field(repr=False)
    is_simulator: bool


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`tier` is what an unknown outcome can be settled by; it must fit the rest (`tests/test_gateway_contract.py`).

    A: `idempotency_ttl`. B: `lookup` is exact. C: receipts carry our reference, or `lookup` is proof. D: nothing.
    """

    tier: Literal["A", "B", "C", "D"] = "D"
    recipients_per_call: int = 1
    # Our reference comes back in receipts by itself; else it rides in the callback's query.
    echoes_reference: bool = False
    # exact: "never seen" counts after a grace; proof: only a hit counts.
    lookup: Literal["none", "proof", "exact"] = "none"
    lookup_batch: int = 1  # items per lookup request
    lookups_per_minute: int | None = None  # requests allowed, over all that ask for the account
    see_all_delay: timedelta = timedelta(0)  # until a message that was taken can be found by a lookup
    # So long after the first call our reference, sent as key, makes a second call no second message.
    idempotency_ttl: timedelta | None = None
    signed_webhooks: bool = False
    # A webhook that was not answered 2xx comes again, for hours. Where not, receipts are kept on disk in an outage.
    repeats_webhooks: bool = False
    # Every STOP is answered by the gateway. Where it depends on the message, `InboundText` says so.
    answers_stop_itself: bool = False
    max_characters: int | None = None


# --- Sending ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SenderAddress:
    value: str  # E.164 with +, short code, or name
    kind: str


@dataclass(frozen=True, slots=True)
class SubmitItem:
    reference: UUID
    sender: SenderAddress
    to: str  # E.164 with +
    body: str
    encoding: str  # gsm7 or ucs2
    parts: int
    validity: timedelta | None = None  # so long the gateway shall try; None: as long as it likes


@dataclass(frozen=True, slots=True)
class SubmitBatch:
    """What one account is asked for at once, of any of its senders.

    `callback_url` is where receipts go; the adapter adds `?m=<reference hex>` where nothing is echoed.
    """

    items: Sequence[SubmitItem]
    callback_url: str


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """`again` is surely not taken; `unknown` may have been. `error.policy` says what follows."""

    reference: UUID
    outcome: errors.Outcome
    gateway_id: str = ""
    parts: int | None = None
    error: errors.GatewayError | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """The first byte leaves within `limit` seconds of `started` or not at all."""

    started: clock.Elapsed
    limit: float

    def check(self) -> None:
        """Asked by the client directly before it writes; raises `NothingWritten`."""
        if self.started.seconds() > self.limit:
            raise errors.NothingWritten("deadline", "The time to begin this call had passed; nothing was written.")


@dataclass(frozen=True, slots=True)
class LookupItem:
    """A message whose outcome is not known. `gateway_id` "" when none was told."""

    reference: UUID
    to: str
    body: str
    gateway_id: str = ""
    sender: str = ""
    submitted_at: datetime | None = None


# --- Hearing back -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a gateway says about one message. `state` "" moves nothing; `event_key` is unique per account."""

    event_key: str
    reference: UUID | None
    gateway_id: str
    word: str
    state: State
    code: str = ""
    error_class: errors.ErrorClass | None = None
    permanent: bool | None = None
    parts: int | None = None
    at: datetime | None = None
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InboundText:
    """A text somebody sent to one of our senders; `event_key` is unique per account.

    `phone` and `sender` carry a + where the provider means a full number. `answers_stop_itself`: the gateway has
    already replied to this keyword and keeps the block itself, so we record it and send no reply.
    """

    event_key: str
    gateway_id: str
    phone: str
    sender: str
    text: str
    keyword: str = ""
    opt_hint: Literal["stop", "start", "help", ""] = ""
    answers_stop_itself: bool = False
    at: datetime | None = None
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HookEvents:
    receipts: tuple[Receipt, ...] = ()
    inbound: tuple[InboundText, ...] = ()


# --- The adapter --------------------------------------------------------------------------------------


class Gateway(ABC):
    """One account at one provider."""

    kind: ClassVar[str]
    label: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    credential_fields: ClassVar[tuple[CredentialField, ...]]

    def __init__(self, settings: AccountSettings, *, http: aiohttp.ClientSession | None) -> None:
        """`http` may be None where only webhooks are verified and parsed."""
        self.settings = settings
        self._http = http

    @property
    def http(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("This gateway was made without a client: it can only verify and parse webhooks.")
        return self._http

    async def connect(self, connections: int) -> errors.GatewayError | None:
        """Open connections ahead of a batch, so that its second is not spent on handshakes.

        Asked before the rows are submitted. The trouble, or None.
        """
        return await client.connect(self.http, self.settings.base_url, connections=connections)

    @abstractmethod
    async def submit(self, batch: SubmitBatch, *, deadline: Deadline) -> list[SubmitResult]:
        """Send; one result per item, in the order of the items."""

    @abstractmethod
    async def lookup(self, items: Sequence[LookupItem], *, submitted_after: datetime) -> list[Receipt]:
        """What the gateway knows of these. Raises `GatewayError` where it could not be asked."""

    @abstractmethod
    def verify(self, request: HookRequest) -> None:
        """Raises `HookRefused` unless the request proves that it comes from the provider."""

    @abstractmethod
    def parse(self, request: HookRequest) -> HookEvents:
        """What a verified request says. Raises `HookRefused` (400) where it is not in the provider's form."""

    def acknowledge(self, request: HookRequest) -> HookAnswer:
        """What the provider wants to hear once everything is stored."""
        return HookAnswer()
