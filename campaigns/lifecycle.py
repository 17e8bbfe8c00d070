"""The life of a campaign: every change is one conditional update, so two operators, a double click and the API
together launch once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce

from campaigns import audience, further_senders, lint, sending, snapshot, states
from campaigns.models import (
    Campaign,
    CampaignState,
    MessageInMotion,
    OutboundMessage,
    OutboundState,
    SnapshotRange,
)
from contacts.models import Purpose
from smsdesk import failpoints, locks, transitions, wakeups
from smsdesk.errors import DomainError, Invalid, WrongState

log = structlog.get_logger(__name__)

# Later than this after its time a campaign is not begun by machine: a person decides.
GRACE = timedelta(minutes=60)
CANCEL_PAGE = 10_000

S = CampaignState


def launch(campaign: Campaign, *, by: AbstractBaseUser | None, now: datetime) -> Campaign:
    """`draft → scheduled`: from here on text, audience, sender are frozen. Raises what `problems` lists first."""
    return _begin(campaign, "launch", origin=S.DRAFT, by=by, now=now)


def approve(campaign: Campaign, *, by: AbstractBaseUser | None, now: datetime) -> Campaign:
    """`awaiting approval → scheduled`, with the same conditions; a right of its own, so a verb of its own."""
    return _begin(campaign, "approve", origin=S.AWAITING_APPROVAL, by=by, now=now)


def _begin(
    campaign: Campaign, verb: str, *, origin: CampaignState, by: AbstractBaseUser | None, now: datetime
) -> Campaign:
    _refuse_problems(campaign, now=now)
    with transaction.atomic():
        # Under the lock: a step of the wizard that is saved just now is either in what is frozen, or refused.
        locked = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if locked.updated_at != campaign.updated_at and locked.state == origin:
            _refuse_problems(locked, now=now)  # somebody has saved a step since it was read
        _move(
            campaign,
            verb,
            origins=(origin,),
            to=S.SCHEDULED,
            changes={"launched_at": now, "frozen_rules": audience.freeze(locked)},
            now=now,
        )
        if campaign.send_at is None or campaign.send_at <= now:
            wakeups.wake("campaigns.tasks.tick")
        failpoints.hit("launch.before_commit")
    log.info("campaign_launched", campaign=campaign.ref, by=getattr(by, "pk", None))
    return campaign


def pause(campaign: Campaign, *, by: AbstractBaseUser | None, now: datetime, reason: str = "") -> Campaign:
    """Nothing more is submitted; effective within the batch in hand."""
    _move(
        campaign,
        "pause",
        origins=(S.SCHEDULED, S.PREPARING, S.SENDING),
        to=S.PAUSED,
        changes={"paused_reason": (reason or "Paused by an operator.")[:300]},
        now=now,
    )
    log.info("campaign_paused", campaign=campaign.ref, by=getattr(by, "pk", None))
    return campaign


def pause_itself(campaign_id: int, *, reason: str, now: datetime) -> bool:
    """By machine, while it is sending; False where somebody was faster."""
    campaign = Campaign.objects.filter(pk=campaign_id, state=S.SENDING).first()
    if campaign is None:
        return False
    try:
        pause(campaign, by=None, now=now, reason=reason)
    except WrongState:
        return False
    log.error("campaign_paused_itself", campaign=campaign.ref)
    return True


def resume(campaign: Campaign, *, by: AbstractBaseUser | None, now: datetime) -> Campaign:
    """Back to where it was: sending, preparing, or waiting for its time."""
    with transaction.atomic():
        if campaign.prepared_at is not None:
            to = S.SENDING
        elif campaign.audience_at is not None or (campaign.send_at or now) <= now:
            to = S.PREPARING
        else:
            to = S.SCHEDULED
        changes = {"paused_reason": "", "strikes": 0, "watched_until": None}
        # Those somebody has looked at count no more. Locked in the order of a batch: answers, senders, campaign.
        campaign.answer_counts.all().delete()
        campaign.further_senders.update(strikes=0)
        _move(campaign, "resume", origins=(S.PAUSED,), to=to, changes=changes, now=now)
        wakeups.wake("campaigns.tasks.tick")
        sending.wake_all()
    log.info("campaign_resumed", campaign=campaign.ref, by=getattr(by, "pk", None))
    return campaign


def cancel(campaign: Campaign, *, by: AbstractBaseUser | None, now: datetime) -> Campaign:
    """The state stops it at once; its waiting rows follow in pages."""
    with transaction.atomic():
        _move(
            campaign,
            "cancel",
            origins=(S.DRAFT, S.AWAITING_APPROVAL, S.SCHEDULED, S.PREPARING, S.SENDING, S.PAUSED),
            to=S.CANCELLED,
            changes={"finished_at": now},
            now=now,
        )
        wakeups.wake("campaigns.tasks.tick")
    log.info("campaign_cancelled", campaign=campaign.ref, by=getattr(by, "pk", None))
    return campaign


def problems(campaign: Campaign, *, now: datetime) -> list[DomainError]:
    """What keeps the campaign from being launched; each names the field and the cure."""
    if campaign.state not in (S.DRAFT, S.AWAITING_APPROVAL):
        return [_wrong_state(campaign, "launch")]
    found: list[DomainError] = []
    if campaign.brand_id is None:
        found.append(_missing("brand", "Choose who speaks."))
    if campaign.sender is None:
        found.append(_missing("sender", "Choose the number or name it is sent from."))
    elif campaign.sender.brand_id != campaign.brand_id:
        found.append(
            Invalid(
                "sender_of_other_brand",
                "This sender belongs to another brand.",
                field="sender",
                value=campaign.sender.value,
                cure="Choose a sender of the campaign's brand.",
            )
        )
    found.extend(further_senders.problems(campaign))
    if not campaign.body.strip():
        found.append(_missing("body", "Write the message."))
    else:
        try:
            found.extend(lint.as_errors(lint.check(campaign, body=campaign.body)))
        except DomainError as error:
            found.append(error)
    if not audience.is_chosen(campaign):
        found.append(_missing("include", "Choose at least one list or segment."))
    found.extend(_problems_of_time(campaign, now=now))
    found.extend(_problems_of_purpose(campaign))
    return found


def _refuse_problems(campaign: Campaign, *, now: datetime) -> None:
    if found := problems(campaign, now=now):
        raise found[0]


def _problems_of_time(campaign: Campaign, *, now: datetime) -> list[DomainError]:
    begins = campaign.send_at or now
    if campaign.send_at is not None and campaign.send_at < now - GRACE:
        return [
            Invalid(
                "send_at_past",
                "The time to send lies in the past.",
                field="send_at",
                value=campaign.send_at.isoformat(),
                cure="Choose a later time, or send now.",
            )
        ]
    if campaign.latest_start is not None and campaign.latest_start < begins:
        return [
            Invalid(
                "latest_start_too_early",
                "The latest start is before the beginning.",
                field="latest_start",
                value=campaign.latest_start.isoformat(),
                cure="Choose a later one, or none.",
            )
        ]
    if campaign.send_by is not None and campaign.send_by <= begins:
        return [
            Invalid(
                "send_by_too_early",
                "The offer ends before the campaign begins.",
                field="send_by",
                value=campaign.send_by.isoformat(),
                cure="Choose a later end, or send earlier.",
            )
        ]
    return []


def _problems_of_purpose(campaign: Campaign) -> list[DomainError]:
    if campaign.purpose in (Purpose.MARKETING, Purpose.TRANSACTIONAL):
        return []
    return [
        Invalid(
            "purpose_not_for_campaigns",
            "A campaign is marketing or transactional.",
            field="purpose",
            value=campaign.purpose,
            cure="Choose one of the two.",
        )
    ]


# --- What the clock does -----------------------------------------------------------------------------


def start_due(*, now: datetime) -> int:
    """`scheduled → preparing` for campaigns whose time has come; missed ones are paused with the reason."""
    waiting = Campaign.objects.filter(state=S.SCHEDULED)
    late = Q(begins__lt=now - GRACE, latest_start=None) | Q(latest_start__lt=now)
    missed = (
        waiting.alias(begins=Coalesce("send_at", "launched_at"))
        .filter(late)
        .update(
            state=S.PAUSED,
            updated_at=now,
            paused_reason="Its start was missed: no worker was running. Resume it to send now.",
        )
    )
    started = waiting.filter(Q(send_at=None) | Q(send_at__lte=now)).update(state=S.PREPARING, updated_at=now)
    return started + missed


def prepare_due(*, now: datetime) -> None:
    """Take the snapshot of every campaign in `preparing`, then `preparing → sending`."""
    for campaign in Campaign.objects.filter(state=S.PREPARING).select_related("sender"):
        try:
            snapshot.take(campaign, now=now)
        except Invalid as error:
            pause(campaign, by=None, now=now, reason=f"Its audience cannot be made. {error.sentence()}")
            continue
        except Exception:
            # It comes again with the next pulse, and must not keep other campaigns from beginning.
            log.exception("campaign_not_prepared", campaign=campaign.pk)
            continue
        begin_sending(campaign, now=now)


def begin_sending(campaign: Campaign, *, now: datetime) -> bool:
    """`preparing → sending`, only with everybody's row made: a pause and a resume may have come in between."""
    complete = Campaign.objects.filter(pk=campaign.pk, prepared_at__isnull=False)
    if not transitions.move(complete, origins=(S.PREPARING,), to=S.SENDING, changes={"updated_at": now}):
        return False
    sending.wake_all()
    return True


