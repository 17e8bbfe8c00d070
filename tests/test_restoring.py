"""A database that was restored starts held: nothing leaves until a person has looked."""

import json
import os
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import batch, draining, lanes, parking, receipts, reconciling, restoring, sending, tasks
from campaigns.models import Instance, MessageKind, OutboundMessage, Priority
from contacts.models import Purpose
from smsdesk.errors import WrongState
from smsdesk.gateways.contract import Receipt
from tests import factories, racing, sending_rig

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def host(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "host"
    return settings


def set_back(beats: int = 1) -> None:
    """As a backup of `beats` looks ago would be; everything else as it is."""
    for _ in range(beats + 2):
        assert restoring.check()
    Instance.objects.update(beats=Instance.objects.get().beats - beats - 1)


def queued(sender, **over) -> OutboundMessage:
    person = sending_rig.agreed(factories.contact(), sender)
    return sending.queue(
        person, sender=sender, text="Your order left.", purpose=Purpose.TRANSACTIONAL, kind=MessageKind.API,
        priority=Priority.TRANSACTIONAL, now=timezone.now() - timedelta(minutes=1), **over,
    )  # fmt: skip


def provable(**over):
    return factories.sender(**over)  # Infobip


def unprovable(**over):
    return factories.sender(account=factories.account(kind="twilio"), **over)


# --- when it is held, and when not --------------------------------------------------------------------


@pytest.mark.django_db
def test_a_first_install_restarts_and_a_new_host_go_on(host, tmp_path):
    assert restoring.check()
    assert restoring.check()
    host.DATA_DIR = tmp_path / "another host"
    assert restoring.check()
    assert restoring.check()
    host.DATA_DIR = tmp_path / "host"
    assert restoring.check()
    assert Instance.objects.get().beats == 5


@pytest.mark.django_db
def test_a_count_that_went_back_is_held_and_stays_so():
    set_back()
    assert not restoring.check()
    assert "this host has seen 3" in restoring.held().held_reason
    for _ in range(5):
        assert not restoring.check()


@pytest.mark.django_db
def test_another_database_than_it_says_is_held_on_any_host(host, tmp_path):
    assert restoring.check()
    Instance.objects.update(database="7000:00000001:5")
    host.DATA_DIR = tmp_path / "new"
    assert not restoring.check()
    assert "it was 7000:00000001:5" in restoring.held().held_reason


@pytest.mark.django_db
def test_a_host_that_serves_another_desk_too_mixes_nothing_up(host):
    restoring.check()
    file = host.DATA_DIR / "databases-seen.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), uuid.uuid4().hex: 9_000}))
    assert restoring.check()
    file.write_text("garbage")
    assert restoring.check()


@pytest.mark.django_db
def test_what_a_host_cannot_remember_does_not_stop_it(host, tmp_path):
    (tmp_path / "file").write_text("")
    host.DATA_DIR = tmp_path / "file"
    assert restoring.check()


# --- what is held -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_no_lane_is_won_and_no_batch_submitted_while_it_is_held():
    campaign, other = sending_rig.campaign(1, sender=unprovable()), sending_rig.campaign(1, sender=unprovable())
    restoring.check()
    work = batch.read(sending_rig.win(campaign.sender))
    Instance.objects.update(held_at=timezone.now())  # and nothing else of holding

    assert lanes.candidates() == []
    assert lanes.earliest() is None
    assert lanes.win([other.sender.lanes.get().pk]) == []
    assert batch.submit(work) is None
    assert not draining.drain(seconds=5, relieve=tasks.relieve)
    assert sending_rig.states(campaign) == sending_rig.states(other) == ["queued"]


@pytest.mark.django_db
def test_campaigns_in_motion_are_paused_with_the_reason():
    moving, draft = sending_rig.campaign(1, sender=unprovable()), factories.campaign()
    set_back()
    restoring.check()
    moving.refresh_from_db()
    draft.refresh_from_db()
    assert (moving.state, draft.state) == ("paused", "draft")
    assert "The database was restored." in moving.paused_reason
    assert sending_rig.states(moving) == ["queued"]


@pytest.mark.django_db
def test_what_waited_is_looked_up_where_the_gateway_can_be_asked_and_parked_elsewhere():
    asked, parked = queued(provable()), queued(unprovable())
    campaign = sending_rig.campaign(2, sender=provable())
    OutboundMessage.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    set_back()
    restoring.check()
    for row in (asked, parked):
        row.refresh_from_db()
    assert (asked.state, parked.state, parked.code) == ("unknown", "parked", "RESTORED")
    assert sending_rig.states(campaign) == ["unknown", "unknown"]
    words = dict(parking.evidence(parked, gateway="twilio"))
    assert "what was done after its backup is forgotten" in words["Database restored"]
    assert "Handed over" not in words

    proof = Receipt(event_key="x", reference=asked.public_id, gateway_id="g", word="SENT", state="sent")
    assert receipts.prove(asked.pk, proof, account=asked.sender.account, submit_no=0, now=timezone.now())


@pytest.mark.django_db
def test_what_the_gateway_never_saw_waits_again_and_leaves_after_the_release():
    row = queued(provable())
    set_back()
    Instance.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    restoring.check()
    row.refresh_from_db()
    can = row.sender.account.kind
    reconciling._move([row], can=reconciling.registry.capabilities(can), was_asked=True)
    row.refresh_from_db()
    assert row.state == "queued"
    restoring.check()  # does not doubt it again
    row.refresh_from_db()
    assert row.state == "queued"

    restoring.release(by="ana", now=timezone.now())
    sending_rig.record(*sending_rig.submit(row.sender))
    row.refresh_from_db()
    assert (row.state, row.submit_no) == ("accepted", 1)


@pytest.mark.django_db
def test_what_is_queued_while_it_is_held_waits_for_the_release():
    set_back()
    restoring.check()
    sender = unprovable()
    person = sending_rig.agreed(factories.contact(), sender)
    row = sending.queue(
        person, sender=sender, text="Hi.", purpose=Purpose.TRANSACTIONAL, kind=MessageKind.API,
        priority=Priority.TRANSACTIONAL, now=timezone.now(),
    )  # fmt: skip
    restoring.check()
    restoring.release(by="ana", now=timezone.now())
    row.refresh_from_db()
    assert row.state == "queued"
    assert sending_rig.win(sender)


@pytest.mark.django_db
def test_a_receipt_of_what_the_backup_does_not_know_proves_it():
    campaign = sending_rig.campaign(1, sender=unprovable())
    OutboundMessage.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    row = OutboundMessage.objects.get()
    told = Receipt(event_key="1", reference=row.public_id, gateway_id="SM1", word="delivered", state="delivered")
    receipts.record(campaign.sender.account, [told], now=timezone.now())
    assert sending_rig.states(campaign) == ["queued"]
    set_back()
    restoring.check()
    late = Receipt(event_key="2", reference=row.public_id, gateway_id="SM1", word="delivered", state="delivered")
    receipts.record(campaign.sender.account, [late], now=timezone.now())
    assert sending_rig.states(campaign) == ["delivered"]


# --- letting it go ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_released_it_is_another_one_and_goes_on_on_every_host(host, tmp_path):
    set_back()
    restoring.check()
    before = Instance.objects.get().nonce
    restoring.release(by="ana", now=timezone.now())
    assert Instance.objects.get().nonce != before
    assert restoring.check()
    host.DATA_DIR = tmp_path / "other"
    assert restoring.check()
    with pytest.raises(WrongState, match="not held"):
        restoring.release(by="ben", now=timezone.now())
    assert Instance.objects.get().released_by == "ana"


@pytest.mark.django_db
def test_everybody_sees_it_in_red_and_who_may_releases_it_on_its_page():
    set_back()
    restoring.check()
    watcher, lead = Client(), Client()
    watcher.force_login(factories.staff("campaigns.view_campaign"))
    lead.force_login(factories.staff("campaigns.view_campaign", "campaigns.release_desk"))
    page = reverse("admin:campaigns_held")
    assert "Nothing is sent: the desk is held." in watcher.get("/admin/").content.decode()
    assert "Releasing needs the permission" in watcher.get(page).content.decode()
    assert watcher.post(page).status_code == 403
    assert "stop it first" in lead.get(page).content.decode()
    assert "The desk is released" in lead.post(page, follow=True).content.decode()
    assert "Nothing is sent: the desk is held." not in watcher.get("/admin/").content.decode()


@pytest.mark.django_db
def test_the_command_releases_it_and_says_so(capsys):
    with pytest.raises(CommandError, match="not held"):
        call_command("release")
    set_back()
    restoring.check()
    call_command("release", "--by", "ops")
    assert "Released" in capsys.readouterr().out
    assert restoring.check()


# --- the real thing -----------------------------------------------------------------------------------

LOOK = "import django; django.setup(); from campaigns import restoring; print('look', restoring.check())"
SQLITE_STORY = """
import shutil, django; django.setup()
from django.db import connection
from campaigns import restoring
path = str(connection.settings_dict["NAME"])
def look(): print("look", restoring.check()); connection.close()
def copied(source, target):
    shutil.copyfile(source, target)
look(); look()
copied(path, path + ".backup")
look()
copied(path + ".backup", path)
look()
print("why", restoring.held().held_reason); restoring.release(by="ana", now=django.utils.timezone.now()); look()
connection.close(); copied(path, path + ".moved"); __import__("os").replace(path + ".moved", path)
look()
"""


def run(code: str, *, database: str, data: Path) -> list[str]:
    environment = {**os.environ, "DATABASE_URL": database, "SMSDESK_DATA": str(data), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(("look", "why"))]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="copies a SQLite file")
