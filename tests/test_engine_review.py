"""What a review of the engine found: messages sent, skipped, held or counted wrongly; one story each."""

import asyncio
import json
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns import (
    accounts,
    audience,
    batch,
    budgets,
    draining,
    lanes,
    lifecycle,
    parking,
    pulse,
    receipts,
    reconciling,
    restoring,
    seats,
    sending,
    snapshot,
)
from campaigns.models import (
    Answer,
    Campaign,
    CampaignState,
    CarrierOptOut,
    GatewayAccount,
    Lane,
    MessageKind,
    OutboundMessage,
    Priority,
    Sender,
)
from contacts import consent, frequency
from contacts.models import Brand, ConsentSource, FrequencyCap, Purpose, Suppression
from inbound import receiving, replaying
from smsdesk import failpoints, spool
from smsdesk.gateways import errors
from smsdesk.gateways.contract import HookEvents, InboundText, Receipt
from smsdesk.gateways.errors import ErrorClass
from tests import factories, racing, sending_rig, world
from tests.test_restoring import queued, set_back, unprovable

pytestmark = pytest.mark.django_db
needs_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL")
LOST = errors.OutcomeUnknown("timeout", "No proper answer came.")


class Logs(BaseHTTPRequestHandler):
    """A gateway's log that shows nothing, or never answers."""

    def do_GET(self) -> None:
        if self.server.hangs:
            self.server.over.wait(30)
        body = json.dumps({"results": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def logs():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Logs)
    server.daemon_threads = True
    server.hangs, server.over = False, threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def desk():
    with asyncio.Runner() as runner:
        made = draining._Desk(runner, seats.Seats(4))
        yield made
        made.close()


def notice(sender, person=None):
    return sending.queue(
        person or sending_rig.agreed(factories.contact(), sender),
        sender=sender,
        text="Your order left.",
        purpose=Purpose.TRANSACTIONAL,
        kind=MessageKind.API,
        priority=Priority.TRANSACTIONAL,
        now=sending_rig.LONG_AGO,
    )


def lose(sender):
    """What was just sent has no answer, and its next lookup is due."""
    sending_rig.record(*sending_rig.submit(sender), outcome="unknown", error=LOST)
    OutboundMessage.objects.update(
        submitted_at=timezone.now() - timedelta(seconds=70), next_lookup_at=sending_rig.LONG_AGO
    )


# --- Who is asked for an outcome ------------------------------------------------------------------------------


def test_a_sender_stays_with_its_account_while_an_outcome_is_not_known(client):
    sender, other = factories.sender(), factories.account()
    notice(sender)
    lose(sender)
    client.force_login(factories.staff("campaigns.change_sender", "campaigns.view_sender"))
    form = {
        "value": sender.value, "kind": sender.kind, "brand": sender.brand_id, "account": other.pk,
        "country": "US", "registered_in": "[]", "parts_per_second": "100", "is_registered": "on",
    }  # fmt: skip
    page = client.post(reverse("admin:campaigns_sender_change", args=[sender.pk]), form)
    assert "Of 1 messages it is not known yet" in page.content.decode()
    sender.refresh_from_db()
    assert sender.account_id != other.pk
    OutboundMessage.objects.update(state="accepted")
    client.post(reverse("admin:campaigns_sender_change", args=[sender.pk]), form)
    sender.refresh_from_db()
    assert sender.account_id == other.pk


def test_an_account_keeps_its_address_while_an_outcome_is_not_known(client):
    sender = factories.sender()
    notice(sender)
    lose(sender)
    account = sender.account
    client.force_login(factories.staff("campaigns.change_gatewayaccount", "campaigns.view_gatewayaccount"))
    path = reverse("admin:campaigns_gatewayaccount_change", args=[account.pk])
    form = {"name": account.name, "is_simulator": "on", "max_calls": 5, "credential_api_key": "another"}
    page = client.post(path, {**form, "base_url": "http://127.0.0.1:9"})
    assert "Of 1 messages it is not known yet" in page.content.decode()
    assert GatewayAccount.objects.get().base_url == account.base_url
    assert client.post(path, {**form, "base_url": account.base_url}).status_code == 302  # keys are rotated


def test_an_account_sid_is_not_exchanged_while_an_outcome_is_not_known(client):
    account = factories.account(kind="twilio", credentials=world.CREDENTIALS["twilio"])
    notice(factories.sender(account=account))
    lose(Sender.objects.get())
    client.force_login(factories.staff("campaigns.change_gatewayaccount", "campaigns.view_gatewayaccount"))
    path = reverse("admin:campaigns_gatewayaccount_change", args=[account.pk])
    form = {"name": account.name, "is_simulator": "on", "max_calls": 5, "base_url": account.base_url}
    page = client.post(path, {**form, "credential_account_sid": "AC" + "1" * 32})
    assert "Of 1 messages it is not known yet" in page.content.decode()
    same = world.CREDENTIALS["twilio"]["account_sid"]
    assert client.post(path, {**form, "credential_account_sid": same}).status_code == 302


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("is_exchanged", "state"), [(False, "queued"), (True, "parked")])
def test_a_newer_key_that_does_not_know_a_message_proves_nothing(logs, is_exchanged, state):
    address = f"http://127.0.0.1:{logs.server_port}"
    account = factories.account(credentials=world.CREDENTIALS["infobip"], base_url=address)
    sender = factories.sender(account=account)
    notice(sender)
    lose(sender)
    OutboundMessage.objects.update(submitted_at=timezone.now() - timedelta(minutes=5))
    if is_exchanged:
        accounts.store_credentials(account, {"api_key": "of-a-sub-account"})
    accounts.store_credentials(account, {"api_key": accounts.credentials(account)["api_key"]})  # typed once more

    reconciling.reconcile()

    assert OutboundMessage.objects.get().state == state


