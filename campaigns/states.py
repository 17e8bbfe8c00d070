"""Which ledger states may follow which, as SQL can check it: receipts and proofs only move a row up."""

from collections.abc import Iterable

from django.db.models import Q

from campaigns.models import OutboundMessage, OutboundState
from smsdesk import bulk_sql

# Rank of what is known about a message that may have left. `delivered` beats every other final word.
RANK = {
    OutboundState.QUEUED: 0,
    OutboundState.SUBMITTING: 0,
    OutboundState.UNKNOWN: 0,
    OutboundState.PARKED: 0,
    OutboundState.ACCEPTED: 1,
    OutboundState.SENT: 2,
    OutboundState.UNDELIVERED: 3,
    OutboundState.EXPIRED: 3,
    OutboundState.REJECTED: 3,
    OutboundState.DELIVERED: 4,
}

# Those that surely left, and those nobody can be sure of: counted against caps, told in proofs.
MAY_HAVE_LEFT = (
    OutboundState.SUBMITTING,
    OutboundState.UNKNOWN,
    OutboundState.PARKED,
    OutboundState.ACCEPTED,
    OutboundState.SENT,
    OutboundState.DELIVERED,
    OutboundState.UNDELIVERED,
    OutboundState.EXPIRED,
)


def may_have_left(message: OutboundMessage) -> bool:
    """Also one that waits to go again although its first call may have gone through."""
    return message.state in MAY_HAVE_LEFT or message.outcome_open


# The same, asked of the database.
LEFT = Q(state__in=MAY_HAVE_LEFT) | Q(state=OutboundState.QUEUED, outcome_open=True)

# Not settled yet: a campaign with such a row is not finished.
OPEN = (OutboundState.QUEUED, OutboundState.SUBMITTING, OutboundState.UNKNOWN)


def lock_rows(ids: Iterable[int]) -> None:
    """Lock ledger rows in id order, as everybody must who writes several without their contacts' locks."""
    rows = OutboundMessage.objects.select_for_update(no_key=True).filter(bulk_sql.numbered("id", list(ids)))
    list(rows.order_by("pk").values_list("pk"))


def rank_sql(column: str) -> str:
    """SQL of the rank of `column`; -1 for states no receipt may touch (skipped, cancelled)."""
    cases = " ".join(f"WHEN '{state.value}' THEN {rank}" for state, rank in RANK.items())
    return f"(CASE {column} {cases} ELSE -1 END)"
