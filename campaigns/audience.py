"""The audience of a campaign and its snapshot: one ledger row per person, made by INSERT … SELECT in id ranges."""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from campaigns import lanes
from campaigns.models import Campaign, CampaignState
from contacts.models import Contact, ListMembership
from smsdesk.errors import Invalid

RANGE = 20_000  # contacts per statement


def contacts_of(campaign: Campaign) -> "QuerySet[Contact]":
    """Members of an included list who are on no excluded one."""
    memberships = ListMembership.objects.filter(contact=OuterRef("pk"))
    included = memberships.filter(list__in=campaign.include.all())
    excluded = memberships.filter(list__in=campaign.exclude.all())
    return Contact.objects.filter(Exists(included)).exclude(Exists(excluded))


def take_range(campaign: Campaign, *, now: datetime) -> bool:
    """Queue the next 20,000 people; True when nothing is left to do here. Safe to repeat and to interrupt.

    `prepared_at` says that everybody has a row.

    The range moves in the same commit as its rows, and a person who has a row keeps that one.
    """
    assert campaign.sender is not None  # launch refuses a campaign without sender
    lanes.ensure(campaign.sender)
    with transaction.atomic():
        fresh = (
            Campaign.objects.select_for_update(no_key=True)
            .filter(pk=campaign.pk, state=CampaignState.PREPARING)
            .first()
        )
        if fresh is None:
            return True  # paused, cancelled, or another process was faster
        low = fresh.prepared_through
        high = _end_of_range(fresh, low)
        if high is None:
            Campaign.objects.filter(pk=campaign.pk).update(prepared_at=now)
            return True
        wanted, made = _insert(fresh, low=low, high=high, now=now)
        Campaign.objects.filter(pk=campaign.pk).update(
            prepared_through=high,
            audience_size=fresh.audience_size + made,
            duplicates=fresh.duplicates + wanted - made,
        )
    return False


def _end_of_range(campaign: Campaign, low: int) -> int | None:
    """The contact id at which the next range ends; None: nobody is left."""
    ahead = (
        ListMembership.objects.filter(list__in=campaign.include.all(), contact_id__gt=low)
        .order_by("contact_id")
        .values_list("contact_id", flat=True)
    )
    end = list(ahead[RANGE - 1 : RANGE]) or list(ahead.reverse()[:1])
    return end[0] if end else None


def _insert(campaign: Campaign, *, low: int, high: int, now: datetime) -> tuple[int, int]:
    """(people of the range, rows made): fewer rows where somebody has one already."""
    if campaign.sender is None or campaign.brand_id is None:
        raise Invalid("no_sender", "A campaign needs a brand and a sender.", field="sender")
    new_id = "gen_random_uuid()" if connection.vendor == "postgresql" else "lower(hex(randomblob(16)))"
    member = "EXISTS (SELECT 1 FROM contacts_listmembership m WHERE m.contact_id = c.id AND m.list_id IN ({}))"
    include = list(campaign.include.values_list("pk", flat=True))
    exclude = list(campaign.exclude.values_list("pk", flat=True))
    who = f"c.id > %s AND c.id <= %s AND {member.format(', '.join(['%s'] * len(include)))}"
    if exclude:
        who += f" AND NOT {member.format(', '.join(['%s'] * len(exclude)))}"
    parameters = [low, high, *include, *exclude]
    adapt = connection.ops.adapt_datetimefield_value
    first = [
        *(campaign.purpose, campaign.brand_id, campaign.pk, campaign.sender_id),
        *(adapt(campaign.send_at or now), adapt(campaign.send_by) if campaign.send_by else None),
        *(False, adapt(now), campaign.sender_id, campaign.sender.lanes.count()),
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM contacts_contact c WHERE {who}", parameters)
        wanted = cursor.fetchone()[0]
        cursor.execute(
            "INSERT INTO campaigns_outboundmessage (public_id, kind, purpose, brand_id, campaign_id, contact_id, "
            "subscriber_key, phone, sender_id, lane_id, priority, state, due_at, send_by, waiting_for, code, text, "
            "compliance_kind, body, encoding, submit_no, attempts, gateway_id, outcome_open, error_code, "
            f"error_class, created_at) SELECT {new_id}, 'campaign', %s, %s, %s, c.id, c.subscriber_key, c.phone, "
            "%s, "
            "l.id, 50, 'queued', %s, %s, '', '', '', '', '', '', 0, 0, '', %s, '', '', %s "
            "FROM contacts_contact c JOIN campaigns_lane l ON l.sender_id = %s AND l.number = c.id %% %s "
            f"WHERE {who} ORDER BY c.id ON CONFLICT DO NOTHING",
            [*first, *parameters],
        )
        return wanted, cursor.rowcount
