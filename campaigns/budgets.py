"""What a campaign may use: it pauses itself when its next message does not fit, and goes on when it is given more.

Counted where messages leave (`campaigns/allowances.py`), so it is never passed by a part.
"""

from collections.abc import Collection
from datetime import datetime

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from campaigns import lifecycle
from campaigns.models import Campaign, CampaignState, MessageInMotion, OutboundState, PartsCount
from smsdesk import clock
from smsdesk.errors import Invalid, WrongState

log = structlog.get_logger(__name__)

OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)


def pause_spent(campaign_ids: Collection[int]) -> None:
    """These had no room for their next message a moment ago. No statement where there are none."""
    if not campaign_ids:
        return
    for campaign in Campaign.objects.filter(pk__in=sorted(campaign_ids), budget__isnull=False):
        count = PartsCount.objects.filter(campaign=campaign).first()
        if count is None or campaign.budget is None or count.used + count.asked <= campaign.budget:
            continue  # somebody has just raised it
        waiting = MessageInMotion.objects.filter(campaign=campaign, state=OutboundState.QUEUED).count()
        reason = (
            f"Its budget is used up: {count.used:,} of {campaign.budget:,} parts have left, the next message takes "
            f"{count.asked}, and {waiting:,} messages wait. Raise the budget and resume it to go on."
        )
        lifecycle.pause_itself(campaign.pk, reason=reason, now=clock.database_now())


def change(campaign: Campaign, parts: int | None, *, by: AbstractBaseUser | None, now: datetime) -> Campaign:
    """Set what it may use in all, in parts; None lifts it. Raises `Invalid` below what has left already.

    One that was launched without a budget gets none later: what it has sent so far was not counted.
    """
    with transaction.atomic():
        locked = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if locked.state in OVER:
            raise WrongState(
                "wrong_state",
                f"Cannot change the budget of this campaign: it is {locked.get_state_display().lower()}.",
                field="state",
                value=locked.state,
                cure="Duplicate it to send more.",
            )
        used = used_by(locked)
        if parts is not None and locked.budget is None and locked.state != CampaignState.DRAFT:
            raise Invalid(
                "budget_not_counted",
                "This campaign was launched without a budget, and its parts were not counted.",
                field="budget",
                value=str(parts),
                cure="Pause it, or duplicate it with a budget for those it has not reached.",
            )
        if parts is not None and parts < max(1, used):
            raise Invalid(
                "budget_too_small",
                f"{used:,} parts have left already.",
                field="budget",
                value=str(parts),
                cure=f"Give {max(1, used):,} or more, or pause the campaign.",
            )
        Campaign.objects.filter(pk=locked.pk).update(budget=parts, updated_at=now)
    campaign.refresh_from_db(fields=["budget", "updated_at"])
    log.info("budget_changed", campaign=campaign.ref, parts=parts, by=getattr(by, "pk", None))
    return campaign


def used_by(campaign: Campaign) -> int:
    """Parts that have left of a campaign with a budget."""
    return PartsCount.objects.filter(campaign=campaign).values_list("used", flat=True).first() or 0


def sentence(campaign: Campaign) -> str:
    """How far its budget is used, for its report; "" without one."""
    if campaign.budget is None:
        return ""
    return f"{used_by(campaign):,} of {campaign.budget:,} parts of its budget have left."
