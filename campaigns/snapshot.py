"""The snapshot of a campaign: one ledger row per person of its audience, made by INSERT … SELECT in id ranges.

The audience is cut into ranges first. Whoever takes a range has its row, makes the people's rows and takes it away
in one transaction, whose last statement asks whether the campaign is still being prepared: so any number of hands,
in any number of processes, make everybody's row once, and what a pause overtook is undone. On PostgreSQL two are at
work, for what takes the time is one backend's work.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F, QuerySet

from campaigns import audience, lanes, sender_choice
from campaigns.models import Campaign, CampaignState, Sender, SnapshotRange
from contacts.models import Contact
from smsdesk import clusters, failpoints, locks
from smsdesk.errors import Invalid

log = structlog.get_logger(__name__)

RANGE = 10_000  # contacts per statement
AHEAD = 20  # ranges cut at once
BETWEEN = 0.02  # seconds after a range in which other writers get SQLite
_WORK = 8_417_023  # of PostgreSQL's advisory locks: one process takes a snapshot, others have more to do


def take(campaign: Campaign, *, now: datetime) -> None:
    """Queue everybody; `prepared_at` then says that it is done. Safe to repeat, to interrupt and to do at once.

    Ends early where the campaign is paused or cancelled, another process is at it, or this cluster is to stop.
    Raises `Invalid` where a segment's rule can no longer be followed.
    """
    with locks.only_here(_WORK, campaign.pk) as is_mine:
        if is_mine:
            _take_all(campaign, now=now)  # what an earlier attempt has cut
            while cut(campaign, now=now):
                _take_all(campaign, now=now)


def cut(campaign: Campaign, *, now: datetime) -> bool:
    """Cut the next ranges of its audience; where nobody is left and every range is taken, it is prepared."""
    if clusters.is_stopping():
        return False
    for sender in sender_choice.senders(campaign):
        lanes.ensure(sender)  # a person's row names one
    with transaction.atomic():
        fresh = (
            Campaign.objects.select_for_update(no_key=True)
            .filter(pk=campaign.pk, state=CampaignState.PREPARING)
            .first()
        )
        if fresh is None:
            return False
        audience.refuse_broken(fresh.frozen_rules or {})
        found: list[SnapshotRange] = []
        low = max(fresh.cut_through or 0, fresh.prepared_through)
        while len(found) < AHEAD and (high := audience.end_of_range(fresh, low, size=RANGE)) is not None:
            found.append(SnapshotRange(campaign=fresh, low=low, high=high))
            low = high
        own = Campaign.objects.filter(pk=fresh.pk)
        if found:
            SnapshotRange.objects.bulk_create(found)
            own.update(cut_through=low, audience_at=fresh.audience_at or now)
        elif not fresh.ranges.exists():
            own.update(prepared_at=now)
    return bool(found)


def take_range(campaign: Campaign, *, now: datetime) -> bool:
    """Queue the people of a range that nobody else is at; False where there is none, or the campaign was moved on.

    A person who has a row keeps that one. Raises `Invalid` as `take` does.
    """
    with transaction.atomic():
        ranges = SnapshotRange.objects.filter(campaign=campaign, campaign__state=CampaignState.PREPARING)
        one = ranges.select_for_update(of=("self",), skip_locked=True).order_by("low").first()
        if one is None:
            return False
        fresh = Campaign.objects.get(pk=campaign.pk)
        audience.refuse_broken(fresh.frozen_rules or {})
        wanted, made = _insert(fresh, low=one.low, high=one.high, now=now)
        one.delete()
        # At the end, so that a pause waits for a commit and not for ten thousand rows.
        is_wanted = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.PREPARING).update(
            audience_size=F("audience_size") + made, duplicates=F("duplicates") + wanted - made
        )
        transaction.set_rollback(not is_wanted)
    return bool(is_wanted)


def _take_all(campaign: Campaign, *, now: datetime) -> None:
    def work() -> None:
        while not clusters.is_stopping() and take_range(campaign, now=now):
            failpoints.hit("launch.between_ranges")
            if connection.vendor != "postgresql":
                time.sleep(BETWEEN)

    if campaign.ranges.count() > 1:
        _by_two_hands(work)
    else:
        work()


def _by_two_hands(work: Callable[[], None]) -> None:
    """Do it here, and on PostgreSQL also on a second connection; raises what failed here, or else there."""
    # Inside a transaction another connection would see another state; SQLite has one writer at a time.
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        work()
        return
    failures: list[BaseException] = []

    def beside() -> None:
        try:
            work()
        except BaseException as failure:
            log.exception("second_hand_failed")
            failures.append(failure)
        finally:
            connection.close()

    other = threading.Thread(target=beside, name="second-hand", daemon=True)
    other.start()
    try:
        work()
    finally:
        other.join()
    if failures:
        raise failures[0]


def _insert(campaign: Campaign, *, low: int, high: int, now: datetime) -> tuple[int, int]:
    """(people of the range, rows made): fewer rows where somebody has one already."""
    if campaign.sender is None or campaign.brand_id is None:
        raise Invalid("no_sender", "A campaign needs a brand and a sender.", field="sender")
    people = audience.range_of(campaign, at=campaign.audience_at or now, low=low, high=high)
    try:
        source, parameters = _with_lanes(people, campaign, campaign.sender)
    except EmptyResultSet:
        return 0, 0
    adapt = connection.ops.adapt_datetimefield_value
    first = [
        *(campaign.purpose, campaign.brand_id, campaign.pk),
        *(adapt(campaign.send_at or now), adapt(campaign.send_by) if campaign.send_by else None),
        *(False, adapt(now)),
    ]
    wanted = people.count()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_outboundmessage (public_id, kind, purpose, brand_id, campaign_id, contact_id, "
            "subscriber_key, phone, sender_id, lane_id, priority, state, due_at, send_by, waiting_for, code, text, "
            "compliance_kind, body, encoding, submit_no, attempts, gateway_id, outcome_open, error_code, "
            f"error_class, created_at) SELECT {_new_id()}, 'campaign', %s, %s, %s, c.id, "
            "c.subscriber_key, c.phone, l.sender_id, "
            "l.id, 50, 'queued', %s, %s, '', '', '', '', '', '', 0, 0, '', %s, '', '', %s "
            # Sorted as the two largest indexes are: each of their pages is gone to once, in turn.
            f"FROM {source} ORDER BY c.subscriber_key ON CONFLICT (campaign_id, subscriber_key) "
            "WHERE campaign_id IS NOT NULL AND kind = 'campaign' DO NOTHING",
            [*first, *parameters],
        )
        return wanted, cursor.rowcount


def _with_lanes(people: "QuerySet[Contact]", campaign: Campaign, own: Sender) -> tuple[str, list[Any]]:
    """SQL of the people (c), each with the lane of their sender (l), and its parameters."""
    which = sender_choice.of_contacts(campaign)
    if which is None:
        chosen, parameters = people.values_list("id", "subscriber_key", "phone").query.sql_with_params()
        lane = "l.sender_id = %s AND l.number = c.id %% %s"
        return f"({chosen}) AS c JOIN campaigns_lane l ON {lane}", [*parameters, own.pk, own.lanes.count()]
    routed = people.annotate(sent_from=which).values_list("id", "subscriber_key", "phone", "sent_from")
    chosen, parameters = routed.query.sql_with_params()
    return (
        # Materialized, or the choice would be worked out anew wherever it is named.
        f"(WITH chosen AS MATERIALIZED ({chosen}) SELECT * FROM chosen) AS c "
        "JOIN (SELECT sender_id, COUNT(*) AS lanes FROM campaigns_lane GROUP BY sender_id) AS n "
        "ON n.sender_id = c.sent_from "
        "JOIN campaigns_lane l ON l.sender_id = c.sent_from AND l.number = c.id %% n.lanes",
        [*parameters],
    )


def _new_id() -> str:
    """SQL of a public id that begins with the time (UUIDv7), so that neighbours stand together in its index."""
    if connection.vendor == "postgresql":
        moment = "lpad(to_hex((extract(epoch FROM statement_timestamp()) * 1000)::bigint), 12, '0')"
        begin = f"(SELECT substr({moment}, 1, 8) || '-' || substr({moment}, 9) || '-7')"  # worked out once for all
        return f"({begin} || substr(gen_random_uuid()::text, 16))::uuid"
    moment = "printf('%%012x', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))"
    return f"{moment} || '7' || substr(lower(hex(randomblob(16))), 14)"
