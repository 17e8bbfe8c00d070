"""A campaign that goes wrong pauses itself and says why; one that does not costs nothing."""

import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import further_senders, lifecycle, receipts, strikes
from campaigns.models import AnswerCount, Campaign, CampaignState, Sender
from smsdesk.gateways import errors
from smsdesk.gateways.contract import Receipt, SubmitResult
from tests import factories, racing, sending_rig

pytestmark = pytest.mark.django_db

FILTERED = errors.ContentBlocked("30007", "Message filtered")
LOST = errors.OutcomeUnknown("timeout", "no answer")
GONE = errors.InvalidRecipient("21211", "no such number")


@pytest.fixture
def campaign() -> Campaign:
    return factories.campaign(state=CampaignState.SENDING, prepared_at=timezone.now())


class Row:
    def __init__(self, campaign: Campaign, sender: Sender | None = None) -> None:
        self.campaign_id = campaign.pk
        self.sender_id = sender.pk if sender else campaign.sender_id


def answers(
    campaign: Campaign,
    *faults: errors.GatewayError | None,
    is_watched: bool = True,
    sender: Sender | None = None,
) -> None:
    """A batch of the campaign with these answers; None: accepted."""
    results = [
        SubmitResult(uuid.uuid4(), "accepted" if error is None else error.policy.outcome, error=error)
        for error in faults
    ]
    rows = {result.reference: Row(campaign, sender) for result in results}
    strikes.learn(results, rows, account=campaign.sender.account, is_watched=is_watched)
    campaign.refresh_from_db()


# --- in a row -----------------------------------------------------------------------------------------


def test_twenty_refusals_of_the_text_in_a_row_pause_the_campaign_with_code_cause_and_advice(campaign):
    answers(campaign, *[FILTERED] * 12)
    assert campaign.state == "sending"
    answers(campaign, *[FILTERED] * 8)
    assert campaign.state == "paused"
    assert "refused 20 messages in a row (30007)" in campaign.paused_reason
    assert "spam filter" in campaign.paused_reason
    assert "Look at the text" in campaign.paused_reason


def test_an_acceptance_in_between_begins_the_row_anew(campaign):
    answers(campaign, *[FILTERED] * 12, None, *[FILTERED] * 5)
    assert (campaign.strikes, campaign.state) == (5, "sending")
    answers(campaign, None)
    assert campaign.strikes == 0


def test_refused_numbers_are_nobodys_strike(campaign):
    answers(campaign, *[GONE] * 25)
    assert (campaign.strikes, campaign.state) == (0, "sending")


def test_what_was_refused_long_before_is_not_in_a_row(campaign):
    answers(campaign, *[FILTERED] * 12)
    Campaign.objects.update(watched_until=timezone.now() - timedelta(seconds=1))
    answers(campaign, *[FILTERED] * 12)
    assert (campaign.strikes, campaign.state) == (12, "sending")


def test_another_campaign_of_the_same_batch_is_left_alone(campaign):
    other = factories.campaign(sender=campaign.sender, state=CampaignState.SENDING)
    answers(campaign, *[FILTERED] * 25)
    answers(other, None)
    assert (campaign.state, other.state) == ("paused", "sending")


def test_resuming_clears_the_counts(campaign):
    answers(campaign, *[FILTERED] * 25)
    lifecycle.resume(campaign, by=None, now=timezone.now())
    assert not AnswerCount.objects.exists()
    answers(campaign, *[FILTERED] * 19)
    assert (campaign.strikes, campaign.state) == (19, "sending")


# --- too often ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lost", "state"), [(30, "sending"), (31, "paused")])
def test_more_than_thirty_of_a_hundred_lost_or_failed_pause_it(campaign, lost, state):
    answers(campaign, *[None] * (100 - lost), *[LOST] * (lost - 9), *[GONE] * 9)
    assert campaign.state == state


def test_the_reason_has_the_figures_and_the_most_frequent_cause(campaign):
    answers(campaign, *[None] * 60, *[LOST] * 35, *[GONE] * 5)
    assert "40 of the last 100 messages (40 %) failed or their outcome is not known." in campaign.paused_reason
    assert "answer got lost" in campaign.paused_reason
    assert "(timeout)" in campaign.paused_reason


def test_fewer_than_a_hundred_answers_say_nothing_yet(campaign):
    answers(campaign, *[LOST] * 99)
    assert campaign.state == "sending"
    answers(campaign, LOST)
    assert campaign.state == "paused"


def test_what_was_handed_back_is_no_answer(campaign):
    answers(campaign, *[None] * 20, *[LOST] * 40, *[errors.Throttled("429", "slow down")] * 100)
    assert campaign.state == "sending"


