"""The page that says what is wrong and what to do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import diagnosis, vital_signs
from campaigns.models import Campaign, GatewayAccount, OutboundMessage, Priority
from smsdesk import clock, spool
from smsdesk.models import Heartbeat
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(tmp_path, settings, monkeypatch):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(vital_signs, "_kept", None)


@pytest.fixture
def signs():
    """Of a desk that is well: its worker beat a moment ago."""
    Heartbeat.objects.create(name="tick", beat_at=clock.database_now())
    return replace(vital_signs.take(), disk_free=50, disk_total=100)


def said(signs) -> list[str]:
    return [one.what for one in diagnosis.findings(signs)]


def ago(signs, **span):
    return signs.at - timedelta(**span)


def test_a_desk_that_is_well_has_no_findings(signs):
    assert said(signs) == []


def test_without_any_worker_that_is_said_first(signs):
    assert said(replace(signs, heartbeats={}, parked=3))[0] == "No worker has ever run here."


def test_a_silent_worker_is_told_with_its_silence(signs):
    silent = replace(signs, heartbeats={"tick": ago(signs, minutes=7)})
    assert said(silent) == ["No worker has shown progress for 7 minutes."]


def test_a_round_that_is_not_made_is_told_though_workers_send(signs):
    beats = {"tick": ago(signs, hours=3), "drain:here:1:2": signs.at}
    assert said(replace(signs, heartbeats=beats)) == ["The minute's round was last made 3 hours ago."]


def test_a_reply_that_waits_is_told_unless_its_account_is_stopped(signs):
    due = {**signs.due, Priority.URGENT: vital_signs.Due(2, ago(signs, seconds=61))}
    assert said(replace(signs, due=due)) == [
        "2 messages of the kind “Replies and compliance” wait, the oldest for 61 seconds."
    ]
    account = GatewayAccount(pk=1, name="Carrier", paused_at=signs.at, paused_reason="No money.")
    assert said(replace(signs, due=due, accounts=[account])) == ["Carrier is paused."]


def test_a_campaign_that_stands_still_is_told_with_its_name():
    campaign = sending_rig.campaign(2, name="Spring")
    Heartbeat.objects.create(name="tick", beat_at=clock.database_now())
    OutboundMessage.objects.update(due_at=clock.database_now() - timedelta(minutes=20))
    assert "The campaign “Spring” stands still." in said(vital_signs.take())
    Campaign.objects.filter(pk=campaign.pk).update(state="paused")
    assert "The campaign “Spring” stands still." not in said(vital_signs.take())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"held_reason": "It looks restored."}, "the desk is held"),
        ({"parked": 2}, "2 messages wait for your decision."),
        ({"unmatched_receipts": 4}, "4 receipts"),
        ({"disk_free": 2}, "98 % full"),
        ({"disk_free": 8}, "92 % full"),
        ({"clock_gap": -3_600.0}, "is 60 minutes behind the database's"),
        ({"spool": spool.Content(4_000, 0)}, "4 kB of receipts wait on the disk"),
        ({"spool": spool.Content(0, 2)}, "2 webhooks kept in an outage"),
        ({"counted_today": {"stop_drain_timeout": 1}}, "the answer to a STOP"),
        ({"counted_today": {"accepted_after_given_up": 1}}, "a gateway took a message"),
    ],
)
def test_each_trouble_is_told_with_a_cure(signs, change, words):
    (finding,) = diagnosis.findings(replace(signs, **change))
    assert words in finding.what
    assert finding.cure
    assert finding.why


def test_an_unknown_outcome_is_told_only_when_it_is_old(signs):
    unknown = replace(signs, unknown=3, oldest_unknown=ago(signs, minutes=5))
    assert said(unknown) == []
    assert "of the oldest for 20 minutes" in said(replace(unknown, oldest_unknown=ago(signs, minutes=20)))[0]


def test_the_page_is_for_those_who_may_and_shows_no_full_number():
    address = reverse("status")
    client = Client()
    assert client.get(address).status_code == 302
    client.force_login(factories.staff())
    assert client.get(address).status_code == 403
    client.force_login(factories.staff("smsdesk.view_heartbeat"))
    sending_rig.campaign(1)
    page = client.get(address).content.decode()
    assert "No worker has ever run here." in page
    assert "Act now" in page
    assert OutboundMessage.objects.get().phone not in page


def test_a_desk_that_is_well_is_told_so(signs, monkeypatch):
    monkeypatch.setattr(vital_signs, "read", lambda: signs)
    monkeypatch.setattr("campaigns.status_views._refused_settings", lambda: [])
    client = Client()
    client.force_login(factories.staff("smsdesk.view_heartbeat"))
    assert "Nothing needs you." in client.get(reverse("status")).content.decode()
    part = client.get(reverse("status"), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
