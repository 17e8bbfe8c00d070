"""Hosts whose clocks are an hour apart: what is due, older or missed is decided by the database's clock alone."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import lifecycle, sending
from campaigns.models import MessageKind, Priority
from contacts.models import Contact, Purpose, Suppression
from smsdesk import clock
from tests import factories, sending_rig

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="a SQLite desk has one clock"),
    pytest.mark.django_db,
]
HOUR = timedelta(hours=1)
PHONE = "12025550111"


def on_a_host(ahead: timedelta) -> time_machine.travel:
    return time_machine.travel(timezone.now() + ahead, tick=True)


def hear(words: str, sender, *, key: str) -> None:
    path = reverse("hook", args=[sender.account.public_id, sender.account.hook_secret, "inbound"])
    at = clock.database_now().strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    text = {"messageId": key, "from": PHONE, "to": sender.value.lstrip("+"), "text": words, "receivedAt": at}
    answer = Client().post(path, json.dumps({"results": [text]}), content_type="application/json")
    assert answer.status_code == 200


def test_a_message_queued_by_a_host_that_is_ahead_is_due_at_once():
    sender = factories.sender()
    person = sending_rig.agreed(factories.contact(), sender)
    with on_a_host(HOUR):
        row = sending.queue(
            person, sender=sender, text="Hello", purpose=Purpose.TRANSACTIONAL, kind=MessageKind.API,
            priority=Priority.TRANSACTIONAL, now=timezone.now(),
        )  # fmt: skip
    assert row.due_at <= clock.database_now()
    assert sending_rig.candidates() == [row.lane_id]


def test_what_is_wanted_later_stays_later():
    sender = factories.sender()
    person = sending_rig.agreed(factories.contact(), sender)
    at = clock.database_now() + 2 * HOUR
    row = sending.queue(
        person, sender=sender, text="Hello", purpose=Purpose.TRANSACTIONAL, kind=MessageKind.API,
        priority=Priority.TRANSACTIONAL, now=timezone.now(), due_at=at,
    )  # fmt: skip
    assert row.due_at == at


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_a_stop_counts_whatever_the_clocks_of_the_hosts_that_heard_start_and_stop(ahead):
    sender = factories.sender()
    with on_a_host(ahead):
        hear("START", sender, key="1")
    with on_a_host(-ahead):
        hear("STOP", sender, key="2")
    person = Contact.objects.get(phone=f"+{PHONE}")
    assert Suppression.objects.filter(subscriber_key=person.subscriber_key, lifted_by=None).exists()


@pytest.mark.parametrize("ahead", [2 * HOUR, -2 * HOUR])
def test_a_campaign_sent_now_by_a_host_with_a_wrong_clock_begins_now(ahead):
    api = factories.api()
    campaign = factories.campaign(factories.contact_list(factories.contact()))
    with on_a_host(ahead):
        answer = api.post(f"/api/v1/campaigns/{campaign.ref}/launch/", content_type="application/json")
    assert answer.status_code == 200, answer.json()
    lifecycle.start_due(now=clock.database_now())
    campaign.refresh_from_db()
    assert campaign.state == "preparing"
