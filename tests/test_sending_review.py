"""What could have sent a message twice, after STOP, or lost it: one story each."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle, reaping, receipts, reconciling
from campaigns.models import Campaign, CampaignState, DeliveryEvent, Lane, OutboundMessage, OutboundState
from contacts.models import Suppression
from smsdesk.gateways import errors
from smsdesk.gateways.contract import Receipt
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db


def again(campaign: Campaign):
    """The next submit of the campaign's lane, whoever had it."""
    sending_rig.free(campaign.sender)
    OutboundMessage.objects.filter(state=OutboundState.QUEUED).update(due_at=sending_rig.LONG_AGO)
    return sending_rig.submit(campaign.sender)


def settle(*, exact: bool) -> OutboundMessage:
    reconciling._not_seen(OutboundMessage.objects.get(), exact=exact, now=timezone.now())
    return OutboundMessage.objects.get()


# --- never twice --------------------------------------------------------------------------------------


def test_that_nothing_was_written_in_one_submit_proves_nothing_about_the_next():
    campaign = sending_rig.campaign(1)
    frozen = sending_rig.submit(campaign.sender)
    OutboundMessage.objects.update(state=OutboundState.UNKNOWN)
    sending_rig.record(*frozen, outcome="again", error=errors.NothingWritten("deadline", "too late"))
    assert settle(exact=False).state == "queued"

    timed_out = again(campaign)
    sending_rig.record(*timed_out, outcome="unknown", error=errors.OutcomeUnknown("timeout", "no answer"))

    assert settle(exact=False).state == "unknown"


def test_a_throttled_submit_does_not_shorten_the_grace_of_the_next():
    campaign = sending_rig.campaign(1)
    throttled = sending_rig.submit(campaign.sender)
    sending_rig.record(*throttled, outcome="again", error=errors.Throttled("429", "slow down"))
    again(campaign)
    OutboundMessage.objects.update(submitted_at=timezone.now() - timedelta(seconds=300))
    Lane.objects.update(holder="elsewhere:1:2")
    reaping.reap()

    assert settle(exact=True).state == "unknown"


def test_never_seen_counts_no_more_once_the_gateway_may_have_dropped_its_log():
    campaign = sending_rig.campaign(1)
    sending_rig.submit(campaign.sender)
    long_ago = timezone.now() - timedelta(hours=49)
    OutboundMessage.objects.update(state="unknown", submitted_at=long_ago, evidence={"worker_gone": True})

    assert (settle(exact=True).state, OutboundMessage.objects.get().code) == ("parked", "NO_PROOF")


def test_a_late_acceptance_of_a_row_that_waits_to_be_sent_again_stops_that():
    campaign = sending_rig.campaign(1)
    late = sending_rig.submit(campaign.sender)
    OutboundMessage.objects.update(state=OutboundState.QUEUED)

    sending_rig.record(*late)

    assert sending_rig.states(campaign) == ["accepted"]


def test_a_reaper_that_looked_before_a_new_submit_leaves_that_submit_alone():
    campaign = sending_rig.campaign(1)
    sending_rig.submit(campaign.sender)
    row = OutboundMessage.objects.get()

    assert reaping._mark([(row.pk, uuid.uuid4())], evidence=None) == 0
    assert sending_rig.states(campaign) == ["submitting"]


# --- nothing lost -------------------------------------------------------------------------------------


def test_a_lookup_that_keeps_failing_does_not_keep_a_row_unknown_for_ever():
    campaign = sending_rig.campaign(1)
    sending_rig.submit(campaign.sender)
    OutboundMessage.objects.update(
        state="unknown", submitted_at=timezone.now() - timedelta(hours=25), next_lookup_at=sending_rig.LONG_AGO
    )

    assert reconciling.reconcile() == 1  # nobody listens at the account's address

    assert sending_rig.states(campaign) == ["parked"]


def test_an_account_that_cannot_be_opened_keeps_no_other_from_being_reconciled():
    broken, sound = sending_rig.campaign(1), sending_rig.campaign(1)
    for one in (broken, sound):
        sending_rig.submit(one.sender)
    OutboundMessage.objects.update(
        state="unknown", submitted_at=timezone.now() - timedelta(hours=25), next_lookup_at=sending_rig.LONG_AGO
    )
    broken.sender.account.credentials = "v9.nonsense"
    broken.sender.account.save()

    assert reconciling.reconcile() == 2
    assert sending_rig.states(sound) == ["parked"]
    assert sending_rig.states(broken) == ["parked"]


