"""What became of a campaign: figures from the ledger's counts, in one grouped query, each with its denominator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Min, Q, Sum
from django.db.models.functions import Trunc

from campaigns import failures, reasons, sender_choice
from campaigns.models import Campaign, CampaignCount, CampaignState, OutboundState

S = OutboundState
# Taken by the gateway, whatever came of it.
TAKEN = (S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.EXPIRED)
FAILED = (S.UNDELIVERED, S.EXPIRED, S.REJECTED)
OPEN = (S.QUEUED, S.SUBMITTING)
RATE_OVER = timedelta(seconds=60)  # at least: counts are kept by the minute
MOVING = (CampaignState.SCHEDULED, CampaignState.PREPARING, CampaignState.SENDING)


@dataclass(frozen=True, slots=True)
class Line:
    """So many of `of` for one reason; `reason` names it in the recipients' filter."""

    reason: str
    code: str
    sentence: str
    count: int
    of: int
    advice: str = ""

    @property
    def percent(self) -> float:
        return share(self.count, self.of)


@dataclass(frozen=True, slots=True)
class Figures:
    """The state of a campaign's ledger rows at one moment."""

    targeted: int
    queued: int
    submitting: int
    taken: int  # accepted by the gateway
    delivered: int
    failed: int
    unknown: int
    parked: int
    skipped: int
    cancelled: int
    replied: int
    opted_out: int
    parts: int
    rate: float  # messages a second, over the last minute or two
    waiting: tuple[Line, ...]
    skips: tuple[Line, ...]
    failures: tuple[Line, ...]

    @property
    def settled(self) -> int:
        """Rows that have left or never will."""
        return self.targeted - self.queued - self.submitting

    @property
    def seconds_left(self) -> int | None:
        """At the present rate; None where nothing moves or nothing is left."""
        waiting = sum(line.count for line in self.waiting if line.code)
        ready = self.queued - waiting
        return round(ready / self.rate) if self.rate and ready > 0 else None

    @property
    def funnel(self) -> tuple[tuple[str, int, int], ...]:
        """(stage, people, of how many)."""
        return (
            ("Targeted", self.targeted, self.targeted),
            ("Sent", self.taken, self.targeted),
            ("Delivered", self.delivered, self.taken),
            ("Replied", self.replied, self.delivered),
        )


def share(count: int, of: int) -> float:
    return round(100 * count / of, 1) if of else 0.0


def figures(campaign: Campaign, *, now: datetime) -> Figures:
    """One grouped query over the campaign's counts."""
    # Counts do not tell which sender's they are. Gateways give their codes in forms of their own.
    gateways = [*dict.fromkeys(sender_choice.gateways(campaign).values())]
    since = (now - RATE_OVER).replace(second=0, microsecond=0)
    groups = list(
        CampaignCount.objects.filter(campaign=campaign)
        .values("state", "code", "waiting_for", "error_code", "error_class")
        .annotate(
            n=Sum("messages"),
            replied=Sum("replies"),
            left=Sum("opt_outs"),
            sum_parts=Sum("parts"),
            recent=Sum("messages", filter=Q(minute__gte=since), default=0),
        )
        .filter(n__gt=0)
        .order_by()
    )
    return _figures(groups, gateways=gateways, seconds=(now - since).total_seconds())


def _figures(groups: Sequence[Mapping[str, Any]], *, gateways: Sequence[str], seconds: float) -> Figures:
    def total(*states: str) -> int:
        return sum(group["n"] for group in groups if group["state"] in states)

    targeted = sum(group["n"] for group in groups)
    return Figures(
        targeted=targeted,
        queued=total(S.QUEUED),
        submitting=total(S.SUBMITTING),
        taken=total(*TAKEN),
        delivered=total(S.DELIVERED),
        failed=total(*FAILED),
        unknown=total(S.UNKNOWN),
        parked=total(S.PARKED),
        skipped=total(S.SKIPPED),
        cancelled=total(S.CANCELLED),
        replied=sum(group["replied"] for group in groups),
        opted_out=sum(group["left"] for group in groups),
        parts=sum(group["sum_parts"] for group in groups),
        rate=round(sum(group["recent"] for group in groups) / seconds, 1),
        waiting=_lines(groups, states=(S.QUEUED,), by="waiting_for", of=targeted, gateways=gateways),
        skips=_lines(groups, states=(S.SKIPPED, S.CANCELLED), by="code", of=targeted, gateways=gateways),
        failures=_lines(groups, states=FAILED, by="error_code", of=targeted, gateways=gateways),
    )


