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
    assert appetite.most == batch.MOST

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
    assert appetite.most == batch.MOST
