"""Which sender each person of a campaign is sent from: decided once, in SQL, when their row of the ledger is made.

By the country of their number: the senders that name it share its people (a pool), and the campaign's own sender
serves all others. In a pool a person stays with the sender that last texted them. Who was never texted from one of
it is given to one by contact id, each getting as many as its rate is of the pool's, so that all end together.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    OuterRef,
    Prefetch,
    Subquery,
    Value,
    When,
    prefetch_related_objects,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import LessThan

from campaigns import states
from campaigns.models import Campaign, CampaignSender, OutboundMessage, Sender
from contacts.models import Contact


@dataclass(frozen=True, slots=True)
class Pairs:
    """SQL of campaigns (alias c) beside their senders: what to select from, and the sender's id there."""

    source: str
    sender: str


# Together every campaign with each of its senders, once: a second time would bring the same rows into a batch
# again. Two, because PostgreSQL goes from a lane to its campaigns by an index in each, and not in a union of them.
PAIRS = (
    Pairs("campaigns_campaign c", "c.sender_id"),
    Pairs(
        "campaigns_campaignsender f "
        "JOIN campaigns_campaign c ON c.id = f.campaign_id AND c.sender_id <> f.sender_id",
        "f.sender_id",
    ),
)


def of_any(sender: str, *, where: str) -> str:
    """SQL whether this sender (SQL of its id) has a campaign (alias c) of which `where` holds."""
    return " OR ".join(
        f"EXISTS (SELECT 1 FROM {pairs.source} WHERE {pairs.sender} = {sender} AND {where})" for pairs in PAIRS
    )


_AROUND = 2**32
# 2**32 divided by the golden ratio: ids in a row, and every second or fifth of them, fall evenly around the circle.
# The lane is the id modulo the number of lanes, so no sender's people crowd on some of its lanes.
_STEP = 2_654_435_769


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a sender of a campaign sends: to the countries it names and, where it `serves_rest`, to all unnamed."""

    sender: Sender | None
    countries: tuple[str, ...]
    serves_rest: bool
    named: frozenset[str]  # by any sender of the campaign

    def includes(self, country: str) -> bool:
        return country in self.countries or (self.serves_rest and country not in self.named)


def reaches(campaign: Campaign) -> list[Reach]:
    """Of its own sender first (None where there is none yet), then of the further ones by id."""
    found = further(campaign)
    named = frozenset(country for row in found for country in row.countries)
    own = next((tuple(row.countries) for row in found if row.sender_id == campaign.sender_id), ())
    return [
        Reach(campaign.sender, own, True, named),
        *(
            Reach(row.sender, tuple(row.countries), False, named)
            for row in found
            if row.sender_id != campaign.sender_id
        ),
    ]


def senders(campaign: Campaign) -> list[Sender]:
    """In the same order, each once."""
    return [reach.sender for reach in reaches(campaign) if reach.sender is not None]


def gateways(campaign: Campaign) -> dict[int, str]:
    """By sender id the kind of its gateway."""
    return {sender.pk: sender.account.kind for sender in senders(campaign)}


def further(campaign: Campaign) -> list[CampaignSender]:
    """With their senders; read once for this object, or with many campaigns at once (`rows`)."""
    prefetch_related_objects([campaign], rows())
    return list(campaign.further_senders.all())


def rows() -> "Prefetch[Any]":
    """For `prefetch_related` of campaigns."""
    found = CampaignSender.objects.select_related("sender__account", "sender__brand").order_by("sender_id")
    return Prefetch("further_senders", queryset=found)


def of_contacts(campaign: Campaign) -> Combinable | None:
    """SQL of the id of the sender a `Contact` gets; None where all get the campaign's own."""
    pools = _pools(further(campaign))
    if not pools:
        return None
    return Case(
        *(When(country__in=sorted(countries), then=_of_pool(pool)) for pool, countries in pools.items()),
        default=Value(campaign.sender_id),
        output_field=BigIntegerField(),
    )


def of_contact(campaign: Campaign, contact: Contact | None) -> Sender | None:
    """Whom this person would be texted by; nobody: the campaign's own sender."""
    which = of_contacts(campaign)
    if contact is None or which is None:
        return campaign.sender
    chosen = Contact.objects.filter(pk=contact.pk).values_list(which, flat=True).first()
    return next((one for one in senders(campaign) if one.pk == chosen), campaign.sender)


def _pools(serving: Sequence[CampaignSender]) -> Mapping[tuple[Sender, ...], set[str]]:
    """The countries each pool serves; its senders in the order of their ids."""
    by_country: defaultdict[str, list[Sender]] = defaultdict(list)
    for row in serving:
        for country in sorted(set(row.countries)):
            by_country[country].append(row.sender)
    pools: defaultdict[tuple[Sender, ...], set[str]] = defaultdict(set)
    for country, pool in by_country.items():
        pools[tuple(pool)].add(country)
    return pools


def _of_pool(pool: Sequence[Sender]) -> Combinable:
    if len(pool) == 1:
        return Value(pool[0].pk)
    # The index of a phone's messages, read from its end.
    texted = OutboundMessage.objects.filter(
        states.LEFT, subscriber_key=OuterRef("subscriber_key"), sender__in=[one.pk for one in pool]
    ).order_by("-pk")
    last = Subquery(texted.values("sender_id")[:1], output_field=BigIntegerField())
    return Coalesce(last, _share(pool), output_field=BigIntegerField())


def _share(pool: Sequence[Sender]) -> Combinable:
    """By the person's place on a circle of which each sender has its part."""
    place = (Cast("pk", BigIntegerField()) % 2**31) * _STEP % _AROUND  # below 2**63, whatever the id is
    total = sum(one.parts_per_second for one in pool)
    ends = accumulate(one.parts_per_second for one in pool[:-1])
    return Case(
        *(
            When(LessThan(place, round(end / total * _AROUND)), then=Value(one.pk))
            for one, end in zip(pool, ends, strict=False)
        ),
        default=Value(pool[-1].pk),
        output_field=BigIntegerField(),
    )
