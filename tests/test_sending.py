from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import batch, lanes, lifecycle, reaping, sending
from campaigns.models import (
    Campaign,
    CampaignState,
    GatewayAccount,
    Lane,
    MessageKind,
    OutboundMessage,
    OutboundState,
    Priority,
)
from contacts import consent
from contacts.models import Brand, ConsentSource, Contact, Purpose, Suppression
from smsdesk.errors import Invalid
from smsdesk.gateways import errors
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db


def stop(contact: Contact, brand) -> None:
    now = timezone.now()
    consent.opt_out(contact, brand=brand, source=ConsentSource.TEXT, occurred_at=now, now=now)


def queue(contact, sender, **over) -> OutboundMessage:
    values = {
        "sender": sender,
        "text": "Your code is 1234.",
        "purpose": Purpose.TRANSACTIONAL,
        "kind": MessageKind.API,
        "priority": Priority.TRANSACTIONAL,
        "now": timezone.now(),
        **over,
    }
    return sending.queue(contact, **values)


# --- lanes --------------------------------------------------------------------------------------------


def test_a_lane_is_won_once():
    campaign = sending_rig.campaign()
    sending_rig.win(campaign.sender)

    assert lanes.win([campaign.sender.lanes.get().pk]) == []


def test_a_lane_with_due_rows_is_a_candidate_and_one_without_is_not():
    busy, idle = sending_rig.campaign(), factories.sender()
    lanes.ensure(idle)

    assert sending_rig.candidates() == [busy.sender.lanes.get().pk]


def test_a_paused_account_has_no_candidate_lane():
    campaign = sending_rig.campaign()
    GatewayAccount.objects.update(paused_at=timezone.now())

    assert sending_rig.candidates() == []
    assert campaign.state == CampaignState.SENDING


def test_replies_go_before_campaigns():
    slow, urgent = sending_rig.campaign(), factories.sender()
    contact = sending_rig.agreed(factories.contact(), urgent)
    queue(contact, urgent, priority=Priority.URGENT)

    assert sending_rig.candidates()[0] == urgent.lanes.get().pk
    assert len(sending_rig.candidates()) == 2
    assert slow.sender != urgent


def test_a_fast_sender_gets_more_lanes_and_never_fewer():
    sender = factories.sender(parts_per_second=2.5 * lanes.LANE_RATE)
    assert len(lanes.ensure(sender)) == 3
    sender.parts_per_second = 10
    assert len(lanes.ensure(sender)) == 3


def test_a_batch_keeps_the_lane_busy_for_what_its_parts_take():
    campaign = sending_rig.campaign(3, sender=factories.sender(parts_per_second=2.0))
    won, work, submitted = sending_rig.submit(campaign.sender)
    sending_rig.record(won, work, submitted)

    assert len(work.rows) == 2
    lane = Lane.objects.get()
    assert 0.4 < (lane.next_free_at - timezone.now()).total_seconds() < 1.1
    assert sending_rig.candidates() == []


def test_winning_a_lane_makes_what_a_dead_holder_left_unknown():
    campaign = sending_rig.campaign()
    sending_rig.submit(campaign.sender)
    sending_rig.free(campaign.sender)

    sending_rig.win(campaign.sender)

    assert sending_rig.states(campaign) == ["unknown"] * 3


# --- the batch ----------------------------------------------------------------------------------------


def test_a_batch_is_submitted_with_its_text_and_decision_then_accepted():
    campaign = sending_rig.campaign(1)
    won, work, submitted = sending_rig.submit(campaign.sender)
    row = OutboundMessage.objects.get()

    assert (row.state, row.body, row.parts) == ("submitting", "Hi Ana, your order is ready.", 1)
    assert row.verdict["code"] == "OK"
    assert row.verdict["event"]
    sending_rig.record(won, work, submitted)
    row.refresh_from_db()
    assert (row.state, row.gateway_id[:3]) == ("accepted", "gw-")
    assert Lane.objects.get().failures == 0


def test_stop_between_read_and_submit_is_skipped():
    campaign = sending_rig.campaign(2)
    work = batch.read(sending_rig.win(campaign.sender))
    stop(Contact.objects.earliest("pk"), campaign.brand)

    submitted = batch.submit(work)

    assert len(sending_rig.items(submitted)) == 1
    skipped = OutboundMessage.objects.get(state="skipped")
    assert skipped.code == "SUPPRESSED"
    assert skipped.verdict["outcome"] == "blocked"


def test_a_contact_deleted_between_read_and_submit_is_skipped():
    campaign = sending_rig.campaign(1)
    work = batch.read(sending_rig.win(campaign.sender))
    Contact.objects.all().delete()

    assert batch.submit(work) is None
    assert OutboundMessage.objects.get().code == "CONTACT_GONE"


def test_a_campaign_paused_between_read_and_submit_stays_queued():
    campaign = sending_rig.campaign(2)
    work = batch.read(sending_rig.win(campaign.sender))
    Campaign.objects.update(state=CampaignState.PAUSED)

    assert batch.submit(work) is None
    assert sending_rig.states(campaign) == ["queued", "queued"]


