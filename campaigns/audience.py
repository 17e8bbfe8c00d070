"""The audience of a campaign: who is on its lists or in its segments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, prefetch_related_objects

from campaigns.models import Campaign
from contacts.models import Contact, ListMembership
from contacts.segments import joining, rules

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
    refuse_broken(frozen)
    return frozen


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


def refuse_broken(frozen: dict[str, list[Any]]) -> None:
    for rule in (rule for chosen in frozen.values() for rule in chosen):
        rules.refuse_missing(rule)


def end_of_range(campaign: Campaign, low: int, *, size: int) -> int | None:
    """The contact id at which the next range of about `size` ends; None: nobody is left."""
    if rules_of(campaign, INCLUDED[1]):  # anybody may fit
        ahead = Contact.objects.filter(pk__gt=low).values_list("pk", flat=True).order_by("pk")
        end = list(ahead[size - 1 : size]) or list(ahead.reverse()[:1])
        return end[0] if end else None
    members = ListMembership.objects.filter(list__in=campaign.include.all(), contact_id__gt=low)
    listed = members.values_list("contact_id", flat=True).order_by("contact_id")
    end = list(listed[size - 1 : size]) or list(listed.reverse()[:1])
    return end[0] if end else None