@pytest.mark.django_db(transaction=True)
def test_a_sqlite_file_copied_back_is_held(tmp_path):
    """Starts a process of its own, as a desk would, so it takes some seconds."""
    restoring.check()
    file = tmp_path / "desk.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {Instance._meta.db_table}")
        cursor.execute(f"VACUUM INTO '{file}'")
    told = run(SQLITE_STORY, database=f"sqlite:///{file}", data=tmp_path / "data")
    looks = [line for line in told if line.startswith("look")]
    assert looks == ["look True", "look True", "look True", "look False", "look True", "look False"]
    assert "was set back" in told[4]


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="dumps a PostgreSQL database")
@pytest.mark.django_db(transaction=True)
def test_a_dump_that_is_restored_is_held(tmp_path):
    """By pg_dump and pg_restore, into another database and into the same one; takes some seconds."""
    queued(unprovable())
    assert restoring.check()
    given = connection.get_connection_params()
    address = ["-h", given["host"], "-p", str(given["port"]), "-U", given["user"]]
    login = {**os.environ, "PGPASSWORD": given.get("password") or ""}
    dump, copy = tmp_path / "desk.dump", f"restored_{uuid.uuid4().hex[:12]}"

    def tool(*command: str) -> None:
        subprocess.run(command, check=True, env=login, capture_output=True, timeout=60)

    tool("pg_dump", *address, "-Fc", "-f", str(dump), given["dbname"])
    url = f"postgres://{given['user']}:{given.get('password') or ''}@{given['host']}:{given['port']}/{copy}"
    tool("createdb", *address, copy)
    try:
        tool("pg_restore", *address, "-d", copy, str(dump))
        assert run(LOOK, database=url, data=tmp_path / "data") == ["look False"]
        assert run(LOOK, database=url, data=tmp_path / "other") == ["look False"]
    finally:
        tool("dropdb", *address, "--force", copy)
    # The old one, beside which it was restored, goes on.
    assert restoring.check()
    Instance.objects.all().delete()
    # Rows only: a table that pg_restore makes alone comes without its keys.
    tool("pg_restore", *address, "--data-only", "-t", "campaigns_instance", "-d", given["dbname"], str(dump))
    assert not restoring.check()
    assert "was set back" in restoring.held().held_reason


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a database other threads can reach")
@pytest.mark.django_db(transaction=True)
def test_workers_that_look_at_a_new_desk_at_the_same_moment_do_not_hold_it():
    for _ in range(20):
        Instance.objects.all().delete()
        assert racing.at_once(*[restoring.check] * 4) == []
        assert restoring.held() is None
