"""Races that need real transactions: what one thread may see of another's, on PostgreSQL."""

import asyncio
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from campaigns import batch, draining, receipts, reconciling, seats, sending
from campaigns.models import GatewayAccount, Lane, MessageKind, OutboundMessage, Priority
from contacts import consent, frequency
from contacts.models import ConsentSource, Contact, FrequencyCap, Purpose, Suppression
from inbound import receiving
from smsdesk.gateways import errors
from smsdesk.gateways.contract import InboundText, Receipt
from tests import factories, racing, sending_rig

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]


class Beside(threading.Thread):
    """A job in a thread and on a connection of its own; `result` is what it returned or raised."""

    def __init__(self, job) -> None:
        super().__init__(daemon=True)
        self._job = job
        self.result = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._job()
        except Exception as problem:
            self.result = problem
        finally:
            connection.close()


def test_an_opt_out_that_commits_while_a_submit_waits_for_the_contact_is_obeyed():
    campaign = sending_rig.campaign(2)
    person = Contact.objects.earliest("pk")
    work = batch.read(sending_rig.win(campaign.sender))
    with transaction.atomic():
        consent.lock([person.pk])
        submit = Beside(lambda: batch.submit(work))
        racing.wait_for_lock_waits()
        now = timezone.now()
        consent.opt_out(person, brand=campaign.brand, source=ConsentSource.TEXT, occurred_at=now, now=now)
    submit.join(10)

    assert [item.to for item in sending_rig.items(submit.result)] == [Contact.objects.latest("pk").phone]
    assert OutboundMessage.objects.get(contact=person).code == "SUPPRESSED"


@pytest.fixture
def carrier():
    """Listens and answers 500; what the ledger said when each call arrived."""
    seen = []

    class Carrier(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(list(OutboundMessage.objects.values_list("state", flat=True)))
            connection.close()
            self.send_error(500)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Carrier)
    server.daemon_threads = True
    Beside(server.serve_forever)
    yield seen, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def turn() -> None:
    """One batch of the most urgent lane, through the network."""
    with asyncio.Runner() as runner:
        desk = draining._Desk(runner, seats.Seats(4))
        try:
            desk.turn(draining.Stop(5))
        finally:
            desk.close()


def test_no_call_is_made_before_its_submit_is_committed(carrier):
    seen, url = carrier
    campaign = sending_rig.campaign(1)
    GatewayAccount.objects.update(base_url=url)

    turn()

    assert seen == [["submitting"]]
    assert sending_rig.states(campaign) == ["unknown"]


def test_a_contact_somebody_holds_for_long_costs_the_lane_a_second_not_its_lease(carrier):
    seen, url = carrier
    campaign = sending_rig.campaign(1)
    GatewayAccount.objects.update(base_url=url)
    with transaction.atomic():
        consent.lock([Contact.objects.get().pk])
        waiting = Beside(turn)
        waiting.join(10)
    lane = Lane.objects.get()
    assert isinstance(waiting.result, Error)
    assert seen == []
    assert sending_rig.states(campaign) == ["queued"]
    assert lane.lease_until <= timezone.now()
    assert lane.next_free_at <= timezone.now() + timedelta(seconds=1)
    assert lane.failures == 0


def test_a_commit_in_doubt_is_undone_as_soon_as_the_database_is_back(carrier, monkeypatch):
    seen, url = carrier
    campaign = sending_rig.campaign(1)
    GatewayAccount.objects.update(base_url=url)
    submit, undo, away = batch.submit, batch.undo, [1, 1]

    def in_doubt(work):
        submit(work)
        raise Error("the connection was lost at the commit")

    def at_last(together, *, rows):
        if away:
            away.pop()
            raise Error("the database is starting up")
        undo(together, rows=rows)

    monkeypatch.setattr(batch, "submit", in_doubt)
    monkeypatch.setattr(batch, "undo", at_last)
    with pytest.raises(Error, match="at the commit"):
        turn()

    assert seen == []
    assert sending_rig.states(campaign) == ["queued"]


def test_an_opt_out_the_carrier_holds_is_mirrored_though_the_contact_is_held_for_long():
    campaign = sending_rig.campaign(1)
    submitted = sending_rig.submit(campaign.sender)
    refusal = errors.RecipientOptedOut("21610", "unsubscribed")
    with transaction.atomic():
        consent.lock([Contact.objects.get().pk])
        answer = Beside(lambda: sending_rig.record(*submitted, outcome="rejected", error=refusal))
        answer.join(3)  # longer than the usual lock timeout
    answer.join(10)

    assert answer.result is None
    assert Suppression.objects.get().source == ConsentSource.CARRIER