def finish_done(*, now: datetime) -> int:
    """`sending → finished` once none of its rows can still change by our doing."""
    waiting = MessageInMotion.objects.filter(campaign=OuterRef("pk"), state=OutboundState.QUEUED)
    leaving = MessageInMotion.objects.filter(campaign=OuterRef("pk"), state=OutboundState.SUBMITTING)
    asked_for = MessageInMotion.objects.filter(campaign=OuterRef("pk"), state=OutboundState.UNKNOWN)
    return (
        Campaign.objects.filter(state=S.SENDING)
        # One each, because each has an index of its own.
        .exclude(Exists(waiting) | Exists(leaving) | Exists(asked_for))
        .update(state=S.FINISHED, finished_at=now, updated_at=now)
    )


def sweep_cancelled(*, now: datetime) -> int:
    """The waiting rows of cancelled campaigns follow, a page at a time; what may have left is parked."""
    waiting = MessageInMotion.objects.filter(state=OutboundState.QUEUED, campaign__state=S.CANCELLED)
    swept = 0
    while page := list(waiting.values_list("message", flat=True)[:CANCEL_PAGE]):
        swept += _cancel_rows(page, now=now)
    _drop_ranges()
    return swept


def _drop_ranges() -> None:
    """Of campaigns nobody prepares any more; those in somebody's hands another time."""
    with transaction.atomic():
        left = SnapshotRange.objects.exclude(campaign__state__in=(S.PREPARING, S.PAUSED))
        free = left.select_for_update(of=("self",), skip_locked=True).values_list("pk", flat=True)
        SnapshotRange.objects.filter(pk__in=list(free)).delete()


