"""The waterfall: every person of an audience counted once, by the judge that sends."""

from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns import ranges, waterfall
from campaigns.models import CampaignState, OutboundMessage
from contacts import consent
from contacts.models import ConsentSource, Contact
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def counted(campaign, *, now=NOW):
    return waterfall.advance(waterfall.begin(campaign, now=now), campaign, now=now, seconds=60)


def test_each_person_is_counted_once_for_one_reason():
    sender = factories.sender()
    ready = factories.opted_in(sender.brand)
    stopped = factories.opted_in(sender.brand)
    consent.opt_out(stopped, brand=sender.brand, source=ConsentSource.TEXT, occurred_at=NOW, now=NOW)
    stranger = factories.contact()
    excluded = factories.opted_in(sender.brand)
    campaign = factories.campaign(
        factories.contact_list(ready, stopped, excluded),
        factories.contact_list(ready, stranger),
        sender=sender,
    )
    campaign.exclude.set([factories.contact_list(excluded)])
    tally = counted(campaign)
    assert tally.is_done
    assert (tally.memberships, tally.on_lists, tally.audience, tally.examined) == (5, 4, 3, 3)
    assert tally.blocked == {"SUPPRESSED": 1, "NO_CONSENT": 1}
    assert (tally.will_send, tally.waiting) == (1, {})
    lines = {row.code: (row.count, row.of) for row in waterfall.rows(tally) if row.code}
    assert lines == {
        "DUPLICATE": (1, 5),
        "EXCLUDED": (1, 4),
        "SUPPRESSED": (1, 3),
        "NO_CONSENT": (1, 3),
        "OK": (1, 3),
    }


def test_quiet_hours_are_a_wait_with_its_time():
    sender = factories.sender()
    campaign = factories.campaign(factories.contact_list(factories.opted_in(sender.brand)), sender=sender)
    tally = counted(campaign, now=NOW + timedelta(hours=12))
    assert tally.waiting == {"QUIET_HOURS": 1}
    (wait,) = waterfall.waits(tally)
    assert wait.earliest == wait.latest > NOW + timedelta(hours=12)


def test_the_schedule_moves_the_instant_that_is_judged():
    sender = factories.sender()
    people = factories.contact_list(factories.opted_in(sender.brand))
    campaign = factories.campaign(people, sender=sender, send_at=NOW + timedelta(hours=12))
    assert counted(campaign).waiting == {"QUIET_HOURS": 1}
    campaign = factories.campaign(
        people, sender=sender, send_at=NOW + timedelta(hours=12), send_by=NOW + timedelta(hours=13)
    )
    assert counted(campaign).blocked == {"TOO_LATE": 1}


def test_an_empty_field_is_counted_with_its_name():
    sender = factories.sender()
    people = factories.contact_list(factories.opted_in(sender.brand, name="Ana"), factories.opted_in(sender.brand))
    campaign = factories.campaign(people, sender=sender, body="{{ brand }}: Hi {{ first_name }}. Reply STOP to end")
    tally = counted(campaign)
    assert tally.blocked == {"FIELD_EMPTY": 1}
    assert tally.missing == {"first_name": 1}
    assert tally.will_send == 1


def test_parts_and_the_longest_text_are_found():
    sender = factories.sender()
    short = factories.opted_in(sender.brand, name="Al")
    long = factories.opted_in(sender.brand, name="A" * 110)
    body = "{{ brand }}: {{ name }}, ten percent off until Sunday. Reply STOP to opt out"
    campaign = factories.campaign(factories.contact_list(short, long), sender=sender, body=body)
    tally = counted(campaign)
    assert tally.parts == {"1": 1, "2": 1}
    assert tally.longest_contact == long.pk


def test_a_text_that_names_no_brand_is_blocked_for_everybody():
    sender = factories.sender()
    people = factories.contact_list(factories.opted_in(sender.brand))
    campaign = factories.campaign(people, sender=sender, body="Ten percent off. Reply STOP")
    assert counted(campaign).blocked == {"CONTENT_NO_BRAND": 1}


def test_without_a_text_people_are_judged_all_the_same():
    sender = factories.sender()
    people = factories.contact_list(factories.opted_in(sender.brand), factories.contact())
    tally = counted(factories.campaign(people, sender=sender, body=""))
    assert (tally.will_send, tally.blocked, tally.parts) == (1, {"NO_CONSENT": 1}, {})


def test_a_large_audience_is_counted_in_runs_that_add_up(monkeypatch, admin_client):
    monkeypatch.setattr(ranges, "SIZE", 2)
    monkeypatch.setattr(waterfall, "AT_ONCE", 3)
    monkeypatch.setattr("campaigns.views.SECONDS_AT_ONCE", 0)
    sender = factories.sender()
    people = factories.contact_list(*(factories.contact() for _ in range(5)))
    campaign = factories.campaign(people, sender=sender)
    page = reverse("admin:campaigns_campaign_waterfall", args=[campaign.pk])
    seen = []
    for _ in range(4):
        seen.append(admin_client.get(page).content.decode())
    assert "Counted 2 of 5 so far" in seen[0]
    assert "Counted 4 of 5 so far" in seen[1]
    assert "5 of 5" in seen[2]
    assert "so far" not in seen[2]
    assert "5 of 5" in seen[3]


def test_the_waterfall_needs_few_queries_whatever_the_number(django_assert_max_num_queries):
    sender = factories.sender()
    people = factories.contact_list(*(factories.contact() for _ in range(30)))
    campaign = factories.campaign(people, sender=sender)
    counted(campaign)
    with django_assert_max_num_queries(13):
        counted(campaign)


def test_counting_changes_nothing():
    sender = factories.sender()
    campaign = factories.campaign(factories.contact_list(factories.opted_in(sender.brand)), sender=sender)
    before = Contact.objects.values_list().get(), campaign.state
    counted(campaign)
    campaign.refresh_from_db()
    assert (Contact.objects.values_list().get(), campaign.state) == before
    assert campaign.state == CampaignState.DRAFT
    assert not OutboundMessage.objects.exists()


def test_a_text_that_is_allowed_in_one_country_is_no_example_for_those_of_another():
    """Links are refused in the Emirates; a text without one is not, whatever people elsewhere are sent."""
    sender = factories.sender(kind="short_code", value="36000", registered_in=["AE"])
    andorran = factories.opted_in(sender.brand, phone="+376312345", name="www.acme.example/x")
    emirati = factories.opted_in(sender.brand, phone="+971501234567", name="Bo")
    body = "{{ brand }}: {{ name }}, 10 % off. Reply STOP to opt out"
    campaign = factories.campaign(factories.contact_list(andorran, emirati), sender=sender, body=body)
    assert "CONTENT_LINK_NOT_ALLOWED" not in counted(campaign).blocked
