"""A task is only a wake-up: it may be lost, and the clock of several clusters makes one of each slot."""

import os
import sqlite3
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler

from campaigns import places, tasks
from campaigns.models import Campaign, CampaignState
from smsdesk import clock
from smsdesk.models import Heartbeat
from tests import factories, migrated, racing, sending_rig
from tests.world import ROOT

DRAIN = "campaigns.tasks.drain"


def waiting() -> list[str]:
    return [task.func() for task in OrmQ.objects.order_by("pk")]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["campaign", "reply"])
def test_a_lost_wake_up_is_made_up_for_by_the_next_tick(kind, django_capture_on_commit_callbacks):
    if kind == "campaign":
        sending_rig.campaign(2)
    else:
        with django_capture_on_commit_callbacks(execute=True):
            sending_rig.reply(factories.sender())
        assert waiting() == [DRAIN]
    OrmQ.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.tick()
    assert set(waiting()) == {DRAIN}


@pytest.mark.django_db
def test_a_host_wakes_its_own_drains_though_another_has_all_of_its(settings, django_capture_on_commit_callbacks):
    settings.WORKERS = 3
    sending_rig.campaign(2)
    now = clock.database_now()
    Heartbeat.objects.bulk_create([Heartbeat(name=f"drain:elsewhere/1:{n}:1", beat_at=now) for n in (1, 2)])
    places.beat()
    OrmQ.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.wake_if_due()
    assert waiting() == [DRAIN]


@pytest.mark.django_db
def test_a_tick_wakes_nobody_where_nothing_is_due(django_capture_on_commit_callbacks):
    campaign = sending_rig.campaign(2)
    Campaign.objects.filter(pk=campaign.pk).update(state=CampaignState.PAUSED)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.tick()
    assert waiting() == []


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's clusters are tried as processes below")
@pytest.mark.django_db(transaction=True)
def test_three_clusters_make_one_task_of_each_due_slot():
    for _ in range(5):
        OrmQ.objects.all().delete()
        Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=90))
        assert racing.at_once(*[lambda: scheduler()] * 3) == []
        assert sorted(waiting()) == sorted(Schedule.objects.values_list("func", flat=True))


CLUSTER = """
import sys, time, django
django.setup()
from django.db import connection
from django_q.scheduler import scheduler
from campaigns.models import Campaign
Campaign.objects.exists()
print("ready", flush=True)
for line in sys.stdin:
    scheduler()
    print("done", flush=True)
"""


def test_three_clusters_on_one_sqlite_file_make_one_task_of_each_slot_and_meet_no_lock(tmp_path):
    path = tmp_path / "desk.sqlite3"
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{path}", "SMSDESK_DATA": str(tmp_path)}
    environment |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    migrated.copy_file(path)
    errors = tmp_path / "errors"
    with errors.open("w") as said:
        clusters = [
            subprocess.Popen(
                [sys.executable, "-c", CLUSTER], cwd=ROOT, env=environment, stdin=subprocess.PIPE, text=True,
                stdout=subprocess.PIPE, stderr=said,
            )
            for _ in range(3)
        ]  # fmt: skip

    try:
        assert [cluster.stdout.readline() for cluster in clusters] == ["ready\n"] * 3
        for slot in range(5):
            with sqlite3.connect(path, timeout=20) as desk:
                desk.execute("DELETE FROM django_q_ormq")
                desk.execute("UPDATE django_q_schedule SET next_run = datetime('now', '-90 seconds')")
            for cluster in clusters:
                cluster.stdin.write(f"{slot}\n")
                cluster.stdin.flush()
            assert [cluster.stdout.readline() for cluster in clusters] == ["done\n"] * 3
            with sqlite3.connect(path, timeout=20) as desk:
                (schedules,) = desk.execute("SELECT COUNT(*) FROM django_q_schedule").fetchone()
                (made,) = desk.execute("SELECT COUNT(*) FROM django_q_ormq").fetchone()
            assert made == schedules > 0
    finally:
        for cluster in clusters:
            cluster.stdin.close()
            cluster.wait(20)
            cluster.stdout.close()
    assert "locked" not in errors.read_text()
