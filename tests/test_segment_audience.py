"""Campaigns to segments: one audience for waterfall and snapshot, frozen at launch, asked as of one instant."""

import itertools
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import ProtectedError

from campaigns import audience, drafting, lifecycle, snapshot, waterfall
from campaigns.models import CampaignState, OutboundMessage
from contacts.segments import keeping
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def condition(kind, operator, **values):
    return {"kind": kind, "operator": operator, **values}


def segment(*conditions, name="Segment", match="all"):
    return keeping.add(name=name, rule={"match": match, "conditions": list(conditions)}, by=None)


def texans(**over):
    return segment(condition("region", "is_any_of", values=["TX"]), **over)


def prepared(campaign, *, now=NOW):
    lifecycle.launch(campaign, by=None, now=now)
    lifecycle.start_due(now=now)
    lifecycle.prepare_due(now=now)
    campaign.refresh_from_db()
    return recipients(campaign)


def recipients(campaign):
    return set(OutboundMessage.objects.filter(campaign=campaign).values_list("contact_id", flat=True))


def test_lists_and_segments_are_one_audience_and_the_excluded_are_left_out():
    texan, listed, both, gone = (factories.contact(region=region) for region in ("TX", "", "TX", "TX"))
    factories.contact(region="NY")
    campaign = factories.campaign(factories.contact_list(listed, both))
    campaign.include_segments.set([texans()])
    gone.name = "Gone"
    gone.save()
    campaign.exclude_segments.set([segment(condition("name", "is", value="gone"), name="Left")])
    tally = waterfall.begin(campaign, now=NOW)
    assert (tally.memberships, tally.on_lists, tally.audience) == (5, 4, 3)
    assert prepared(campaign) == {texan.pk, listed.pk, both.pk}
    assert campaign.audience_size == 3


def test_without_list_and_segment_nobody_is_in_the_audience():
    factories.contact()
    campaign = factories.campaign()
    campaign.exclude_segments.set([texans()])
    assert not audience.contacts_of(campaign, at=NOW).exists()
    assert "include" in {error.field for error in lifecycle.problems(campaign, now=NOW)}


def test_a_person_whose_field_is_empty_is_not_lost_between_include_and_exclude():
    nameless = factories.contact()
    campaign = factories.campaign(factories.contact_list(nameless))
    campaign.exclude_segments.set([segment(condition("external_id", "is", value="7"))])
    assert prepared(campaign) == {nameless.pk}


def test_the_snapshot_in_ranges_is_exact_and_goes_on_where_it_stopped(monkeypatch):
    monkeypatch.setattr(snapshot, "RANGE", 3)
    people = [factories.contact(region="TX" if number % 2 else "NY") for number in range(11)]
    campaign = factories.campaign()
    campaign.include_segments.set([texans()])
    lifecycle.launch(campaign, by=None, now=NOW)
    lifecycle.start_due(now=NOW)
    assert snapshot.cut(campaign, now=NOW)
    assert snapshot.take_range(campaign, now=NOW)
    assert 0 < len(recipients(campaign)) < 5
    snapshot.take(campaign, now=NOW + timedelta(hours=1))
    assert recipients(campaign) == {person.pk for person in people if person.region == "TX"}
    campaign.refresh_from_db()
    assert (campaign.audience_size, campaign.duplicates) == (5, 0)


def test_days_count_from_the_beginning_of_the_snapshot(monkeypatch):
    monkeypatch.setattr(snapshot, "RANGE", 1)
    people = [factories.contact(created_at=NOW - timedelta(days=7) + timedelta(hours=1)) for _ in range(2)]
    campaign = factories.campaign()
    campaign.include_segments.set([segment(condition("created", "in_last", days=7))])
    lifecycle.launch(campaign, by=None, now=NOW)
    lifecycle.start_due(now=NOW)
    later = NOW
    snapshot.cut(campaign, now=later)
    while snapshot.take_range(campaign, now=later):
        later += timedelta(hours=2)
    assert recipients(campaign) == {person.pk for person in people}