def test_what_outlives_its_offer_while_the_campaign_is_paused_is_never_sent():
    campaign = sending_rig.campaign(2)
    lifecycle.pause(campaign, by=None, now=timezone.now())
    ended = timezone.now() - timedelta(minutes=1)
    OutboundMessage.objects.filter(campaign=campaign).update(send_by=ended)
    lifecycle.resume(Campaign.objects.get(), by=None, now=timezone.now())

    _, _, submitted = sending_rig.submit(campaign.sender)

    assert submitted is None
    assert sending_rig.states(campaign) == ["skipped", "skipped"]
    assert set(OutboundMessage.objects.values_list("code", flat=True)) == {"TOO_LATE"}


def test_switching_a_brand_off_holds_its_messages_and_gives_none_up():
    campaign = sending_rig.campaign(2)
    work = batch.read(sending_rig.win(campaign.sender))
    Brand.objects.update(sending_paused=True)

    assert batch.submit(work) is None
    assert sending_rig.states(campaign) == ["queued", "queued"]
    assert OutboundMessage.objects.first().waiting_for == "sending_paused"


def test_a_lost_lane_submits_nothing():
    campaign = sending_rig.campaign(2)
    work = batch.read(sending_rig.win(campaign.sender))
    sending_rig.free(campaign.sender)
    sending_rig.win(campaign.sender)

    assert batch.submit(work) is None
    assert sending_rig.states(campaign) == ["queued", "queued"]


def test_somebody_without_consent_is_skipped_with_the_reason():
    campaign = sending_rig.campaign(0)
    sender = campaign.sender
    queue(factories.contact(), sender)

    _, _, submitted = sending_rig.submit(sender)

    assert submitted is None
    assert OutboundMessage.objects.get().code == "NO_CONSENT"


def test_marketing_at_night_waits_for_the_morning():
    sender = factories.sender()
    here = timezone.now().hour
    # A zone in which it is three in the morning now.
    ahead = (3 - here) % 24
    ahead = ahead - 24 if ahead > 12 else ahead
    zone = f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"
    contact = factories.contact(time_zone=zone, time_zone_source="stated")
    sending_rig.agreed(contact, sender, Purpose.MARKETING)
    queue(contact, sender, purpose=Purpose.MARKETING, text=f"{sender.brand.name}: sale! Reply STOP to end.")

    _, _, submitted = sending_rig.submit(sender)

    row = OutboundMessage.objects.get()
    assert submitted is None
    assert (row.state, row.waiting_for) == ("queued", "quiet_hours")
    assert row.due_at > timezone.now() + timedelta(hours=3)


def test_an_empty_field_without_default_keeps_that_message_back():
    campaign = sending_rig.campaign(1)
    Contact.objects.update(name="")

    _, _, submitted = sending_rig.submit(campaign.sender)

    assert submitted is None
    assert OutboundMessage.objects.get().code == "FIELD_EMPTY"


def test_a_full_batch_takes_under_thirty_statements_whatever_its_size():
    campaign = sending_rig.campaign(30)
    factories.read_rules()
    with CaptureQueriesContext(connection) as queries:
        won, work, submitted = sending_rig.submit(campaign.sender)
        sending_rig.record(won, work, submitted)

    assert len(sending_rig.items(submitted)) == 30
    assert len(queries) < 30


def test_a_row_that_kills_its_worker_is_given_up_after_three_attempts():
    campaign = sending_rig.campaign(2)
    for _ in range(6):
        sending_rig.free(campaign.sender)
        batch.read(sending_rig.win(campaign.sender))

    poisoned = OutboundMessage.objects.filter(code="POISON")
    assert [(row.state, row.final_at is None) for row in poisoned] == [("skipped", False)]
    assert sending_rig.states(campaign) == ["queued", "skipped"]


# --- what the gateway answers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "error", "state"),
    [
        ("rejected", errors.InvalidRecipient("21211", "no such number"), "rejected"),
        ("unknown", errors.OutcomeUnknown("timeout", "no answer"), "unknown"),
        ("again", errors.Throttled("429", "slow down", retry_after=7), "queued"),
        ("again", errors.NothingWritten("deadline", "too late"), "queued"),
        ("again", errors.AuthenticationFailed("401", "wrong key"), "queued"),
    ],
)
def test_each_answer_has_its_state(outcome, error, state):
    campaign = sending_rig.campaign(1)
    won, work, submitted = sending_rig.submit(campaign.sender)
    sending_rig.record(won, work, submitted, outcome=outcome, error=error)

    assert OutboundMessage.objects.get().state == state


def test_a_throttled_lane_waits_as_long_as_it_was_told():
    campaign = sending_rig.campaign(1)
    won, work, submitted = sending_rig.submit(campaign.sender)
    sending_rig.record(
        won, work, submitted, outcome="again", error=errors.Throttled("429", "slow down", retry_after=7)
    )

    assert 5 < (Lane.objects.get().next_free_at - timezone.now()).total_seconds() < 8
    assert OutboundMessage.objects.get().attempts == 0