def test_a_campaign_paused_and_resumed_while_it_is_prepared_still_gets_everybody():
    campaign = sending_rig.campaign(3)
    OutboundMessage.objects.all().delete()
    Campaign.objects.update(state=CampaignState.PREPARING, prepared_through=0, prepared_at=None)
    campaign.refresh_from_db()

    # Somebody else's round saw the pause and stopped; when it goes on, the campaign is preparing again.
    lifecycle.begin_sending(campaign, now=timezone.now())
    campaign.refresh_from_db()
    assert campaign.state == "preparing"

    lifecycle.prepare_due(now=timezone.now())
    campaign.refresh_from_db()
    assert (campaign.state, OutboundMessage.objects.count()) == ("sending", 3)


def test_send_now_is_not_begun_by_machine_two_hours_later():
    campaign = factories.campaign(factories.contact_list(factories.contact()), state=CampaignState.SCHEDULED)
    Campaign.objects.update(launched_at=timezone.now() - timedelta(hours=2))

    lifecycle.start_due(now=timezone.now())

    campaign.refresh_from_db()
    assert campaign.state == "paused"


def test_the_latest_start_counts_for_send_now_too():
    now = timezone.now()
    campaign = factories.campaign(
        factories.contact_list(factories.contact()),
        state=CampaignState.SCHEDULED,
        launched_at=now - timedelta(minutes=9),
        latest_start=now - timedelta(minutes=5),
    )
    lifecycle.start_due(now=now)
    campaign.refresh_from_db()
    assert campaign.state == "paused"


def receipt(**over) -> Receipt:
    values = {"event_key": uuid.uuid4().hex, "reference": None, "gateway_id": "early", "word": "X", "state": "sent"}
    return Receipt(**{**values, "at": timezone.now(), **over})


def test_an_opt_out_reported_before_its_message_was_known_is_mirrored_when_it_is():
    campaign = sending_rig.campaign(1)
    sending_rig.record(*sending_rig.submit(campaign.sender))
    told = receipt(state="rejected", error_class=errors.ErrorClass.OPTED_OUT)
    receipts.record(campaign.sender.account, [told], now=timezone.now())
    OutboundMessage.objects.update(gateway_id="early")

    assert receipts.rematch(now=timezone.now()) == 1
    assert Suppression.objects.get().source == "carrier"


def test_receipts_nobody_will_ever_match_do_not_keep_others_from_being_matched(monkeypatch):
    monkeypatch.setattr(receipts, "REMATCHED", 3)
    campaign = sending_rig.campaign(1)
    sending_rig.record(*sending_rig.submit(campaign.sender))
    account = campaign.sender.account
    foreign = [receipt(gateway_id=f"foreign-{number}") for number in range(5)]
    receipts.record(account, foreign, now=timezone.now() - timedelta(hours=1))
    receipts.record(account, [receipt(state="delivered")], now=timezone.now())
    OutboundMessage.objects.update(gateway_id="early")

    assert receipts.rematch(now=timezone.now()) == 1
    assert DeliveryEvent.objects.filter(message=None).count() == 5


def test_a_refusal_that_is_reported_again_does_not_end_a_message_that_will_be_tried_again():
    campaign = sending_rig.campaign(1)
    refused = sending_rig.submit(campaign.sender)
    sending_rig.record(*refused, outcome="again", error=errors.NotTaken("flood", "too many at once"))
    row = OutboundMessage.objects.get()

    told = receipt(reference=row.public_id, state="rejected")
    receipts.record(campaign.sender.account, [told], now=timezone.now())

    assert sending_rig.states(campaign) == ["queued"]


def test_a_receipt_of_acceptance_stops_a_message_from_being_tried_again():
    campaign = sending_rig.campaign(1)
    refused = sending_rig.submit(campaign.sender)
    sending_rig.record(*refused, outcome="again", error=errors.NotTaken("flood", "too many at once"))
    row = OutboundMessage.objects.get()

    receipts.record(campaign.sender.account, [receipt(reference=row.public_id)], now=timezone.now())

    assert sending_rig.states(campaign) == ["sent"]
