"""What becomes of a message nobody knows the outcome of: by what its gateway can prove, and by its purpose. Pure.

Never sent again by a machine on a word that proves nothing. Gateways are of four tiers (`contract.Capabilities`):
*A* take our key twice and send once, *B* can be asked for our reference, *C* may tell later (a receipt, a list),
*D* never tell. An answer to STOP is tried once, whatever the tier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from campaigns.models import OutboundMessage, OutboundState
from campaigns.times import TIMES
from contacts.models import Purpose
from smsdesk.gateways.contract import Capabilities

MOST_SUBMITS = 3
# No gateway drops its log sooner; from then on "never seen" may only mean "forgotten".
REMEMBERED = timedelta(hours=24)
# How long a receipt or a hit in a list is waited for where nothing else can come.
PATIENCE = {
    Purpose.MARKETING: timedelta(hours=24),
    Purpose.TRANSACTIONAL: timedelta(minutes=2),
    Purpose.CONVERSATIONAL: timedelta(minutes=2),
    Purpose.COMPLIANCE: timedelta(minutes=2),
}
LOOKS = (5.0, 15.0, 30.0, 60.0)  # seconds to the next look; then doubling
RAREST_LOOK = 600.0


@dataclass(frozen=True, slots=True)
class Step:
    """Where the row goes: `queued`, `parked`, or still `unknown` until `look_at`.

    `open_until` is set where it goes out again although the first try may have arrived: the gateway's key makes
    them one, until then.
    """

    state: OutboundState
    evidence: dict[str, Any]
    code: str = ""
    look_at: datetime | None = None
    open_until: datetime | None = None


def may_queue_unasked(row: OutboundMessage, *, can: Capabilities, now: datetime) -> bool:
    """Whether it is known without asking that another try cannot make a second text."""
    return _surely_not_taken(row) or _key_until(row, can=can, now=now) is not None


def next_step(row: OutboundMessage, *, can: Capabilities, was_asked: bool, now: datetime) -> Step:
    """The gateway was asked and did not name the row; or, not `was_asked`, could not be asked."""
    evidence = dict(row.evidence or {})
    if was_asked:
        evidence["lookups"] = evidence.get("lookups", 0) + 1
        evidence["last_lookup"] = now.isoformat(timespec="seconds")
    hopeless = is_hopeless(row, can=can, now=now)
    if _surely_not_taken(row):
        return _again(row, evidence)
    key_until = _key_until(row, can=can, now=now)
    if key_until is not None:
        return Step(OutboundState.QUEUED, evidence, open_until=key_until)
    is_exact = was_asked and can.lookup == "exact"
    if is_exact and not hopeless and _age(row, now=now) >= grace(row, can=can):
        return _again(row, evidence)
    if hopeless:
        return Step(OutboundState.PARKED, evidence, code="NO_PROOF")
    wait = _wait(evidence.get("lookups", 0)) * settings.TIME_SCALE
    if is_exact:
        wait = min(wait, max(1.0, grace(row, can=can) - _age(row, now=now)))
    return Step(OutboundState.UNKNOWN, evidence, look_at=now + timedelta(seconds=wait))


def is_hopeless(row: OutboundMessage, *, can: Capabilities, now: datetime) -> bool:
    """Nothing will tell any more."""
    if can.tier == "D":
        return True
    if can.lookup == "exact":
        return _age(row, now=now) >= _scaled(REMEMBERED)
    is_over = row.purpose == Purpose.MARKETING and row.send_by is not None and row.send_by <= now
    return is_over or _age(row, now=now) >= _scaled(PATIENCE[Purpose(row.purpose)])


def grace(row: OutboundMessage, *, can: Capabilities) -> float:
    """Seconds from its submit on after which a gateway's "never seen" is final."""
    evidence: Mapping[str, Any] = row.evidence or {}
    is_sure = evidence.get("worker_gone") or row.error_class
    return (TIMES.grace if is_sure else TIMES.grace_unsure) + _scaled(can.see_all_delay)


def _surely_not_taken(row: OutboundMessage) -> bool:
    """A late word of the worker that called: nothing was written, or the gateway said that it did not take it."""
    evidence: Mapping[str, Any] = row.evidence or {}
    return bool(evidence.get("nothing_written") or evidence.get("not_taken"))


def _key_until(row: OutboundMessage, *, can: Capabilities, now: datetime) -> datetime | None:
    """Until when our key protects another try, from the first one on; None where there is none to make."""
    if can.idempotency_ttl is None or row.submitted_at is None or not _may_try_again(row):
        return None
    until = row.open_until or row.submitted_at + timedelta(seconds=_scaled(can.idempotency_ttl) / 2)
    return until if now < until else None


def _again(row: OutboundMessage, evidence: dict[str, Any]) -> Step:
    if _may_try_again(row):
        return Step(OutboundState.QUEUED, evidence, open_until=row.open_until)
    return Step(OutboundState.PARKED, evidence, code="NOT_SEEN")


def _may_try_again(row: OutboundMessage) -> bool:
    return row.submit_no < MOST_SUBMITS and row.purpose != Purpose.COMPLIANCE


def _wait(looks: int) -> float:
    """Seconds after the `looks`-th look."""
    if looks <= len(LOOKS):
        return LOOKS[max(looks, 1) - 1]
    return min(RAREST_LOOK, LOOKS[-1] * 2.0 ** min(looks - len(LOOKS), 10))


def _age(row: OutboundMessage, *, now: datetime) -> float:
    return (now - row.submitted_at).total_seconds() if row.submitted_at else 0.0


def _scaled(time: timedelta) -> float:
    return time.total_seconds() * float(settings.TIME_SCALE)
