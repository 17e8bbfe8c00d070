"""What could have sent a message twice, after STOP, or lost it: one story each."""

import asyncio
import socket
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from campaigns import (
    accounts,
    batch,
    careful,
    draining,
    lanes,
    lifecycle,
    pulse,
    reaping,
    receipts,
    reconciling,
    recording,
    seats,
    sending,
)
from campaigns.models import (
    Campaign,
    CampaignState,
    DeliveryEvent,
    GatewayAccount,
    Lane,
    MessageKind,
    OutboundMessage,
    OutboundState,
    Priority,
)
from contacts import consent
from contacts.models import ConsentSource, Contact, Purpose, Suppression
from smsdesk import failpoints, processes
from smsdesk.gateways import client, errors, registry
from smsdesk.gateways.contract import Receipt
from smsdesk.models import Heartbeat
from tests import factories, sending_rig, world

pytestmark = pytest.mark.django_db


def again(campaign: Campaign):
    """The next submit of the campaign's lane, whoever had it."""
    sending_rig.free(campaign.sender)
    OutboundMessage.objects.filter(state=OutboundState.QUEUED).update(due_at=sending_rig.LONG_AGO)
    return sending_rig.submit(campaign.sender)


def settle(*, exact: bool) -> OutboundMessage:
    can = registry.capabilities("infobip" if exact else "twilio")
    reconciling._move([OutboundMessage.objects.get()], can=can, was_asked=True)
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

    assert reaping._mark([(row.pk, uuid.uuid4(), None)]) == 0
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
    Campaign.objects.update(state=CampaignState.PREPARING, cut_through=None, prepared_at=None)
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


# --- one lane's trouble is no other's -----------------------------------------------------------------


@pytest.fixture
def desk():
    with asyncio.Runner() as runner:
        made = draining._Desk(runner, seats.Seats(4))
        yield made
        made.close()


@pytest.mark.parametrize("fault", [{"credentials": "v9.nonsense"}, {"base_url": "nonsense"}])
def test_an_account_that_cannot_be_used_is_paused_and_loses_no_message(desk, fault):
    campaign = sending_rig.campaign(1)
    GatewayAccount.objects.update(**fault)

    desk.turn(draining.Stop(5))

    assert "cannot be used" in GatewayAccount.objects.get().paused_reason
    assert sending_rig.states(campaign) == ["queued"]
    assert Lane.objects.get().failures == 0


def test_a_fault_while_connecting_is_tried_again_and_pauses_nobody(desk, tmp_path):
    campaign = sending_rig.campaign(1)
    failpoints.arm("call.connected=raise@1", journal=tmp_path / "journal")
    try:
        desk.turn(draining.Stop(5))
    finally:
        failpoints.arm("", journal=None)

    account = GatewayAccount.objects.get()
    assert (account.paused_at, account.troubles) == (None, 1)
    assert sending_rig.states(campaign) == ["queued"]
    assert Lane.objects.get().failures == 0


@pytest.mark.parametrize(("kind", "connections"), [("twilio", [3]), ("infobip", [1])])
def test_connections_are_opened_for_calls_not_for_messages(desk, monkeypatch, kind, connections):
    opened = []

    async def connect(http, base_url, *, connections):
        opened.append(connections)

    monkeypatch.setattr(client, "connect", connect)
    account = sending_rig.campaign(3).sender.account
    account.kind = kind
    accounts.store_credentials(account, world.CREDENTIALS[kind])
    account.save()

    desk.turn(draining.Stop(5))

    assert opened == connections


def test_a_submit_whose_commit_is_in_doubt_is_undone_and_frees_its_lane():
    campaign = sending_rig.campaign(2)
    won, _, _ = sending_rig.submit(campaign.sender)

    batch.undo(won)

    assert sending_rig.states(campaign) == ["queued", "queued"]
    lane = Lane.objects.get()
    assert lane.lease_until <= timezone.now()
    assert lane.failures == 0


def test_undoing_a_submit_leaves_the_next_holders_alone():
    campaign = sending_rig.campaign(1)
    old = sending_rig.win(campaign.sender)
    sending_rig.free(campaign.sender)
    sending_rig.submit(campaign.sender)

    batch.undo(old)

    assert sending_rig.states(campaign) == ["submitting"]
    assert Lane.objects.get().lease_until > timezone.now()


def test_a_step_of_the_pulse_that_fails_keeps_no_other_from_being_done():
    done = []

    def fails():
        raise RuntimeError("broken")

    pulse.each(fails, lambda: done.append(True))
    assert done == [True]


def test_a_sender_of_a_thousand_campaigns_sends():
    campaign = sending_rig.campaign(1)
    waiting = [
        Campaign(name="Waits", brand=campaign.brand, sender=campaign.sender, state=CampaignState.SENDING)
        for _ in range(1_000)
    ]
    Campaign.objects.bulk_create(waiting)

    work = batch.read(sending_rig.win(campaign.sender))

    assert [row.campaign_id for row in work.rows] == [campaign.pk]


def test_a_lane_in_somebodys_hand_is_waited_for_not_asked_for_all_the_time():
    campaign = sending_rig.campaign(1)
    assert lanes.earliest() is None
    sending_rig.win(campaign.sender)
    assert lanes.earliest() > 30


def test_a_lane_that_pauses_by_its_pace_is_waited_for_as_long():
    campaign = sending_rig.campaign(3, sender=factories.sender(parts_per_second=2))
    sending_rig.record(*sending_rig.submit(campaign.sender))
    assert 0.5 < lanes.earliest() <= 1
    GatewayAccount.objects.update(paused_at=timezone.now())
    assert lanes.earliest() is None