def _cancel_rows(page: list[int], *, now: datetime) -> int:
    swept = 0
    with transaction.atomic():
        states.lock_rows(page)
        chosen = OutboundMessage.objects.filter(pk__in=page, state=OutboundState.QUEUED)
        changes: Mapping[str, Any] = {"code": "CAMPAIGN_CANCELLED", "waiting_for": ""}
        swept += chosen.filter(outcome_open=True).update(state=OutboundState.PARKED, **changes)
        swept += chosen.filter(outcome_open=False).update(state=OutboundState.CANCELLED, final_at=now, **changes)
    return swept


def _move(
    campaign: Campaign,
    verb: str,
    *,
    origins: tuple[CampaignState, ...],
    to: CampaignState,
    changes: Mapping[str, Any],
    now: datetime,
) -> None:
    with transaction.atomic():
        locks.wait_longer(7)  # whoever cuts a snapshot's ranges has the row
        moved = transitions.move_one(campaign, origins=origins, to=to, changes={**changes, "updated_at": now})
    if not moved:
        raise _wrong_state(campaign, verb)


def _wrong_state(campaign: Campaign, verb: str) -> WrongState:
    state = CampaignState(campaign.state).label.lower()
    return WrongState(
        "wrong_state",
        f"Cannot {verb} this campaign: it is {state}.",
        field="state",
        value=campaign.state,
        cure="Reload to see what can be done now.",
    )


def _missing(field: str, cure: str) -> Invalid:
    return Invalid("missing", "This is not chosen yet.", field=field, cure=cure)
