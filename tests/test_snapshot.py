"""The snapshot by two hands at once: everybody once, and the counts right, whatever breaks off in between."""

import pytest
from django.db import connection

from campaigns import lifecycle, snapshot
from campaigns.models import CampaignState, OutboundMessage
from smsdesk import failpoints
from tests import factories
from tests.factories import NOW

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, so one hand"),
    pytest.mark.django_db(transaction=True),
]
PEOPLE = 11


@pytest.fixture
def campaign(monkeypatch):
    """Of eleven people in ranges of three, about to be prepared."""
    monkeypatch.setattr(snapshot, "RANGE", 3)
    made = factories.campaign(factories.contact_list(*(factories.contact() for _ in range(PEOPLE))))
    lifecycle.launch(made, by=None, now=NOW)
    lifecycle.start_due(now=NOW)
    made.refresh_from_db()
    return made


def rows_of(campaign):
    return OutboundMessage.objects.filter(campaign=campaign)


def finish(campaign):
    while not snapshot.take_ranges(campaign, now=NOW):
        pass
    campaign.refresh_from_db()


def test_two_ranges_are_made_at_once_and_everybody_has_a_row(campaign):
    assert not snapshot.take_ranges(campaign, now=NOW)
    assert rows_of(campaign).count() == 2 * snapshot.RANGE
    finish(campaign)
    assert rows_of(campaign).values("contact").distinct().count() == PEOPLE
    assert (campaign.audience_size, campaign.duplicates) == (PEOPLE, 0)


def test_what_one_hand_made_before_the_other_broke_off_is_counted_once(campaign, monkeypatch):
    """As after a kill: the second range is there, the campaign's place is not."""

    def break_off(name):
        if name == "launch.before_ranges_commit":
            raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "hit", break_off)
        with pytest.raises(RuntimeError, match="killed"):
            snapshot.take_ranges(campaign, now=NOW)
    campaign.refresh_from_db()
    assert (rows_of(campaign).count(), campaign.prepared_through) == (snapshot.RANGE, 0)
    finish(campaign)
    assert rows_of(campaign).values("contact").distinct().count() == rows_of(campaign).count() == PEOPLE
    assert (campaign.audience_size, campaign.duplicates) == (PEOPLE, 0)


def test_a_hand_that_fails_leaves_the_campaigns_place_where_it_was(campaign, monkeypatch):
    real = snapshot._insert

    def insert(one, *, low, high, now):
        if low:
            raise RuntimeError("its connection was cut")
        return real(one, low=low, high=high, now=now)

    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "_insert", insert)
        with pytest.raises(RuntimeError, match="cut"):
            snapshot.take_ranges(campaign, now=NOW)
    assert not rows_of(campaign).exists()
    finish(campaign)
    assert (campaign.state, campaign.audience_size) == (CampaignState.PREPARING, PEOPLE)