def test_a_lane_stays_careful_until_the_row_that_ended_its_worker_is_found():
    campaign = sending_rig.campaign(4)
    rows = list(OutboundMessage.objects.order_by("pk"))
    poison = rows[2].pk
    for _ in range(12):
        sending_rig.free(campaign.sender)
        won = sending_rig.win(campaign.sender)
        work = batch.read(won)
        if any(row.id == poison for row in work.rows):
            continue  # it ended its worker
        if submitted := batch.submit(work):
            sending_rig.record(won, work, submitted)
        else:
            lanes.slow(won, seconds=0)

    assert sending_rig.states(campaign) == ["accepted", "accepted", "accepted", "skipped"]
    assert OutboundMessage.objects.get(pk=poison).code == "POISON"


def test_a_careful_lane_becomes_quick_again():
    campaign = sending_rig.campaign(3)
    Lane.objects.update(failures=lanes.FAILURES + lanes.CAREFUL - 1)
    won, work, submitted = sending_rig.submit(campaign.sender)
    assert len(work.rows) == 1
    sending_rig.record(won, work, submitted)
    sending_rig.free(campaign.sender)
    assert len(batch.read(sending_rig.win(campaign.sender)).rows) == 2


def test_a_message_queued_while_the_last_drain_ends_wakes_another(django_capture_on_commit_callbacks):
    sender, contact = factories.sender(), factories.contact()
    Heartbeat.objects.create(name="drain:here:1:2", beat_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        sending.queue(
            contact,
            sender=sender,
            text="Your code is 1234.",
            purpose=Purpose.TRANSACTIONAL,
            kind=MessageKind.API,
            priority=Priority.TRANSACTIONAL,
            now=timezone.now(),
        )
        # The drain looked for rows once more, before the commit, and left.
        Heartbeat.objects.all().delete()

    assert OrmQ.objects.count() == 1


# --- an outcome that is open stays open ---------------------------------------------------------------


def with_open_outcome() -> Campaign:
    campaign = sending_rig.campaign(1)
    OutboundMessage.objects.update(outcome_open=True)
    return campaign


def test_a_row_with_an_open_outcome_is_parked_where_another_would_be_skipped():
    campaign = with_open_outcome()
    person = Contact.objects.get()
    now = timezone.now()
    consent.opt_out(person, brand=campaign.brand, source=ConsentSource.TEXT, occurred_at=now, now=now)

    assert sending_rig.submit(campaign.sender)[2] is None
    assert OutboundMessage.objects.values_list("state", "code").get() == ("parked", "SUPPRESSED")


def test_a_row_with_an_open_outcome_is_parked_where_another_would_be_rejected():
    campaign = with_open_outcome()
    refusal = errors.InvalidRecipient("21211", "no such number")
    sending_rig.record(*sending_rig.submit(campaign.sender), outcome="rejected", error=refusal)
    assert sending_rig.states(campaign) == ["parked"]


def test_a_row_with_an_open_outcome_is_parked_when_its_tries_are_used_up():
    campaign = with_open_outcome()
    OutboundMessage.objects.update(attempts=recording.MOST_ATTEMPTS - 1)
    refusal = errors.NotTaken("503", "try later")
    sending_rig.record(*sending_rig.submit(campaign.sender), outcome="again", error=refusal)
    assert sending_rig.states(campaign) == ["parked"]


def test_refusals_of_the_gateway_are_no_deaths_of_a_worker():
    campaign = sending_rig.campaign(1)
    OutboundMessage.objects.update(attempts=recording.MOST_ATTEMPTS - 1)
    Lane.objects.update(failures=lanes.FAILURES)
    assert sending_rig.submit(campaign.sender)[2] is not None


def test_a_worker_that_lived_to_record_a_row_was_not_ended_by_it():
    campaign = sending_rig.campaign(1)
    OutboundMessage.objects.update(deaths=careful.MOST_DEATHS - 1)
    Lane.objects.update(failures=lanes.FAILURES)
    refusal = errors.Throttled("429", "slow down", retry_after=7)
    sending_rig.record(*sending_rig.submit(campaign.sender), outcome="again", error=refusal)
    assert OutboundMessage.objects.values_list("state", "deaths").get() == ("queued", 0)


def test_an_undo_that_is_done_twice_takes_back_one_death():
    campaign = sending_rig.campaign(1)
    OutboundMessage.objects.update(deaths=2)
    Lane.objects.update(failures=lanes.FAILURES)
    won, work, _ = sending_rig.submit(campaign.sender)
    batch.undo(won, rows=work.rows)
    batch.undo(won, rows=work.rows)
    assert OutboundMessage.objects.values_list("state", "deaths").get() == ("queued", 2)


def test_a_row_with_an_open_outcome_that_kills_its_worker_is_parked():
    campaign = with_open_outcome()
    OutboundMessage.objects.update(deaths=careful.MOST_DEATHS)
    Lane.objects.update(failures=lanes.FAILURES)
    batch.read(sending_rig.win(campaign.sender))
    assert sending_rig.states(campaign) == ["parked"]


def test_a_holder_whose_lease_has_run_out_submits_nothing_even_if_nobody_took_the_lane():
    campaign = sending_rig.campaign(1)
    work = batch.read(sending_rig.win(campaign.sender))
    sending_rig.free(campaign.sender)

    assert batch.submit(work) is None
    assert sending_rig.states(campaign) == ["queued"]


def test_a_process_of_another_container_with_the_same_host_name_is_not_taken_for_dead():
    place, pid, _ = processes.identity().rsplit(":", 2)
    assert processes.is_gone(f"{place}:{pid}:1") is True
    assert processes.is_gone(f"{place}1:{pid}:1") is None
    assert processes.is_gone(f"{socket.gethostname()}:{pid}:1") is None