def _lines(
    groups: Sequence[Mapping[str, Any]], *, states: tuple[str, ...], by: str, of: int, gateways: Sequence[str]
) -> tuple[Line, ...]:
    """The rows in these states by one column, largest first."""
    counts: dict[tuple[str, str], int] = {}
    for group in groups:
        if group["state"] in states:
            # A rejected row of our own making (no gateway's word) is told by our code.
            code = group[by] or (group["code"] if by == "error_code" else "")
            key = (code, group["error_class"] if by == "error_code" else "")
            counts[key] = counts.get(key, 0) + group["n"]
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(_line(by, code, error_class, count, of, gateways) for (code, error_class), count in ordered)


def _line(by: str, code: str, error_class: str, count: int, of: int, gateways: Sequence[str]) -> Line:
    if by == "waiting_for":
        return Line(f"waits-{code or 'turn'}", code, reasons.waiting(code, {}), count, of)
    if by == "code":
        return Line(f"code-{code}", code, reasons.summary(code) if code else "Cancelled.", count, of)
    words = failures.explain_of_any(gateways, code, error_class)
    return Line(f"error-{code or 'none'}", code, words.cause, count, of, words.advice)


# --- Over time ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was sent and what was delivered in one minute, hour or day."""

    start: datetime
    sent: int
    delivered: int


def over_time(campaign: Campaign) -> tuple[str, list[Bucket]]:
    """(unit, buckets) from the first submission on; the unit fits the length, at most about 100 buckets."""
    rows = CampaignCount.objects.filter(campaign=campaign, minute__isnull=False)
    span = rows.aggregate(first=Min("minute"), last=Max("minute"))
    if span["first"] is None:
        return "minute", []
    unit = _unit(span["last"] - span["first"])
    found = (
        rows.annotate(bucket=Trunc("minute", unit))
        .values("bucket")
        .annotate(
            sent=Sum("messages", filter=Q(state__in=TAKEN), default=0),
            delivered=Sum("messages", filter=Q(state=S.DELIVERED), default=0),
            any=Sum("messages"),
        )
        .filter(any__gt=0)
        .order_by("bucket")
    )
    return unit, [Bucket(row["bucket"], row["sent"], row["delivered"]) for row in found[:400]]


def _unit(length: timedelta) -> str:
    if length < timedelta(minutes=100):
        return "minute"
    return "hour" if length < timedelta(hours=100) else "day"


# --- Several campaigns --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Totals:
    """What a line of the campaigns' list shows."""

    rows: int
    settled: int
    taken: int
    delivered: int


NO_TOTALS = Totals(0, 0, 0, 0)


def totals(campaign_ids: list[int]) -> dict[int, Totals]:
    """By campaign id: one grouped query over their counts."""
    counts: dict[int, dict[str, int]] = {}
    found = (
        CampaignCount.objects.filter(campaign_id__in=campaign_ids)
        .values("campaign_id", "state")
        .annotate(n=Sum("messages"))
        .filter(n__gt=0)
        .order_by()
    )
    for group in found:
        counts.setdefault(group["campaign_id"], {})[group["state"]] = group["n"]
    return {
        campaign_id: Totals(
            rows=sum(states.values()),
            settled=sum(n for state, n in states.items() if state not in OPEN),
            taken=sum(n for state, n in states.items() if state in TAKEN),
            delivered=states.get(S.DELIVERED, 0),
        )
        for campaign_id, states in counts.items()
    }
