"""A campaign that goes wrong pauses itself, with the reason: refused again and again, or failing too often.

*Strikes*: the gateway refused the text or the sender so many times in a row; each of several senders has a count of
its own, or those that are accepted would hide the one that never is. *Error rate*: of the messages answered
within five minutes more than a share failed, or nobody knows what became of them.

Answers are counted only while something goes wrong: a first failure puts the campaign under watch for five minutes,
and only batches of watched campaigns, or with failures of their own, write anything here.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, Exists, F, QuerySet, Sum, Value, When

from campaigns import failures, lifecycle
from campaigns.models import AnswerCount, Campaign, CampaignSender, GatewayAccount
from smsdesk import clock
from smsdesk.gateways.contract import SubmitResult
from smsdesk.gateways.errors import Beyond, GatewayError

log = structlog.get_logger(__name__)

WINDOW = timedelta(minutes=5)
LEAST = 100  # answers from which on a share says something
SLOT = 30  # seconds that are counted together
KEPT = timedelta(hours=1)


class OfCampaign(Protocol):
    """A ledger row that left, as `campaigns.batch.Row` is."""

    @property
    def campaign_id(self) -> int | None: ...

    @property
    def sender_id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Tally:
    """What a batch's answers say about one campaign, in the order they were given."""

    answered: int
    failed: tuple[GatewayError, ...]  # refused, or outcome unknown
    strikes: int  # refusals of text or sender since the last acceptance
    has_accepted: bool


def learn(
    results: Sequence[SubmitResult],
    rows: Mapping[UUID, OfCampaign],
    *,
    account: GatewayAccount,
    is_watched: bool,
) -> None:
    """Count a batch's answers. No statement where none failed and no campaign of the sender is watched."""
    if not is_watched and not any(_has_failed(result) for result in results):
        return
    alike: defaultdict[tuple[int, int], list[SubmitResult]] = defaultdict(list)
    for result in results:
        row = rows[result.reference]
        if row.campaign_id is not None and result.outcome != "again":
            alike[row.campaign_id, row.sender_id].append(result)
    now = clock.database_now()
    with transaction.atomic():
        for campaign_id, sender_id in sorted(alike):
            _learn(campaign_id, sender_id, _tally(alike[campaign_id, sender_id]), account=account, now=now)


def _learn(campaign_id: int, sender_id: int, tally: Tally, *, account: GatewayAccount, now: datetime) -> None:
    _count(campaign_id, answered=tally.answered, failed=len(tally.failed), now=now)
    strikes = _strike(campaign_id, sender_id, tally, now=now)
    if tally.failed and not _pause_for_strikes(campaign_id, strikes, tally.failed[-1], account, now=now):
        code, kind = _most_often([(error.code, error.error_class.value) for error in tally.failed])
        _pause_for_rate(campaign_id, code, kind, account, now=now)


def learn_late(failed: Mapping[int, Sequence[tuple[str, str]]], *, account: GatewayAccount, now: datetime) -> None:
    """Receipts told of failures: per campaign the gateway's (code, our class) of each."""
    for campaign_id, own in sorted(failed.items()):
        with transaction.atomic():
            _count(campaign_id, answered=0, failed=len(own), now=now)
            _watch(campaign_id, now=now)
            code, kind = _most_often(own)
            _pause_for_rate(campaign_id, code, kind, account, now=now)


def forget(*, now: datetime) -> int:
    """Counts that no window reaches any more go; how many."""
    return AnswerCount.objects.filter(slot__lt=_slot(now - KEPT)).delete()[0]


def _most_often(words: Sequence[tuple[str, str]]) -> tuple[str, str]:
    return Counter(words).most_common(1)[0][0]


def _has_failed(result: SubmitResult) -> bool:
    return result.outcome in ("rejected", "unknown")


def _is_strike(result: SubmitResult) -> bool:
    return result.error is not None and result.error.policy.beyond is Beyond.STRIKE_CAMPAIGN


def _tally(results: Sequence[SubmitResult]) -> Tally:
    strikes, has_accepted = 0, False
    for result in results:
        if result.outcome == "accepted":
            strikes, has_accepted = 0, True
        elif _is_strike(result):
            strikes += 1
    failed = tuple(r.error for r in results if _has_failed(r) and r.error is not None)
    return Tally(len(results), failed, strikes, has_accepted)


# --- In a row -----------------------------------------------------------------------------------------


def _strike(campaign_id: int, sender_id: int, tally: Tally, *, now: datetime) -> int:
    """Add the batch's strikes, or begin anew after an acceptance; how many there are now in a row."""
    counted = _counted(campaign_id, sender_id)
    if tally.has_accepted:
        counted.exclude(strikes=tally.strikes).update(strikes=tally.strikes)
    elif tally.strikes:
        is_watched = Exists(Campaign.objects.filter(pk=campaign_id, watched_until__gt=now))
        counted.update(strikes=Case(When(is_watched, then=F("strikes")), default=Value(0)) + tally.strikes)
    if not tally.failed:
        return 0
    _watch(campaign_id, now=now)
    return (counted.values_list("strikes", flat=True).first() or 0) if tally.strikes else 0


def _counted(campaign_id: int, sender_id: int) -> "QuerySet[CampaignSender] | QuerySet[Campaign]":
    """The row that keeps the strikes of this sender: its own of a further one, else the campaign's."""
    further = CampaignSender.objects.filter(campaign=campaign_id, sender=sender_id)
    return further if further.exists() else Campaign.objects.filter(pk=campaign_id)


def _watch(campaign_id: int, *, now: datetime) -> None:
    Campaign.objects.filter(pk=campaign_id).update(watched_until=now + WINDOW)


def _pause_for_strikes(
    campaign_id: int, strikes: int, error: GatewayError, account: GatewayAccount, *, now: datetime
) -> bool:
    if strikes < settings.STRIKES_MOST or error.policy.beyond is not Beyond.STRIKE_CAMPAIGN:
        return False
    words = failures.explain(account.kind, error.code, error.error_class.value)
    reason = f"{account.name} refused {strikes} messages in a row ({error.code}). {words.cause} {words.advice}"
    return lifecycle.pause_itself(campaign_id, reason=reason, now=now)


# --- Too often ----------------------------------------------------------------------------------------


def _slot(moment: datetime) -> int:
    return int(moment.timestamp()) // SLOT


def _count(campaign_id: int, *, answered: int, failed: int, now: datetime) -> None:
    table = connection.ops.quote_name(AnswerCount._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS t (campaign_id, slot, answered, failed) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (campaign_id, slot) DO UPDATE SET answered = t.answered + excluded.answered, "
            "failed = t.failed + excluded.failed",
            [campaign_id, _slot(now), answered, failed],
        )


def _pause_for_rate(campaign_id: int, code: str, kind: str, account: GatewayAccount, *, now: datetime) -> bool:
    lately = AnswerCount.objects.filter(campaign=campaign_id, slot__gt=_slot(now - WINDOW))
    sums = lately.aggregate(answered=Sum("answered"), failed=Sum("failed"))
    failed = sums["failed"] or 0
    # Receipts may tell of more than was sent meanwhile.
    answered = max(sums["answered"] or 0, failed)
    if answered < LEAST or failed * 100 <= settings.ERROR_RATE_PERCENT * answered:
        return False
    words = failures.explain(account.kind, code, kind)
    reason = (
        f"{failed:,} of the last {answered:,} messages ({failed * 100 // answered} %) failed or their outcome is "
        f"not known. Most often lately: {words.cause} {words.advice} ({code or 'no code'})"
    )
    return lifecycle.pause_itself(campaign_id, reason=reason, now=now)
