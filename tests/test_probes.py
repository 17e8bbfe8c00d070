"""What machines ask: health, readiness and metrics, and who may."""

import re
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns import vital_signs
from campaigns.models import Campaign, GatewayAccount, OutboundMessage
from smsdesk import clock, measures, tallies
from smsdesk.models import Heartbeat
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db
LINE = re.compile(r'smsdesk_[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?[0-9.e+-]+')


@pytest.fixture(autouse=True)
def fresh(tmp_path, settings, monkeypatch):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(vital_signs, "_kept", None)
    monkeypatch.setattr(measures, "_own", measures._Own())


def read(**headers: str) -> dict[str, float]:
    answer = Client().get("/metrics", headers=headers)
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return {line.rpartition(" ")[0].removeprefix("smsdesk_"): float(line.rpartition(" ")[2]) for line in lines}


def test_alive_asks_no_database_and_minds_no_host_name(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Client().get("/healthz", headers={"Host": "10.0.0.7"}).status_code == 200


def test_ready_means_that_the_database_answers_and_is_migrated(settings):
    settings.SECURE_SSL_REDIRECT = True
    for _ in range(2):
        assert Client().get("/readyz", headers={"Host": "10.0.0.7:8000"}).status_code == 200


def test_a_database_that_lags_behind_the_code_is_not_ready(monkeypatch):
    monkeypatch.setattr("smsdesk.probes._is_migrated", False)
    recorded = MigrationRecorder.Migration.objects.filter(app="campaigns")
    recorded.filter(name=recorded.latest("name").name).delete()
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert b"migrate" in answer.content


def test_metrics_are_for_this_machine_unless_there_is_a_token(settings):
    client = Client()
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip"):  # a proxy on this machine
        assert client.get("/metrics", headers={name: "203.0.113.9"}).status_code == 404
    settings.METRICS_TOKEN = "t" * 32
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
    good = {"Authorization": f"Bearer {'t' * 32}"}
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9", headers=good).status_code == 200
    assert client.post("/metrics", headers=good).status_code == 405


def test_an_empty_desk_says_zero():
    found = read()
    assert found["database_up"] == 1
    assert found['queue_due{priority="campaign"}'] == 0
    assert found['messages_open{state="parked"}'] == 0


def test_the_queue_is_told_by_priority_with_its_age():
    campaign = sending_rig.campaign(3)
    now = clock.database_now()
    due = OutboundMessage.objects.filter(campaign=campaign)
    due.update(due_at=now - timedelta(seconds=90))
    OutboundMessage.objects.filter(pk=due.first().pk).update(due_at=now + timedelta(hours=1))
    found = read()
    assert found['queue_due{priority="campaign"}'] == 2
    assert 89 < found['queue_age_seconds{priority="campaign"}'] < 120
    assert found['queue_due{priority="urgent"}'] == 0
    assert found['lanes{state="ready"}'] == 1
    assert found['campaigns{state="sending"}'] == 1


def test_a_paused_campaign_is_not_late():
    sending_rig.campaign(3)
    Campaign.objects.update(state="paused")
    assert read()['queue_due{priority="campaign"}'] == 0


def test_what_is_open_and_what_went_wrong_is_told():
    campaign = sending_rig.campaign(4)
    sending_rig.submit(campaign.sender)
    ids = list(OutboundMessage.objects.values_list("pk", flat=True))
    long_ago = clock.database_now() - timedelta(minutes=10)
    OutboundMessage.objects.filter(pk__in=ids[:2]).update(state="unknown", submitted_at=long_ago)
    OutboundMessage.objects.filter(pk=ids[2]).update(state="parked")
    GatewayAccount.objects.update(paused_at=long_ago)
    Heartbeat.objects.create(name="tick", beat_at=long_ago)
    tallies.count_today("stop_drain_timeout", now=clock.database_now())
    found = read()
    name = campaign.sender.account.name
    assert (found['messages_open{state="unknown"}'], found['messages_open{state="parked"}']) == (2, 1)
    assert 599 < found["oldest_unknown_seconds"] < 630
    assert found[f'account_paused{{account="{name}"}}'] == 1
    assert 599 < found['heartbeat_age_seconds{name="tick"}'] < 630
    assert found['events_today_total{event="stop_drain_timeout"}'] == 1
    assert found['events_today_total{event="accepted_after_given_up"}'] == 0


def test_webhooks_are_counted_by_time_and_answer():
    account = factories.account()
    address = f"/hooks/{account.public_id}/{account.hook_secret}/status/"
    Client().post(address, '{"results": []}', content_type="application/json")
    Client().post(address.replace(account.hook_secret, "x"), "{}", content_type="application/json")
    found = read()
    assert found['webhook_answers_total{kind="status",class="2xx"}'] == 1
    assert found['webhook_answers_total{kind="status",class="4xx"}'] == 1
    assert found['webhook_seconds_count{kind="status"}'] == 2
    assert found['webhook_seconds_bucket{kind="status",le="+Inf"}'] == 2


def test_processes_of_one_host_are_added_up(tmp_path):
    one, other = measures._Own(), measures._Own()
    one.add((0, 2))
    other._map, other._pid = measures.mmap.mmap(-1, measures._SIZE), one._pid
    (tmp_path / "measures" / "elsewhere:1:1").write_bytes((5).to_bytes(8, "little").ljust(measures._SIZE, b"\0"))
    assert measures.webhooks()["status"].buckets[0] == 7


def test_an_account_with_a_hostile_name_breaks_no_line():
    factories.account(name='a"b\\c\nd 1')
    assert 'account_paused{account="a\\"b\\\\c\\nd 1"} 0' in Client().get("/metrics").content.decode()


def test_metrics_are_asked_of_the_database_by_few_queries_and_kept_for_seconds():
    sending_rig.campaign(2)
    with CaptureQueriesContext(connection) as queries:
        read()
    assert len(queries) < 25
    with CaptureQueriesContext(connection) as queries:
        read()
    assert len(queries) == 0


def test_without_database_metrics_say_so(monkeypatch):
    def gone():
        raise OperationalError("gone")

    monkeypatch.setattr(clock, "database_now", gone)  # the network's fault, not ours
    monkeypatch.setattr(connection, "close", lambda: None)
    found = read()
    assert found["database_up"] == 0
    assert "spool_bytes" in found
