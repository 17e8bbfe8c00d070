"""The demo: an honest small world in a folder of its own, that ends when it is told to and leaves nobody behind."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from campaigns import accounts
from campaigns.models import Campaign, CampaignState, GatewayAccount, OutboundMessage, OutboundState
from contacts.models import ConsentState, Contact, ContactList, Hold, Purpose, Suppression
from inbound.models import Conversation, Keyword
from smsdesk import phones
from smsdesk.management import demo_people, demo_world
from smsdesk.management.demo_home import Home
from smsdesk.simulator.accounts import AccountBook
from tests import judging, migrated
from tests.factories import NOW
from tests.test_supervisor import is_alive
from tests.world import ROOT, end, free_port, wait_until

CARRIER = {
    "infobip": {"api_key": "key-of-the-demo"},
    "twilio": {"account_sid": "AC" + "1" * 32, "auth_token": "token-of-the-demo"},
}


@pytest.fixture
def world(db, tmp_path):
    key = demo_world.seed(password="pine-vale-7", credentials=CARRIER, now=NOW)
    demo_world.settle_in(
        accounts_file=tmp_path / "accounts.json", simulator="http://127.0.0.1:20899", credentials=CARRIER, now=NOW
    )
    return key


# --- The world -----------------------------------------------------------------------------------------


def test_everybody_of_the_newsletter_has_consent_with_proof(world):
    newsletter = Contact.objects.filter(lists__name="Newsletter")
    assert newsletter.count() == 40
    for person in newsletter:
        state = ConsentState.objects.get(subscriber_key=person.subscriber_key, purpose=Purpose.MARKETING)
        assert state.is_proven


def test_every_number_is_reserved_for_examples(world):
    numbers = list(Contact.objects.values_list("phone", flat=True))
    assert len(numbers) == 60
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", number) for number in numbers)
    assert all(phones.parse(number, default_region="US").e164 == number for number in numbers)


def test_the_ledger_of_the_demo_is_sound(world):
    call_command("verify_ledger", stdout=io.StringIO())  # raises where the chain is broken


def test_the_world_has_a_past(world):
    finished = Campaign.objects.get(state=CampaignState.FINISHED)
    rows = OutboundMessage.objects.filter(campaign=finished)
    assert rows.count() == finished.audience_size == 60
    assert rows.filter(state=OutboundState.DELIVERED).count() == 38
    assert rows.filter(replied_at__isnull=False).count() == 4
    assert Campaign.objects.filter(state=CampaignState.DRAFT).count() == 1
    assert Suppression.objects.filter(lifted_by=None).count() == 1
    assert Hold.objects.filter(closed_at=None).count() == 1
    assert Conversation.objects.exclude(state="resolved").count() == 3
    assert Keyword.objects.filter(word="JOIN").exists()


def test_nothing_of_the_past_is_still_to_be_sent(world):
    assert not OutboundMessage.objects.filter(state__in=["queued", "submitting", "unknown"]).exists()


@pytest.mark.parametrize("hour", range(24))
def test_one_can_send_to_the_newsletter_at_any_hour(hour):
    now = datetime(2026, 11, 18, hour, 30, tzinfo=UTC)
    zones = demo_people.zones_awake(now)
    assert zones
    for zone in zones:
        assert 8 <= now.astimezone(ZoneInfo(zone)).hour < 13


@pytest.mark.parametrize("hours", [0, 7, 13, 19])
def test_the_judge_lets_the_newsletter_through_whenever_the_demo_starts(world, hours):
    start = NOW + timedelta(hours=hours)
    demo_people.stay_awake(now=start)
    brand = Campaign.objects.first().brand
    verdicts = [
        judging.may_i(person, brand=brand, purpose=Purpose.MARKETING, at=start).outcome
        for person in Contact.objects.filter(lists__name="Newsletter")
    ]
    assert verdicts.count("allowed") == 38  # without the one who opted out and the one in doubt
    assert "deferred" not in verdicts


def test_the_carrier_knows_the_accounts_and_where_to_post(world, tmp_path):
    book = AccountBook(path=tmp_path / "accounts.json", desk="http://127.0.0.1:20898")
    book.refresh()
    for account in GatewayAccount.objects.all():
        found = book.named(account.name)
        assert found is not None
        assert found.inbound_url == f"{accounts.hook_base(account)}inbound/"
        assert accounts.credentials(account) == CARRIER[account.kind]


def test_the_staff_have_roles_and_one_password(world):
    for name, (_, group) in demo_world.STAFF.items():
        user = get_user_model().objects.get(username=name)
        assert user.check_password("pine-vale-7")
        assert user.is_staff
        assert not user.is_superuser
        assert [one.name for one in user.groups.all()] == [group]


def test_each_role_sees_a_first_page_of_its_own(world, client):
    seen = {}
    for name in demo_world.STAFF:
        client.force_login(get_user_model().objects.get(username=name))
        page = client.get("/admin/")
        assert page.status_code == 200
        seen[name] = [link["label"] for link in page.context["desk_nav"]]
    assert "Inbox" in seen["ivana"]
    assert "Campaigns" not in seen["ivana"]
    assert "Campaigns" in seen["marko"]
    assert "Inbox" not in seen["marko"]


def test_the_lists_say_what_they_are(world):
    assert all(ContactList.objects.values_list("description", flat=True))


# --- The folder ----------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "var")
    made.enter()
    yield made
    made.leave()


def test_secrets_are_made_once_and_are_for_their_owner_only(home):
    first = home.secrets()
    assert home.secrets() == first
    assert stat.S_IMODE(home.secrets_file.stat().st_mode) == 0o600
    assert len(first["SMSDESK_PEPPER"]) >= 32


def test_a_database_that_is_not_a_demo_is_refused_and_survives_a_reset(tmp_path):
    file = tmp_path / "demo.sqlite3"
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE precious (name TEXT)")
    before = file.read_bytes()
    with pytest.raises(CommandError, match="left alone"):
        Home(tmp_path).enter()
    assert "left alone" in refused(tmp_path, "--reset", "--port", str(free_port()), data=".")
    assert file.read_bytes() == before


def test_the_demos_own_database_is_known_by_its_mark_and_can_be_reset(tmp_path, home):
    home.mark()
    home.leave()
    again = Home(home.folder)
    again.enter()
    again.reset()
    assert not home.database.exists()
    again.leave()


def test_a_second_demo_in_the_same_folder_is_refused(home):
    with pytest.raises(CommandError, match="A demo is running in"):
        Home(home.folder).enter()


def test_a_demo_without_its_secrets_says_how_to_begin_again(home):
    home.mark()
    with pytest.raises(CommandError, match="--reset"):
        home.secrets()


def test_a_folder_nobody_may_write_is_said_in_one_sentence():
    with pytest.raises(CommandError, match="cannot be written"):
        Home(Path("/proc/demo")).enter()


def test_a_folder_that_is_a_file_is_said_in_one_sentence(tmp_path):
    (tmp_path / "var").write_text("")
    with pytest.raises(CommandError, match="cannot be written"):
        Home(tmp_path / "var").enter()


# --- The command ---------------------------------------------------------------------------------------

UNWANTED = re.compile(r"DATABASE_URL|DJANGO_|SMSDESK_|SECRET_KEY|PUBLIC_URL|SQLITE_|LOG_LEVEL|SIMULATOR_")


def start(folder: Path, *options: str, data: str = "var", **more: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not UNWANTED.match(name)} | more
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "demo", "--data", str(folder / data), *options],
        env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip


def refused(folder: Path, *options: str, **more: str) -> str:
    process = start(folder, *options, **more)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in output
    return output


def test_a_taken_port_is_refused_in_one_sentence(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"Port {port} is taken" in refused(tmp_path, "--port", str(port))


def test_a_database_given_by_environment_is_never_touched(tmp_path):
    output = refused(tmp_path, "--port", str(free_port()), DATABASE_URL=f"sqlite:///{tmp_path / 'real.sqlite3'}")
    assert "DATABASE_URL" in output
    assert not (tmp_path / "real.sqlite3").exists()


class Running:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.carrier = free_port(), free_port()
        self.process = start(folder, "--port", str(self.port), "--simulator-port", str(self.carrier))
        try:
            wait_until(self._answers, seconds=60, what="the demo")
        except BaseException:
            end(self.process)  # type: ignore[arg-type]
            raise

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[0]
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url("/admin/login/"), timeout=2):
            return True
        return False

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def secrets(self) -> dict[str, str]:
        return dict(json.loads((self.folder / "var/secrets.json").read_text()))

    def family(self) -> dict[int, str]:
        """Everything that was started for this folder's demo: its own processes and those below them."""
        found: dict[int, str] = {self.process.pid: "demo"}
        parents = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                parents[int(path.parent.name)] = (int(fields[1]), (path.parent / "cmdline").read_text())
        while True:
            more = {pid: line for pid, (parent, line) in parents.items() if parent in found and pid not in found}
            if not more:
                return found
            found |= more

    def beats(self) -> int:
        with contextlib.closing(sqlite3.connect(self.folder / "var/demo.sqlite3", timeout=10)) as database:
            return int(database.execute("SELECT COUNT(*) FROM smsdesk_heartbeat").fetchone()[0])


