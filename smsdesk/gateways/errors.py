"""What can go wrong at a gateway: one class each, and one policy per class.

Callers read the policy, never a provider's code: `error.policy.outcome` says where the row goes,
`error.policy.beyond` what else is done. *Surely not taken* is kept apart from *may have been taken*, because
only the first may ever be sent again.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

Outcome = Literal["accepted", "rejected", "again", "unknown"]


class ErrorClass(StrEnum):
    RETRY = "retry"  # refused, transient, surely not taken
    THROTTLE = "throttle"  # told to slow down, surely not taken
    UNREACHABLE = "unreachable"  # DNS, connect or TLS failure: nothing was written
    NOTHING_WRITTEN = "not_written"  # refused by our own deadline: nothing was written
    AMBIGUOUS = "ambiguous"  # time-out, reset, 5xx, garbage: may have been taken
    RECIPIENT = "recipient"
    MESSAGE = "message"
    SENDER = "sender"  # sender, registration or route
    BLOCKED = "blocked"  # spam, fraud or flooding filter
    OPTED_OUT = "opted_out"  # carrier or gateway holds an opt-out
    AUTH = "auth"
    FUNDS = "funds"
    CONFIG = "config"
    CARRIER = "carrier"  # the carrier's network failed; comes in receipts
    UNLISTED = "unlisted"  # a refusal whose code stands in no table


class Beyond(StrEnum):
    """What an error asks for beyond the row it happened to."""

    NONE = "none"
    SLOW_LANE = "slow_lane"  # wait `retry_after` or a backoff before the lane's next batch
    PAUSE_ACCOUNT = "pause_account"  # open the account's circuit, pause its campaigns
    MARK_DEAD = "mark_dead"  # the number is gone where `permanent`; else count it
    OPT_OUT = "opt_out"  # record the opt-out the carrier holds
    STRIKE_CAMPAIGN = "strike_campaign"  # so many in a row pause the campaign
    ERROR_RATE = "error_rate"  # counts for the error-rate pause


@dataclass(frozen=True, slots=True)
class Policy:
    outcome: Outcome  # of an item whose submit was answered so
    beyond: Beyond
    spends_attempt: bool = (
        False  # of "again": False where the message is not at fault and must not run out of tries
    )


POLICIES: dict[ErrorClass, Policy] = {
    ErrorClass.RETRY: Policy("again", Beyond.NONE, spends_attempt=True),
    ErrorClass.THROTTLE: Policy("again", Beyond.SLOW_LANE),
    ErrorClass.UNREACHABLE: Policy("again", Beyond.SLOW_LANE),
    ErrorClass.NOTHING_WRITTEN: Policy("again", Beyond.NONE),
    ErrorClass.AMBIGUOUS: Policy("unknown", Beyond.ERROR_RATE),
    ErrorClass.RECIPIENT: Policy("rejected", Beyond.MARK_DEAD),
    ErrorClass.MESSAGE: Policy("rejected", Beyond.NONE),
    ErrorClass.SENDER: Policy("rejected", Beyond.STRIKE_CAMPAIGN),
    ErrorClass.BLOCKED: Policy("rejected", Beyond.STRIKE_CAMPAIGN),
    ErrorClass.OPTED_OUT: Policy("rejected", Beyond.OPT_OUT),
    ErrorClass.AUTH: Policy("again", Beyond.PAUSE_ACCOUNT),
    ErrorClass.FUNDS: Policy("again", Beyond.PAUSE_ACCOUNT),
    ErrorClass.CONFIG: Policy("again", Beyond.PAUSE_ACCOUNT),
    # Known from receipts only, where the row takes the state of its status word.
    ErrorClass.CARRIER: Policy("rejected", Beyond.ERROR_RATE),
    ErrorClass.UNLISTED: Policy("rejected", Beyond.NONE),
}


class GatewayError(Exception):
    """`code` and `message` are the provider's (or ours where no answer came), short and harmless to show.

    `retry_after`: seconds the gateway asked us to wait. `permanent`: whether the fault stays, where it is known.
    """

    error_class: ClassVar[ErrorClass]

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        permanent: bool | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code[:40]
        self.message = told(message)
        self.retry_after = retry_after
        self.permanent = permanent

    def __str__(self) -> str:
        return f"{self.error_class}: {self.message} ({self.code})"

    @property
    def policy(self) -> Policy:
        return POLICIES[self.error_class]


class NotTaken(GatewayError):
    error_class = ErrorClass.RETRY


class Throttled(GatewayError):
    error_class = ErrorClass.THROTTLE


class Unreachable(GatewayError):
    error_class = ErrorClass.UNREACHABLE


class NothingWritten(GatewayError):
    error_class = ErrorClass.NOTHING_WRITTEN


class OutcomeUnknown(GatewayError):
    error_class = ErrorClass.AMBIGUOUS


class InvalidRecipient(GatewayError):
    error_class = ErrorClass.RECIPIENT


class InvalidMessage(GatewayError):
    error_class = ErrorClass.MESSAGE


class SenderNotAllowed(GatewayError):
    error_class = ErrorClass.SENDER


class ContentBlocked(GatewayError):
    error_class = ErrorClass.BLOCKED


class RecipientOptedOut(GatewayError):
    error_class = ErrorClass.OPTED_OUT


class AuthenticationFailed(GatewayError):
    error_class = ErrorClass.AUTH


class InsufficientFunds(GatewayError):
    error_class = ErrorClass.FUNDS


class Misconfigured(GatewayError):
    error_class = ErrorClass.CONFIG


class CarrierFailed(GatewayError):
    error_class = ErrorClass.CARRIER


class Refused(GatewayError):
    error_class = ErrorClass.UNLISTED


CLASSES: dict[ErrorClass, type[GatewayError]] = {
    kind.error_class: kind
    for kind in (
        NotTaken,
        Throttled,
        Unreachable,
        NothingWritten,
        OutcomeUnknown,
        InvalidRecipient,
        InvalidMessage,
        SenderNotAllowed,
        ContentBlocked,
        RecipientOptedOut,
        AuthenticationFailed,
        InsufficientFunds,
        Misconfigured,
        CarrierFailed,
        Refused,
    )
}

_LONG_NUMBER = re.compile(r"\d{7,}")


def told(text: str) -> str:
    """A provider's sentence fit to store and show: printable, at most 200 characters, long numbers masked."""
    kept = "".join(character if character.isprintable() else " " for character in text[:400])
    return _LONG_NUMBER.sub(lambda found: "***" + found.group()[-4:], kept).strip()[:200]
