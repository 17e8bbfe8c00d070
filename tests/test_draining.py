import uuid

from campaigns import batch, draining
from smsdesk.gateways import errors
from smsdesk.gateways.contract import SubmitResult


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