@pytest.mark.django_db(transaction=True)
def test_lookups_that_hang_keep_nobody_for_longer_than_they_may(logs, settings, tmp_path):
    settings.DATA_DIR, settings.TIME_SCALE = tmp_path / "host", 0.1
    logs.hangs = True
    address = f"http://127.0.0.1:{logs.server_port}"
    account = factories.account(kind="twilio", credentials=world.CREDENTIALS["twilio"], base_url=address)
    sender = factories.sender(account=account, parts_per_second=500.0)
    sending_rig.campaign(80, sender=sender)
    lose(sender)
    begun = time.monotonic()
    reconciling.reconcile()
    assert time.monotonic() - begun < 4  # 1 s by the scale; asked ten at a time it would have been 8
    assert OutboundMessage.objects.filter(evidence__lookup_error="timeout").count() == reconciling.REQUESTS


# --- Attempts -------------------------------------------------------------------------------------------------


def test_a_gateway_that_cannot_be_reached_is_no_death_of_a_worker(desk):
    campaign = sending_rig.campaign(2)
    GatewayAccount.objects.update(base_url="http://127.0.0.1:9")
    Lane.objects.update(failures=3)  # careful
    for _ in range(5):
        sending_rig.free(campaign.sender)
        GatewayAccount.objects.filter(circuit_until__isnull=False).update(circuit_until=timezone.now())
        desk._candidates.clear()
        desk.turn(draining.Stop(5))
    assert [(row.state, row.deaths) for row in OutboundMessage.objects.all()] == [("queued", 0)] * 2


def test_a_brand_that_is_switched_off_is_no_death_of_a_worker(desk):
    campaign = sending_rig.campaign(1)
    Lane.objects.update(failures=3)
    Brand.objects.update(sending_paused=True)
    for _ in range(5):
        sending_rig.free(campaign.sender)
        OutboundMessage.objects.update(due_at=sending_rig.LONG_AGO)  # a minute later
        desk._candidates.clear()
        desk.turn(draining.Stop(5))
    row = OutboundMessage.objects.get()
    assert (row.state, row.deaths) == ("queued", 0)


# --- Caps and budgets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [{"budget": 1}, {"daily_cap": 1}])
def test_what_a_limit_holds_back_counts_against_nobodys_frequency_cap(limit):
    FrequencyCap.objects.create(purpose=Purpose.TRANSACTIONAL, most=1)
    frequency.forget()
    sender = factories.sender(daily_cap=limit.get("daily_cap"))
    first = sending_rig.campaign(3, sender=sender, budget=limit.get("budget"))
    people = [m.contact for m in OutboundMessage.objects.order_by("pk").select_related("contact")]
    second = factories.campaign(
        factories.contact_list(*people), sender=sender, body="Hi {{ first_name }}",
        purpose=Purpose.TRANSACTIONAL, when_capped="skip", state=CampaignState.PREPARING,
    )  # fmt: skip
    sending_rig.snapshot(second)
    Campaign.objects.filter(pk=second.pk).update(state=CampaignState.SENDING, prepared_at=sending_rig.LONG_AGO)
    sending_rig.submit(sender)
    frequency.forget()
    had = set(OutboundMessage.objects.filter(campaign=first, submit_no=1).values_list("contact", flat=True))
    skipped = set(
        OutboundMessage.objects.filter(campaign=second, state="skipped").values_list("contact", flat=True)
    )
    assert skipped <= had
    assert had


