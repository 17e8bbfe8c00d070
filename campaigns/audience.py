"""The audience of a campaign and its snapshot: one ledger row per person, made by INSERT … SELECT in id ranges."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, prefetch_related_objects

from campaigns import lanes, sender_choice
from campaigns.models import Campaign, CampaignState, Sender
from contacts.models import Contact, ListMembership
from contacts.segments import joining, rules
from smsdesk.errors import Invalid

RANGE = 20_000  # contacts per statement
INCLUDED, EXCLUDED = ("include", "include_segments"), ("exclude", "exclude_segments")


def contacts_of(campaign: Campaign, *, at: datetime) -> "QuerySet[Contact]":
    """Who is on an included list or fits an included segment at `at`, and neither for the excluded ones."""
    return _contacts_of(campaign, at=at, members=ListMembership.objects.all())


def range_of(campaign: Campaign, *, at: datetime, low: int, high: int) -> "QuerySet[Contact]":
    """Those of them with a contact id above `low` and up to `high`."""
    # Said of the places on lists too: PostgreSQL does not conclude it and reads the whole list for each range.
    members = ListMembership.objects.filter(contact_id__gt=low, contact_id__lte=high)
    return _contacts_of(campaign, at=at, members=members).filter(pk__gt=low, pk__lte=high)


def included(campaign: Campaign, *, at: datetime) -> "QuerySet[Contact]":
    """The audience before anybody is excluded."""
    return _included(campaign, at=at, members=ListMembership.objects.all())


def instant(campaign: Campaign, *, now: datetime) -> datetime:
    """As of when segments are asked: the snapshot's beginning, or while there is none the campaign's."""
    return campaign.audience_at or max(campaign.send_at or now, now)


def is_chosen(campaign: Campaign) -> bool:
    """Whether it goes to any list or segment."""
    return campaign.include.exists() or campaign.include_segments.exists()


def rules_of(campaign: Campaign, name: str) -> list[Any]:
    """The rules of its included or excluded segments: those it was launched with, else as they are now."""
    if campaign.frozen_rules is not None:
        return list(campaign.frozen_rules[name])
    return [segment.rule for segment in getattr(campaign, name).all()]


def freeze(campaign: Campaign) -> dict[str, list[Any]]:
    """The rules to launch it with; raises `Invalid` for one that can no longer be read."""
    frozen = {name: rules_of(campaign, name) for name in (INCLUDED[1], EXCLUDED[1])}
    _refuse_broken(frozen)
    return frozen


def take_range(campaign: Campaign, *, now: datetime) -> bool:
    """Queue the next 20,000 people; True when nothing is left to do here. Safe to repeat and to interrupt.

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
        _refuse_broken(fresh.frozen_rules or {})
        low = fresh.prepared_through
        high = end_of_range(fresh, low, size=RANGE)
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


def _contacts_of(campaign: Campaign, *, at: datetime, members: "QuerySet[ListMembership]") -> "QuerySet[Contact]":
    excluded = _ways(campaign, EXCLUDED, at=at, members=members)
    people = _included(campaign, at=at, members=members)
    return people.filter(joining.none_of(excluded)) if excluded else people


def _included(campaign: Campaign, *, at: datetime, members: "QuerySet[ListMembership]") -> "QuerySet[Contact]":
    ways = _ways(campaign, INCLUDED, at=at, members=members)
    return Contact.objects.filter(joining.any_of(ways)) if ways else Contact.objects.none()


def _ways(
    campaign: Campaign, names: Sequence[str], *, at: datetime, members: "QuerySet[ListMembership]"
) -> list[Q]:
    """On one of these lists, or in one of these segments: conditions, never NULL."""
    prefetch_related_objects([campaign], *INCLUDED, *EXCLUDED)
    lists, segments = names
    ways = [rules.where(rule, at=at) for rule in rules_of(campaign, segments)]
    keys = [one.pk for one in getattr(campaign, lists).all()]
    if keys:
        ways.insert(0, Q(Exists(members.filter(contact=OuterRef("pk"), list__in=keys))))
    return ways


def _refuse_broken(frozen: dict[str, list[Any]]) -> None:
    for rule in (rule for chosen in frozen.values() for rule in chosen):
        rules.refuse_missing(rule)


def end_of_range(campaign: Campaign, low: int, *, size: int = RANGE) -> int | None:
    """The contact id at which the next range of about `size` ends; None: nobody is left."""
    if rules_of(campaign, INCLUDED[1]):  # anybody may fit
        ahead = Contact.objects.filter(pk__gt=low).values_list("pk", flat=True).order_by("pk")
        end = list(ahead[size - 1 : size]) or list(ahead.reverse()[:1])
        return end[0] if end else None
    members = ListMembership.objects.filter(list__in=campaign.include.all(), contact_id__gt=low)
    listed = members.values_list("contact_id", flat=True).order_by("contact_id")
    end = list(listed[size - 1 : size]) or list(listed.reverse()[:1])
    return end[0] if end else None


def _insert(campaign: Campaign, *, low: int, high: int, now: datetime) -> tuple[int, int]:
    """(people of the range, rows made): fewer rows where somebody has one already."""
    if campaign.sender is None or campaign.brand_id is None:
        raise Invalid("no_sender", "A campaign needs a brand and a sender.", field="sender")
    people = range_of(campaign, at=campaign.audience_at or now, low=low, high=high)
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
