"""The snapshot of a campaign: one ledger row per person of its audience, made by INSERT … SELECT in id ranges."""

from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns import audience, lanes, sender_choice
from campaigns.models import Campaign, CampaignState, Sender
from contacts.models import Contact
from smsdesk.errors import Invalid

RANGE = 10_000  # contacts per statement: a pause waits for it


def take_range(campaign: Campaign, *, now: datetime) -> bool:
    """Queue the next 10,000 people; True when nothing is left to do here. Safe to repeat and to interrupt.

    `prepared_at` says that everybody has a row.

    The range moves in the same commit as its rows, and a person who has a row keeps that one. Raises `Invalid`
    where a segment's rule can no longer be followed.
    """
    for sender in sender_choice.senders(campaign):
        lanes.ensure(sender)
    with transaction.atomic():
        fresh = (
            Campaign.objects.select_for_update(no_key=True, skip_locked=True)  # nobody queues up to do it once more
            .filter(pk=campaign.pk, state=CampaignState.PREPARING)
            .first()
        )
        if fresh is None:
            return True  # paused, cancelled, or another process was faster
        audience.refuse_broken(fresh.frozen_rules or {})
        low = fresh.prepared_through
        high = audience.end_of_range(fresh, low, size=RANGE)
        if high is None:
            Campaign.objects.filter(pk=campaign.pk).update(prepared_at=now)
            return True
        fresh.audience_at = fresh.audience_at or now
        wanted, made = _insert(fresh, low=low, high=high, now=now)
        Campaign.objects.filter(pk=campaign.pk).update(
            prepared_through=high,
            audience_at=fresh.audience_at,
            audience_size=fresh.audience_size + made,
            duplicates=fresh.duplicates + wanted - made,
        )
    return False


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
            f"FROM {source} "
            "ORDER BY c.id ON CONFLICT (campaign_id, subscriber_key) "
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
