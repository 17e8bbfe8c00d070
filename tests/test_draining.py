import time
import uuid

import pytest

from campaigns import batch, draining, due_rows
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

    def relieve() -> None:
        calls.append((time.monotonic(), Heartbeat.objects.filter(name__startswith="drain:").exists()))

    begun = time.monotonic()
    assert draining.drain(seconds=draining.RELIEF + 1.5, relieve=relieve)

    [(called, has_place)] = calls
    assert not has_place
    assert 1.0 < called - begun < time.monotonic() - begun - 0.5
    assert not Heartbeat.objects.exists()


@pytest.mark.django_db
def test_a_batch_with_somebody_who_waits_for_an_answer_takes_few_of_a_campaign_along():
    campaign = sending_rig.campaign(due_rows.BESIDE_URGENT + 10)
    won = sending_rig.win(campaign.sender)
    assert len(batch.read(won).rows) == due_rows.BESIDE_URGENT + 10

    answer = sending_rig.reply(campaign.sender)

    rows = batch.read(won).rows
    assert rows[0].id == answer.pk
    assert len(rows) == 1 + due_rows.BESIDE_URGENT
