"""A campaign's counts say what its messages say, whoever moved them and however they were summed."""

from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import counting, reports
from campaigns.models import CampaignCount, OutboundMessage
from tests import racing, sending_rig

pytestmark = pytest.mark.django_db


def counted() -> Counter:
    found: Counter = Counter()
    for row in CampaignCount.objects.all():
        found[row.campaign_id, row.state, row.code, row.waiting_for] += row.messages
    return +found


def in_the_ledger() -> Counter:
    rows = OutboundMessage.objects.filter(kind="campaign", campaign__isnull=False)
    return Counter(rows.values_list("campaign_id", "state", "code", "waiting_for"))


def test_each_step_of_a_batch_is_counted():
    campaign = sending_rig.campaign(4)
    assert counted() == in_the_ledger()
    won, work, submitted = sending_rig.submit(campaign.sender)
    assert counted() == in_the_ledger()
    sending_rig.record(won, work, submitted)
    assert counted() == in_the_ledger()
    assert reports.figures(campaign, now=timezone.now()).taken == 4


def test_summing_changes_no_figure():
    campaign = sending_rig.campaign(4)
    sending_rig.record(*sending_rig.submit(campaign.sender))
    campaign.messages.filter(pk=campaign.messages.first().pk).update(state="delivered", replied_at=timezone.now())
    now = timezone.now()
    before = reports.figures(campaign, now=now), reports.over_time(campaign), reports.totals([campaign.pk])

    counting.total()
    counting.total()

    assert (
        reports.figures(campaign, now=now),
        reports.over_time(campaign),
        reports.totals([campaign.pk]),
    ) == before
    assert not CampaignCount.objects.filter(is_summed=False).exists()
    assert before[0].delivered == before[0].replied == 1


def test_what_is_taken_away_is_not_counted_any_more():
    campaign = sending_rig.campaign(3)
    counting.total()
    campaign.messages.first().delete()
    campaign.messages.filter(pk=campaign.messages.first().pk).update(kind="test")
    assert counted() == in_the_ledger() == Counter({(campaign.pk, "queued", "", ""): 1})


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_many_who_sum_at_once_count_nothing_twice():
    sending_rig.campaign(5)
    sending_rig.campaign(5)
    assert racing.at_once(*[counting.total] * 6) == []
    assert counted() == in_the_ledger()
    assert CampaignCount.objects.count() == 2