def test_of_several_to_one_person_only_those_that_leave_count_for_the_next():
    FrequencyCap.objects.create(purpose=Purpose.TRANSACTIONAL, most=2)
    frequency.forget()
    sender = factories.sender()
    person = sending_rig.agreed(factories.contact(), sender)
    notice(sender, person)  # leaves
    limits = [{"budget": 0}, {"when_capped": "skip"}]  # one is held back, the other waits for its turn
    for more in limits:
        made = factories.campaign(
            factories.contact_list(person), sender=sender, body="Hi", purpose=Purpose.TRANSACTIONAL,
            state=CampaignState.PREPARING, **more,
        )  # fmt: skip
        sending_rig.snapshot(made)
        Campaign.objects.filter(pk=made.pk).update(state=CampaignState.SENDING, prepared_at=sending_rig.LONG_AGO)
    sending_rig.submit(sender)
    frequency.forget()
    assert not OutboundMessage.objects.filter(state="skipped").exists()


def test_a_message_that_was_restored_and_treated_as_sent_counts_for_caps(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "host"
    FrequencyCap.objects.create(purpose=Purpose.TRANSACTIONAL, most=1)
    frequency.forget()
    row = queued(unprovable())
    set_back()
    restoring.check()
    row.refresh_from_db()
    parking.settle(row, Answer.SENT, reason="Twilio's log shows it", by=factories.user(), now=timezone.now())
    restoring.release(by="ana", now=timezone.now())
    notice(row.sender, row.contact)
    assert sending_rig.submit(row.sender)[2] is None
    frequency.forget()


def test_what_a_gateway_refused_is_given_back_to_the_budget():
    sender = factories.sender()
    campaign = sending_rig.campaign(2, sender=sender, budget=2)
    sending_rig.record(*sending_rig.submit(sender), outcome="rejected", error=errors.InvalidRecipient("1", "no"))
    assert budgets.sentence(campaign).startswith("0 of 2")


# --- People ---------------------------------------------------------------------------------------------------


def test_a_repeated_receipt_opts_nobody_out_who_has_come_back():
    campaign = sending_rig.campaign(1)
    sending_rig.record(*sending_rig.submit(campaign.sender))
    row = OutboundMessage.objects.select_related("sender__account", "contact").get()
    told = Receipt(
        event_key="e1", reference=row.public_id, gateway_id="g", word="U", state="rejected", code="21610",
        error_class=ErrorClass.OPTED_OUT, at=timezone.now() - timedelta(minutes=5),
    )  # fmt: skip
    receipts.record(row.sender.account, [told], now=timezone.now())
    assert Suppression.objects.filter(lifted_by=None).count() == 1
    now = timezone.now()
    consent.resume(row.contact, brand=campaign.brand, proof=sending_rig.PROOF, occurred_at=now, now=now)
    receipts.record(row.sender.account, [told], now=timezone.now())
    assert not Suppression.objects.filter(lifted_by=None).exists()
    assert CarrierOptOut.objects.count() == 1


def test_a_stop_to_a_number_we_had_is_for_the_brand_that_texted_from_it():
    account = factories.account()
    factories.sender(account=account)  # another brand's, and the account's first
    mine = factories.sender(account=account)
    person = sending_rig.agreed(factories.contact(), mine)
    notice(mine, person)
    sending_rig.record(*sending_rig.submit(mine))
    former = mine.value
    Sender.objects.filter(pk=mine.pk).update(value="+12025550999")
    text = InboundText(event_key="s", gateway_id="s", phone=person.phone, sender=former, text="STOP")
    receiving.receive(account, text, now=timezone.now())
    assert [one.brand_id for one in Suppression.objects.all()] == [mine.brand_id]


# --- Control --------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_cannot_be_prepared_keeps_no_other_from_beginning(monkeypatch):
    people = factories.contact_list(factories.contact())
    broken, sound = (factories.campaign(people, state=CampaignState.PREPARING) for _ in range(2))
    real = snapshot._insert

    def insert(campaign, **more):
        if campaign.pk == broken.pk:
            raise RuntimeError("the statement took too long")
        return real(campaign, **more)

    monkeypatch.setattr(snapshot, "_insert", insert)
    pulse.each(pulse.start)
    states = dict(Campaign.objects.values_list("pk", "state"))
    assert states == {broken.pk: "preparing", sound.pk: "sending"}


@pytest.mark.postgres
@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_pause_outwaits_the_cutting_of_a_snapshot(monkeypatch):
    people = factories.contact_list(*(factories.contact() for _ in range(3)))
    campaign = factories.campaign(people, state=CampaignState.PREPARING)
    real = audience.end_of_range

    def slow(*given, **more):
        time.sleep(3)
        return real(*given, **more)

    monkeypatch.setattr(audience, "end_of_range", slow)

    def pause():
        time.sleep(0.3)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")  # as everywhere but in races
        lifecycle.pause(Campaign.objects.get(pk=campaign.pk), by=None, now=timezone.now())

    assert racing.at_once(lambda: snapshot.cut(campaign, now=timezone.now()), pause) == []
    campaign.refresh_from_db()
    assert campaign.state == "paused"


def test_a_lane_of_an_account_that_was_just_paused_is_not_won():
    campaign = sending_rig.campaign(1)
    lane = sending_rig.candidates()
    accounts.pause(campaign.sender.account_id, reason="x", now=timezone.now())
    assert lanes.win(lane) == []


@pytest.mark.postgres
@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_batch_and_the_sweep_of_a_cancelled_campaign_never_deadlock(tmp_path):
    campaign = sending_rig.campaign(2)
    stopped = OutboundMessage.objects.order_by("pk")[1].contact
    now = timezone.now()
    consent.opt_out(stopped, brand=campaign.brand, source=ConsentSource.TEXT, occurred_at=now, now=now)
    work = batch.read(sending_rig.win(campaign.sender))

    def sweep():
        time.sleep(0.25)
        lifecycle.cancel(campaign, by=None, now=timezone.now())
        lifecycle.sweep_cancelled(now=timezone.now())

    failpoints.arm("submit.after_recheck=hold:500@1", journal=tmp_path / "journal")
    try:
        assert racing.at_once(lambda: batch.submit(work), sweep) == []
    finally:
        failpoints.arm("", journal=None)


# --- What must not grow with the rows ---------------------------------------------------------------------------


def test_receipts_of_phones_that_were_switched_off_ask_nothing_each():
    campaign = sending_rig.campaign(40)
    submitted = sending_rig.submit(campaign.sender)
    sending_rig.record(*submitted)
    told = [
        Receipt(event_key=f"k{n}", reference=item.reference, gateway_id="", word="ABSENT", state="undelivered",
                code="27", error_class=ErrorClass.RECIPIENT, permanent=False)
        for n, item in enumerate(sending_rig.items(submitted[2]))
    ]  # fmt: skip
    with CaptureQueriesContext(connection) as queries:
        receipts.record(campaign.sender.account, told, now=timezone.now())
    assert len(queries) < (20 if connection.vendor == "postgresql" else 60)


def test_refused_credentials_are_told_once_a_batch():
    campaign = sending_rig.campaign(50)
    submitted = sending_rig.submit(campaign.sender)
    with CaptureQueriesContext(connection) as queries:
        sending_rig.record(*submitted, outcome="again", error=errors.AuthenticationFailed("401", "no"))
    assert len(queries) < 30


def test_what_is_kept_while_the_replay_ends_is_replayed_too(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(replaying, "PAUSE", 0.05)
    account = factories.account()
    stored = []
    monkeypatch.setattr(replaying, "_store", stored.append)

    def keep():
        receipt = Receipt(event_key="k", reference=None, gateway_id="g", word="w", state="sent")
        spool.keep(account.public_id, HookEvents(receipts=(receipt,)), now=timezone.now())
        replaying.begin()

    class Closing:
        def close(self):  # between the thread's last look and the release of its turn
            if len(stored) == 1 and spool.is_empty():
                keep()

    monkeypatch.setattr(replaying, "connection", Closing())
    keep()
    world.wait_until(lambda: len(stored) == 2 and spool.is_empty(), seconds=5, what="both were replayed")