def test_who_fits_is_asked_when_the_campaign_begins():
    campaign = factories.campaign(send_at=NOW + timedelta(days=1))
    campaign.include_segments.set([texans()])
    lifecycle.launch(campaign, by=None, now=NOW)
    late = factories.contact(region="TX")
    lifecycle.start_due(now=NOW + timedelta(days=1))
    lifecycle.prepare_due(now=NOW + timedelta(days=1))
    assert recipients(campaign) == {late.pk}


def test_a_segment_changed_after_launch_changes_nothing_for_that_campaign():
    texan, _ = factories.contact(region="TX"), factories.contact(region="NY")
    chosen = texans()
    campaign = factories.campaign(send_at=NOW + timedelta(days=1))
    campaign.include_segments.set([chosen])
    lifecycle.launch(campaign, by=None, now=NOW)
    wider = {"match": "all", "conditions": [condition("region", "is_any_of", values=["NY"])]}
    keeping.change(chosen, values={"rule": wider})
    lifecycle.start_due(now=NOW + timedelta(days=1))
    lifecycle.prepare_due(now=NOW + timedelta(days=1))
    assert recipients(campaign) == {texan.pk}


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_list_deleted_after_launch_pauses_the_campaign_and_says_so(is_cut):
    vip = factories.contact_list(factories.contact())
    chosen = segment(condition("list", "on_none_of", lists=[vip.pk]))
    campaign = factories.campaign(send_at=NOW + timedelta(days=1))
    campaign.include_segments.set([chosen])
    lifecycle.launch(campaign, by=None, now=NOW)
    keeping.change(chosen, values={"rule": texans(name="Texans").rule})
    lifecycle.start_due(now=NOW + timedelta(days=1))
    if is_cut:
        snapshot.cut(campaign, now=NOW + timedelta(days=1))
    vip.delete()
    lifecycle.prepare_due(now=NOW + timedelta(days=1))
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.PAUSED
    assert "list that this rule names is not there" in campaign.paused_reason
    assert recipients(campaign) == set()


@pytest.mark.parametrize("name", ["include_segments", "exclude_segments"])
def test_a_segment_in_use_cannot_be_deleted(name):
    chosen = texans()
    getattr(factories.campaign(), name).set([chosen])
    with transaction.atomic(), pytest.raises(ProtectedError):
        chosen.delete()


def test_a_copy_goes_to_the_same_segments():
    campaign = factories.campaign()
    campaign.include_segments.set([texans()])
    campaign.exclude_segments.set([texans(name="Other")])
    copy = drafting.duplicate(campaign, by=factories.user())
    assert list(copy.include_segments.all()) == list(campaign.include_segments.all())
    assert list(copy.exclude_segments.all()) == list(campaign.exclude_segments.all())


def test_counting_starts_again_when_a_segment_is_changed():
    chosen = texans()
    campaign = factories.campaign()
    campaign.include_segments.set([chosen])
    before = waterfall.key(campaign)
    keeping.change(chosen, values={"description": "Changed"})
    assert waterfall.key(campaign) != before


def test_ranges_of_ids_put_together_are_the_audience():
    people = [factories.contact(region="TX" if number % 3 else "") for number in range(12)]
    campaign = factories.campaign(factories.contact_list(*people[::2]), factories.contact_list(*people[3:7]))
    campaign.include_segments.set([texans()])
    campaign.exclude.set([factories.contact_list(*people[1::5])])
    everybody = set(audience.contacts_of(campaign, at=NOW))
    cuts = [0, people[2].pk, people[7].pk, people[-1].pk]
    found = [set(audience.range_of(campaign, at=NOW, low=low, high=high)) for low, high in itertools.pairwise(cuts)]
    assert set().union(*found) == everybody
    assert sum(map(len, found)) == len(everybody) == 8
