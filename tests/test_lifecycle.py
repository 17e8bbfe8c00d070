from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns import lifecycle, reconciling
from campaigns.models import Campaign, CampaignState, OutboundMessage, OutboundState
from contacts.models import ContactList, ListMembership
from smsdesk.errors import DomainError, WrongState
from smsdesk.gateways import registry
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db


def draft(people: int = 2, **over) -> Campaign:
    sender = over.pop("sender", None) or factories.sender()
    group = ContactList.objects.create(name=f"Draft {ContactList.objects.count()}")
    for _ in range(people):
        ListMembership.objects.create(list=group, contact=factories.contact(name="Bo"))
    values = {
        "name": "News",
        "brand": sender.brand,
        "sender": sender,
        "body": "Hi",
        "purpose": "transactional",
        **over,
    }
    made = Campaign.objects.create(**values)
    made.include.add(group)
    return made


def launch(campaign: Campaign) -> Campaign:
    return lifecycle.launch(campaign, by=None, now=timezone.now())


def pulse() -> None:
    now = timezone.now()
    lifecycle.start_due(now=now)
    lifecycle.prepare_due(now=now)


def test_a_launched_campaign_gets_a_row_per_person_and_begins_sending():
    campaign = launch(draft(3))
    pulse()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.audience_size) == ("sending", 3)
    assert OutboundMessage.objects.filter(campaign=campaign, state="queued").count() == 3


def test_launching_twice_is_refused_with_the_state():
    campaign = launch(draft())
    with pytest.raises(WrongState) as refused:
        launch(campaign)
    assert refused.value.value == "scheduled"


def test_two_operators_who_read_the_same_draft_launch_it_once():
    campaign = draft()
    other = Campaign.objects.get(pk=campaign.pk)
    launch(campaign)
    with pytest.raises(WrongState):
        launch(other)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"body": "  "}, "body"),
        ({"body": "{% if %}"}, "body"),
        ({"brand": None}, "brand"),
        ({"sender": None}, "sender"),
        ({"send_at": timezone.now() - timedelta(days=2)}, "send_at"),
        ({"send_by": timezone.now() - timedelta(days=2)}, "send_by"),
    ],
)
def test_a_draft_that_lacks_something_names_the_field(change, field):
    campaign = draft()
    for name, value in change.items():
        setattr(campaign, name, value)
    campaign.save()
    with pytest.raises(DomainError) as refused:
        launch(campaign)
    assert refused.value.field == field
    assert refused.value.cure


def test_a_latest_start_before_the_beginning_is_refused():
    now = timezone.now()
    campaign = draft(send_at=now + timedelta(hours=2), latest_start=now + timedelta(hours=1))
    assert [problem.field for problem in lifecycle.problems(campaign, now=now)] == ["latest_start"]


def test_excluded_people_get_no_row():
    campaign = draft(3)
    unwanted = ContactList.objects.create(name="Not them")
    ListMembership.objects.create(list=unwanted, contact=campaign.include.get().contacts.first())
    campaign.exclude.add(unwanted)
    launch(campaign)
    pulse()
    assert OutboundMessage.objects.count() == 2


def test_somebody_on_two_lists_gets_one_row():
    campaign = draft(2)
    second = ContactList.objects.create(name="Also")
    for contact in campaign.include.get().contacts.all():
        ListMembership.objects.create(list=second, contact=contact)
    campaign.include.add(second)
    launch(campaign)
    pulse()
    assert OutboundMessage.objects.count() == 2


def test_the_snapshot_may_be_taken_again_and_makes_nobody_a_second_row():
    launch(draft(3))
    pulse()
    Campaign.objects.update(state=CampaignState.PREPARING, cut_through=None)
    pulse()
    assert OutboundMessage.objects.count() == 3
    assert Campaign.objects.get().duplicates == 3