def test_answers_of_more_than_five_minutes_ago_do_not_count(campaign):
    answers(campaign, *[LOST] * 90)
    AnswerCount.objects.update(slot=strikes._slot(timezone.now() - timedelta(minutes=5, seconds=1)))
    answers(campaign, *[LOST] * 20)
    assert campaign.state == "sending"
    strikes.forget(now=timezone.now() + timedelta(minutes=58))
    assert AnswerCount.objects.count() == 1


def test_failures_that_receipts_tell_of_count_once_each():
    campaign = sending_rig.campaign(4)
    submitted = sending_rig.submit(campaign.sender)
    sending_rig.record(*submitted)
    answers(campaign, *[None] * 70, *[LOST] * 28)
    told = [
        Receipt(event_key=f"{n}", reference=item.reference, gateway_id="", word="UNDELIV", state="undelivered",
                code="30003", error_class=errors.ErrorClass.RECIPIENT)
        for n, item in enumerate(sending_rig.items(submitted[2])[:3])
    ]  # fmt: skip
    receipts.record(campaign.sender.account, told[:2], now=timezone.now())
    receipts.record(campaign.sender.account, told[:2], now=timezone.now())
    campaign.refresh_from_db()
    assert campaign.state == "sending"
    assert sum(AnswerCount.objects.values_list("failed", flat=True)) == 30
    Campaign.objects.update(watched_until=None)
    answers(campaign, None, None)
    receipts.record(campaign.sender.account, told, now=timezone.now())
    campaign.refresh_from_db()
    assert campaign.state == "paused"
    assert "31 of the last 100" in campaign.paused_reason


def test_a_sender_that_is_always_refused_is_not_hidden_by_the_others_that_are_accepted(campaign):
    british = factories.sender(brand=campaign.brand, account=campaign.sender.account)
    further_senders.write(campaign, [further_senders.Serving(british, ["GB"])])
    for _ in range(3):
        answers(campaign, *[FILTERED] * 6, sender=british)
        answers(campaign, *[None] * 50)
    assert (campaign.strikes, campaign.further_senders.get().strikes, campaign.state) == (0, 18, "sending")
    answers(campaign, *[FILTERED] * 2, sender=british)
    assert "refused 20 messages in a row" in campaign.paused_reason
    lifecycle.resume(campaign, by=None, now=timezone.now())
    assert campaign.further_senders.get().strikes == 0


# --- what it costs ------------------------------------------------------------------------------------


def test_a_batch_without_trouble_costs_no_statement(campaign, django_assert_num_queries):
    with django_assert_num_queries(0):
        answers_without_reading(campaign)


def answers_without_reading(campaign: Campaign) -> None:
    results = [SubmitResult(uuid.uuid4(), "accepted") for _ in range(200)]
    rows = {result.reference: Row(campaign) for result in results}
    strikes.learn(results, rows, account=campaign.sender.account, is_watched=False)


def test_a_lane_knows_when_something_went_wrong_lately_in_a_campaign_of_its_sender():
    campaign = sending_rig.campaign(2)
    tried = sending_rig.submit(campaign.sender)
    assert not tried[0][0].is_watched
    sending_rig.record(*tried, outcome="rejected", error=FILTERED)
    sending_rig.free(campaign.sender)
    assert sending_rig.win(campaign.sender)[0].is_watched


def test_trouble_costs_a_handful_of_statements_however_large_the_batch(campaign):
    with CaptureQueriesContext(connection) as queries:
        answers(campaign, *[None] * 180, *[LOST] * 20)
    assert len(queries) < 10


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
def test_lanes_that_count_at_the_same_moment_lose_no_strike_and_pause_once():
    campaign = factories.campaign(state=CampaignState.SENDING, prepared_at=timezone.now())
    jobs = [lambda: answers(Campaign.objects.select_related("sender__account").get(), *[FILTERED] * 4)] * 5
    assert racing.at_once(*jobs) == []
    campaign.refresh_from_db()
    assert (campaign.strikes, campaign.state) == (20, "paused")
    assert sum(AnswerCount.objects.values_list("answered", flat=True)) == 20


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_resuming_beside_a_batch_that_is_counted_never_deadlocks():
    campaign = factories.campaign(state=CampaignState.PAUSED, prepared_at=timezone.now())
    strikes._count(campaign.pk, answered=1, failed=1, now=timezone.now())

    def count_late() -> None:
        with transaction.atomic():
            strikes._count(campaign.pk, answered=1, failed=1, now=timezone.now())
            racing.wait_for_lock_waits()
            strikes._watch(campaign.pk, now=timezone.now())

    def resume() -> None:
        time.sleep(0.2)
        lifecycle.resume(Campaign.objects.get(pk=campaign.pk), by=None, now=timezone.now())

    assert racing.at_once(count_late, resume) == []
    campaign.refresh_from_db()
    assert (campaign.state, campaign.answer_counts.count()) == ("sending", 0)