def test_wrong_credentials_pause_the_account_and_fail_nothing():
    campaign = sending_rig.campaign(2)
    won, work, submitted = sending_rig.submit(campaign.sender)
    sending_rig.record(
        won, work, submitted, outcome="again", error=errors.AuthenticationFailed("20003", "wrong token")
    )

    account = GatewayAccount.objects.get()
    assert account.paused_at
    assert "20003" in account.paused_reason
    assert sending_rig.states(campaign) == ["queued", "queued"]


def test_an_opt_out_the_carrier_holds_is_mirrored():
    campaign = sending_rig.campaign(1)
    won, work, submitted = sending_rig.submit(campaign.sender)
    sending_rig.record(
        won, work, submitted, outcome="rejected", error=errors.RecipientOptedOut("21610", "unsubscribed")
    )

    assert Suppression.objects.get().source == ConsentSource.CARRIER


def test_a_late_answer_overwrites_nothing_but_proves_acceptance():
    campaign = sending_rig.campaign(1)
    won, work, submitted = sending_rig.submit(campaign.sender)
    OutboundMessage.objects.update(state=OutboundState.UNKNOWN)
    sending_rig.record(won, work, submitted)
    row = OutboundMessage.objects.get()
    assert (row.state, row.gateway_id[:3]) == ("accepted", "gw-")

    OutboundMessage.objects.update(state=OutboundState.DELIVERED)
    sending_rig.record(won, work, submitted)
    assert OutboundMessage.objects.get().state == "delivered"


def test_a_late_answer_to_an_older_submit_changes_nothing():
    campaign = sending_rig.campaign(1)
    won, work, submitted = sending_rig.submit(campaign.sender)
    OutboundMessage.objects.update(state=OutboundState.QUEUED)
    sending_rig.free(campaign.sender)
    sending_rig.submit(campaign.sender)

    sending_rig.record(won, work, submitted)

    row = OutboundMessage.objects.get()
    assert (row.state, row.submit_no, row.gateway_id) == ("submitting", 2, "")


# --- reaper -------------------------------------------------------------------------------------------


def test_the_reaper_makes_lapsed_rows_unknown_never_queued():
    campaign = sending_rig.campaign(2)
    sending_rig.submit(campaign.sender)
    assert reaping.reap() == 0

    OutboundMessage.objects.update(submitted_at=timezone.now() - timedelta(seconds=31))

    assert reaping.reap() == 2
    assert sending_rig.states(campaign) == ["unknown", "unknown"]


def test_rows_of_a_process_known_to_be_gone_need_not_wait():
    campaign = sending_rig.campaign(2)
    sending_rig.submit(campaign.sender)
    Lane.objects.update(holder="here:1:2")

    assert reaping.abandon("here:1:2") == 2
    assert OutboundMessage.objects.first().evidence == {"worker": "here:1:2", "worker_gone": True}
    assert Lane.objects.get().lease_until <= timezone.now()


# --- the queue ----------------------------------------------------------------------------------------


def test_an_empty_text_is_refused_and_says_so():
    sender = factories.sender()
    with pytest.raises(Invalid) as refused:
        queue(factories.contact(), sender, text=" \x00 ")
    assert (refused.value.field, refused.value.code) == ("text", "text_empty")


def test_cancelling_for_a_person_leaves_the_answer_to_stop():
    sender = factories.sender()
    contact = factories.contact()
    queue(contact, sender)
    queue(contact, sender, purpose=Purpose.COMPLIANCE, compliance_kind="optout_confirm")

    assert sending.cancel_for(contact, brand=sender.brand, code="OPTED_OUT", now=timezone.now()) == 1
    assert OutboundMessage.objects.get(state="queued").purpose == "compliance"


def test_a_row_that_may_have_left_is_parked_not_cancelled():
    contact, sender = factories.contact(), factories.sender()
    queue(contact, sender)
    OutboundMessage.objects.update(outcome_open=True)

    sending.cancel_for(contact, brand=sender.brand, code="OPTED_OUT", now=timezone.now())

    assert OutboundMessage.objects.get().state == "parked"


def test_a_phone_is_drained_once_nothing_of_it_is_in_a_call():
    campaign = sending_rig.campaign(1)
    key = Contact.objects.get().subscriber_key
    won, work, submitted = sending_rig.submit(campaign.sender)
    assert not sending.drained(key)

    sending_rig.record(won, work, submitted)

    assert sending.drained(key)


def test_the_same_idempotency_key_is_one_row():
    contact, sender = factories.contact(), factories.sender()
    queue(contact, sender, idempotency_key="k:1")
    with pytest.raises(IntegrityError), transaction.atomic():
        queue(contact, sender, idempotency_key="k:1")


def test_stopping_one_brand_leaves_what_another_has_queued():
    contact, ours, theirs = factories.contact(), factories.sender(), factories.sender()
    queue(contact, ours)
    queue(contact, theirs)

    sending.cancel_for(contact, brand=ours.brand, code="OPTED_OUT", now=timezone.now())

    assert OutboundMessage.objects.get(sender=theirs).state == "queued"
    assert OutboundMessage.objects.get(sender=ours).state == "cancelled"