def test_stop_of_somebody_who_is_being_deleted_counts():
    campaign = sending_rig.campaign(1)
    person = Contact.objects.get()
    text = InboundText(event_key="1", gateway_id="1", phone=person.phone, sender=campaign.sender.value, text="STOP")
    with transaction.atomic():
        Contact.objects.all().delete()
        stop = Beside(lambda: receiving.receive(campaign.sender.account, text, now=timezone.now()))
        racing.wait_for_lock_waits()
    stop.join(20)

    assert stop.result.intent == "opt_out"
    assert Suppression.objects.get().subscriber_key == person.subscriber_key


def test_two_submits_of_the_same_rows_send_each_once():
    campaign = sending_rig.campaign(3)
    first = batch.read(sending_rig.win(campaign.sender))
    sending_rig.free(campaign.sender)
    second = batch.read(sending_rig.win(campaign.sender))
    with transaction.atomic():
        consent.lock(list(Contact.objects.values_list("pk", flat=True)))
        both = [Beside(lambda: batch.submit(first)), Beside(lambda: batch.submit(second))]
        racing.wait_for_lock_waits()
    for one in both:
        one.join(10)

    assert both[0].result is None
    assert len(both[1].result.rows) == 3
    assert set(OutboundMessage.objects.values_list("submit_no", flat=True)) == {1}


def test_answers_and_receipts_of_one_batch_at_once_never_deadlock():
    campaign = sending_rig.campaign(30)
    account = campaign.sender.account
    for turn in range(5):
        OutboundMessage.objects.update(state="queued", due_at=sending_rig.LONG_AGO)
        sending_rig.free(campaign.sender)
        submitted = sending_rig.submit(campaign.sender)
        told = [
            Receipt(
                event_key=f"{turn}-{item.reference.hex}",
                reference=item.reference,
                gateway_id="",
                word="SENT",
                state="sent",
            )
            for item in reversed(sending_rig.items(submitted[2]))
        ]
        both = [
            Beside(lambda submitted=submitted: sending_rig.record(*submitted)),
            Beside(lambda told=told: receipts.record(account, told, now=timezone.now())),
        ]
        for one in both:
            one.join(20)
        assert [one.result for one in both] == [None, None]
        assert set(sending_rig.states(campaign)) == {"sent"}


def test_the_reconciler_leaves_what_somebody_is_writing_for_its_next_look():
    campaign = sending_rig.campaign(2)
    past = timezone.now() - timedelta(minutes=1)
    OutboundMessage.objects.update(state="unknown", submitted_at=past, submit_no=1, next_lookup_at=past)
    first, second = OutboundMessage.objects.filter(campaign=campaign).order_by("pk")
    with transaction.atomic():
        OutboundMessage.objects.select_for_update(no_key=True).get(pk=first.pk)
        reconciler = Beside(reconciling._take_due)
        reconciler.join(1.5)  # it would wait for two seconds

    assert [row.pk for row in reconciler.result] == [second.pk]


def test_two_senders_at_once_keep_one_cap():
    FrequencyCap.objects.create(purpose=Purpose.TRANSACTIONAL, most=1)
    frequency.forget()
    first = factories.sender()
    second = factories.sender(brand=first.brand)
    person = sending_rig.agreed(factories.contact(), first)
    for sender in (first, second):
        sending.queue(
            person, sender=sender, text="Your order has left.", purpose=Purpose.TRANSACTIONAL, kind=MessageKind.API,
            priority=Priority.TRANSACTIONAL, now=timezone.now(),
        )  # fmt: skip
    works = [batch.read(sending_rig.win(sender)) for sender in (first, second)]
    with transaction.atomic():
        consent.lock([person.pk])
        submits = [Beside(lambda work=work: batch.submit(work)) for work in works]
        racing.wait_for_lock_waits(2)
    for submit in submits:
        submit.join(10)

    rows = sorted(OutboundMessage.objects.values_list("state", "waiting_for"))
    assert rows == [("queued", "frequency_cap"), ("submitting", "")]
    frequency.forget()
