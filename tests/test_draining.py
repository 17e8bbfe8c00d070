import time
import uuid

import pytest
from django.db import Error, connection
from django_q.models import OrmQ

from campaigns import batch, draining, lanes, places, sending, tasks
from campaigns.models import Lane, Sender
from smsdesk.gateways import errors
from smsdesk.gateways.contract import SubmitResult
from smsdesk.models import Heartbeat
from tests import sending_rig


def results(*, begun: int, late: int) -> list[SubmitResult]:
    too_late = errors.NothingWritten("deadline", "nothing was written")
    return [
        *(SubmitResult(reference=uuid.uuid4(), outcome="accepted") for _ in range(begun)),
        *(SubmitResult(reference=uuid.uuid4(), outcome="again", error=too_late) for _ in range(late)),
    ]


def test_a_batch_shrinks_to_what_could_begin_in_time_and_grows_back():
    appetite = draining.Appetite()
    assert appetite.most == batch.MOST_WITH_LOOKUP

    appetite.learn(results(begun=120, late=80))
    assert appetite.most == 120

    appetite.learn(results(begun=120, late=0))
    assert appetite.most == 120 + draining.LEAST


def test_a_batch_keeps_a_few_rows_however_slow_the_gateway_is():
    appetite = draining.Appetite()
    appetite.learn(results(begun=0, late=200))
    assert appetite.most == draining.LEAST


def test_a_refusal_is_not_slowness():
    appetite = draining.Appetite()
    refused = SubmitResult(reference=uuid.uuid4(), outcome="rejected", error=errors.InvalidRecipient("1", "no"))
    appetite.learn([refused])
    assert appetite.most == batch.MOST_WITH_LOOKUP


def test_a_batch_that_keeps_the_machine_busy_for_long_makes_the_next_ones_smaller_down_to_fifty():
    appetite = draining.Appetite()
    appetite.learn(results(begun=400, late=0), busy=1.4)
    assert appetite.most == 300
    for _ in range(20):
        appetite.learn(results(begun=appetite.most, late=0), busy=1.4)
    # Where even fifty take long it is not their number: it tries a few more, and comes back.
    assert draining.FEW <= appetite.most <= draining.FEW + draining.LEAST


@pytest.mark.django_db(transaction=True)
def test_a_drain_calls_its_successor_while_it_still_sends_and_its_place_is_free_then():
    calls = []

    def relieve() -> bool:
        calls.append((time.monotonic(), places.staying_here(), places.sending()))
        return True

    begun = time.monotonic()
    assert not draining.drain(seconds=draining.RELIEF + 1.5, relieve=relieve)

    [(called, staying, sending)] = calls
    assert (staying, sending) == (0, 1)
    assert 1.0 < called - begun < time.monotonic() - begun - 0.5
    assert not Heartbeat.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_drain_has_one_successor_however_many_messages_come_while_it_leaves(monkeypatch, settings, workers):
    settings.WORKERS = workers
    sending_rig.campaign(1)
    Lane.objects.update(next_free_at="2099-01-01T00:00:00Z")  # nothing can leave
    run = draining.drain

    def while_messages_come(*, relieve):
        def relieve_among_them() -> bool:
            is_relieved = relieve()
            for _ in range(20):
                sending.wake()
            return is_relieved

        return run(seconds=draining.RELIEF + 1.0, relieve=relieve_among_them)

    monkeypatch.setattr(draining, "drain", while_messages_come)
    OrmQ.objects.all().delete()
    tasks.drain()

    assert OrmQ.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_successor_is_called_although_the_database_was_away_for_a_moment(monkeypatch):
    calls, away, give_on = [], [1], places.give_on

    def give_on_at_last() -> None:
        if away:
            away.pop()
            raise Error("the connection was lost")
        give_on()

    monkeypatch.setattr(places, "give_on", give_on_at_last)
    draining.drain(seconds=draining.RELIEF + 1.5, relieve=lambda: calls.append(1) or True)
    assert calls == [1]


@pytest.mark.django_db
def test_a_batch_with_somebody_who_waits_for_an_answer_takes_few_of_a_campaign_along():
    campaign = sending_rig.campaign(12)
    won = sending_rig.win(campaign.sender)
    assert len(batch.read(won, beside_urgent=5).rows) == 12

    answer = sending_rig.reply(campaign.sender)

    rows = batch.read(won, beside_urgent=5).rows
    assert rows[0].id == answer.pk
    assert len(rows) == 6


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite wins one lane at a time")
@pytest.mark.django_db
def test_lanes_that_are_won_together_share_what_goes_along_with_an_answer():
    senders = [sending_rig.campaign(4).sender for _ in range(3)]
    Sender.objects.update(account=senders[0].account, parts_per_second=19)
    sending_rig.reply(senders[0])
    won = lanes.win(list(Lane.objects.filter(number=0).values_list("pk", flat=True)))

    assert len(won) == 3
    assert len(batch.read(won, beside_urgent=6).rows) == 7


def test_what_goes_along_with_an_answer_is_what_is_worked_off_soon():
    appetite = draining.Appetite()
    assert appetite.beside_urgent == batch.MOST_WITH_LOOKUP
    appetite.learn(results(begun=500, late=0), busy=1.0)
    assert appetite.beside_urgent == 75
    for _ in range(20):
        appetite.learn(results(begun=500, late=0), busy=0.1)  # a machine with nothing else to do
    assert appetite.beside_urgent > batch.MOST_WITH_LOOKUP
    for _ in range(20):
        appetite.learn(results(begun=10, late=0), busy=10.0)
    assert appetite.beside_urgent == draining.FEW
