"""What the carrier does wrong on purpose: by the handset's number, and by seeded rates.

The fate of a message is a pure function of the seed, its reference and how often that reference was submitted,
so that timing cannot change it and a failing run can be repeated.
"""

import struct
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Any

RATES = (
    "rate_429",
    "rate_5xx",
    "rate_reset_before",
    "rate_reset_after",
    "rate_accept_then_timeout",
    "rate_garbage",
    "rate_duplicate_receipts",
    "rate_early_receipts",
    "rate_reordered_receipts",
    "rate_duplicate_inbound",
    "rate_nameless_receipts",
)
SLOW_RECEIPT = 20.0  # seconds


class BadFault(ValueError):
    """A fault setting nobody can follow; the text names it and the cure."""


@dataclass(frozen=True, slots=True)
class Fate:
    """`how` the call is answered, `refusal` why the number is refused, `final` the last word ("": none)."""

    how: str = "answer"
    refusal: str = ""
    final: str = "delivered"
    receipt_delay: float = 0.5
    duplicate: bool = False
    early: bool = False
    reordered: bool = False
    replies: str = ""
    nameless: bool = False


@dataclass(frozen=True, slots=True)
class Faults:
    """Delays in milliseconds, rates from 0 to 1."""

    seed: str = "1"
    latency_ms: float = 0.0
    receipt_delay_ms: float = 500.0
    receipts: bool = True
    magic_numbers: bool = True
    rate_429: float = 0.0
    rate_5xx: float = 0.0
    rate_reset_before: float = 0.0
    rate_reset_after: float = 0.0
    rate_accept_then_timeout: float = 0.0
    rate_garbage: float = 0.0
    rate_duplicate_receipts: float = 0.0
    rate_early_receipts: float = 0.0
    rate_reordered_receipts: float = 0.0
    rate_duplicate_inbound: float = 0.0
    rate_nameless_receipts: float = 0.0
    lookup_lag_ms: float = 0.0

    def has_rates(self) -> bool:
        return any(getattr(self, name) for name in RATES)

    def plain_fate(self) -> Fate:
        return Fate(receipt_delay=self.receipt_delay_ms / 1000)


def changed(faults: Faults, values: dict[str, Any]) -> Faults:
    """`faults` with these settings changed. Raises BadFault for an unknown name or a value out of range."""
    known = {field.name for field in fields(Faults)}
    clean: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise BadFault(f"{name[:60]!r} is no fault; known are {', '.join(sorted(known))}.")
        clean[name] = _checked(name, value)
    return replace(faults, **clean)


def _checked(name: str, value: Any) -> Any:
    if name == "seed":
        return str(value)[:100]
    if name in ("receipts", "magic_numbers"):
        if not isinstance(value, bool):
            raise BadFault(f"{name} must be true or false, not {value!r}.")
        return value
    limit = 1.0 if name in RATES else 600_000.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= limit:
        raise BadFault(f"{name} must be a number from 0 to {limit:g}, not {value!r}.")
    return float(value)


# By the last four digits, whatever the number.
ENDINGS: dict[str, Fate] = {
    "0000": Fate(refusal="invalid"),
    "0001": Fate(refusal="opted_out"),
    "0002": Fate(final="undelivered"),
    "0003": Fate(final="expired"),
    "0009": Fate(how="throttle"),
    "0010": Fate(how="hang"),
    "0011": Fate(final=""),
}
# Numbers of the sandbox; they belong to nobody.
NUMBERS: dict[str, Fate] = {
    "+12025550101": Fate(),
    "+12025550102": Fate(final="undelivered"),
    "+12025550103": Fate(refusal="rejected"),
    "+12025550104": Fate(final="opted_out"),
    "+12025550105": Fate(replies="STOP"),
    "+12025550106": Fate(receipt_delay=SLOW_RECEIPT),
}
MEANINGS: dict[str, str] = {
    "+12025550101": "delivered",
    "+12025550102": "undelivered",
    "+12025550103": "refused",
    "+12025550104": "blocked as opted out",
    "+12025550105": "answers STOP by itself",
    "+12025550106": "slow receipt",
}


def fate(faults: Faults, *, reference: str, number: int, to: str) -> Fate:
    """What becomes of the `number`-th submit of `reference` to handset `to`."""
    by_number = (NUMBERS.get(to) or ENDINGS.get(to[-4:])) if faults.magic_numbers else None
    if by_number is not None:
        return _of_number(by_number, faults=faults, number=number)
    if not faults.has_rates():
        return faults.plain_fate()
    return _drawn(faults, reference=reference, number=number)


def is_posted_twice(faults: Faults, *, gateway_id: str) -> bool:
    """Whether a text from a handset is delivered to the desk by two calls at once."""
    if not faults.rate_duplicate_inbound:
        return False
    return _drawn_by(f"{faults.seed}\0{gateway_id}") < faults.rate_duplicate_inbound


def _drawn_by(text: str) -> float:
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=4).digest()
    return float(struct.unpack(">I", digest)[0] / 2**32)


def _of_number(by_number: Fate, *, faults: Faults, number: int) -> Fate:
    if by_number.how == "throttle" and number > 1:
        by_number = replace(by_number, how="answer")  # throttled once
    if by_number.receipt_delay == SLOW_RECEIPT:
        return by_number
    return replace(by_number, receipt_delay=faults.receipt_delay_ms / 1000)


def _drawn(faults: Faults, *, reference: str, number: int) -> Fate:
    digest = blake2b(f"{faults.seed}\0{reference}\0{number}".encode("utf-8", "replace"), digest_size=24).digest()
    call, half, duplicate, early, reordered, delay = (value / 2**32 for value in struct.unpack(">6I", digest))
    return Fate(
        how=_how(faults, call, half),
        receipt_delay=faults.receipt_delay_ms / 1000 * (0.5 + delay),
        duplicate=duplicate < faults.rate_duplicate_receipts,
        early=early < faults.rate_early_receipts,
        reordered=reordered < faults.rate_reordered_receipts,
        nameless=_drawn_by(f"{faults.seed}\0{reference}\0nameless") < faults.rate_nameless_receipts,
    )


def _how(faults: Faults, call: float, half: float) -> str:
    # One draw walks through the rates, so they exclude each other. A 5xx has taken the message half of the time.
    for how, rate in (
        ("throttle", faults.rate_429),
        ("fail_before" if half < 0.5 else "fail_after", faults.rate_5xx),
        ("reset_before", faults.rate_reset_before),
        ("reset_after", faults.rate_reset_after),
        ("hang", faults.rate_accept_then_timeout),
        ("garbage", faults.rate_garbage),
    ):
        if call < rate:
            return how
        call -= rate
    return "answer"