def test_the_demo_starts_prints_what_works_and_ends_within_ten_seconds(tmp_path):
    demo = Running(tmp_path)
    try:
        wait_until(demo.beats, seconds=60, what="the worker's first sign")
        family = demo.family()
        assert len(family) > 6
    except BaseException:
        end(demo.process)  # type: ignore[arg-type]
        raise
    begun = time.monotonic()
    demo.process.send_signal(signal.SIGINT)
    output, _ = demo.process.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    assert demo.process.returncode == 0, output
    assert not [line for pid, line in family.items() if is_alive(pid)]
    assert demo.secrets()["password"] in output
    assert "Traceback" not in output


def test_the_demo_survives_its_worker_and_its_own_death(tmp_path):
    migrated.prepare_demo(tmp_path / "var")
    demo = Running(tmp_path)
    try:
        wait_until(demo.beats, seconds=60, what="the worker's first sign")
        curl_works(demo)
        cluster = min(pid for pid, line in demo.family().items() if "qcluster" in line)
        os.kill(cluster, signal.SIGKILL)
        wait_until(
            lambda: any("qcluster" in line for pid, line in demo.family().items() if pid != cluster),
            seconds=30,
            what="a new worker",
        )
        family = demo.family()
        demo.process.kill()
        demo.process.communicate()
        wait_until(lambda: not any(map(is_alive, family)), seconds=25, what="the end of everything")
    finally:
        end(demo.process)  # type: ignore[arg-type]


def curl_works(demo: Running) -> None:
    body = {"to": "+14155550110", "purpose": "transactional", "text": "Acme: your order is on its way."}
    request = urllib.request.Request(
        demo.url("/api/v1/messages/"),
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {demo.secrets()['api_key']}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.loads(answer.read())["recipients"][0]["outcome"] == "allowed"
    log = demo.folder / "var/carrier.jsonl"
    wait_until(lambda: "on its way" in log.read_text(), seconds=40, what="the text at the carrier")