def test_the_database_itself_refuses_a_second_row_for_a_person():
    launch(draft(1))
    pulse()
    row = OutboundMessage.objects.get()
    row.pk, row.public_id = None, "8a4f7d6e-0000-4000-8000-000000000000"
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_a_scheduled_campaign_waits_for_its_time():
    campaign = launch(draft(send_at=timezone.now() + timedelta(hours=1)))
    pulse()
    campaign.refresh_from_db()
    assert campaign.state == "scheduled"
    lifecycle.start_due(now=timezone.now() + timedelta(hours=1, seconds=1))
    campaign.refresh_from_db()
    assert campaign.state == "preparing"


def test_a_start_that_was_missed_is_left_to_a_person():
    campaign = launch(draft(send_at=timezone.now() + timedelta(hours=1)))
    lifecycle.start_due(now=timezone.now() + timedelta(hours=3))
    campaign.refresh_from_db()
    assert campaign.state == "paused"
    assert "missed" in campaign.paused_reason


def test_pause_and_resume_return_to_sending():
    campaign = launch(draft())
    pulse()
    campaign.refresh_from_db()
    lifecycle.pause(campaign, by=None, now=timezone.now())
    assert campaign.state == "paused"
    lifecycle.resume(campaign, by=None, now=timezone.now())
    assert campaign.state == "sending"


def test_a_cancelled_campaign_takes_its_waiting_rows_along():
    campaign = sending_rig.campaign(3)
    OutboundMessage.objects.filter(pk=OutboundMessage.objects.first().pk).update(outcome_open=True)
    lifecycle.cancel(campaign, by=None, now=timezone.now())
    lifecycle.sweep_cancelled(now=timezone.now())
    assert sending_rig.states(campaign) == ["cancelled", "cancelled", "parked"]
    with pytest.raises(WrongState):
        lifecycle.resume(campaign, by=None, now=timezone.now())


def test_a_campaign_is_finished_when_nothing_of_it_is_open():
    campaign = sending_rig.campaign(2)
    won, work, submitted = sending_rig.submit(campaign.sender)
    assert lifecycle.finish_done(now=timezone.now()) == 0
    sending_rig.record(won, work, submitted)
    assert lifecycle.finish_done(now=timezone.now()) == 1


# --- unknown outcomes ---------------------------------------------------------------------------------


def unknown(age: float, **over) -> OutboundMessage:
    campaign = sending_rig.campaign(1)
    sending_rig.submit(campaign.sender)
    values = {
        "state": OutboundState.UNKNOWN,
        "submitted_at": timezone.now() - timedelta(seconds=age),
        "evidence": {"worker_gone": True},
        **over,
    }
    OutboundMessage.objects.update(**values)
    return OutboundMessage.objects.get()


def settled(row: OutboundMessage, *, exact: bool) -> OutboundMessage:
    can = registry.capabilities("infobip" if exact else "twilio")
    reconciling._move([row], can=can, was_asked=True)
    row.refresh_from_db()
    return row


def test_never_seen_counts_only_after_the_grace():
    assert settled(unknown(30), exact=True).state == "unknown"
    OutboundMessage.objects.all().delete()
    assert settled(unknown(61), exact=True).state == "queued"


def test_never_seen_counts_later_while_nobody_knows_whether_the_worker_lives():
    assert settled(unknown(300, evidence=None), exact=True).state == "unknown"


def test_a_lookup_that_proves_only_presence_never_sends_again():
    row = settled(unknown(3_000), exact=False)
    assert (row.state, row.code) == ("parked", "NO_PROOF")


def test_marketing_waits_a_day_for_a_receipt_before_it_is_parked():
    assert settled(unknown(3_000, purpose="marketing"), exact=False).state == "unknown"


def test_a_message_nothing_was_written_of_is_sent_after_all():
    assert settled(unknown(1, evidence={"nothing_written": True}), exact=False).state == "queued"


def test_a_message_is_submitted_three_times_at_most():
    row = settled(unknown(61, submit_no=3), exact=True)
    assert (row.state, row.code) == ("parked", "NOT_SEEN")
