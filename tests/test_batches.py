"""Which rows make a batch, and how many of them may leave."""

from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import batch, lanes
from campaigns.models import Lane, OutboundMessage, Sender
from contacts.models import Contact
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db


def slow(campaign) -> lanes.Won:
    Sender.objects.update(parts_per_second=1)
    return sending_rig.win(campaign.sender)


def test_campaigns_of_one_sender_take_turns():
    sender = factories.sender(parts_per_second=4)
    first = sending_rig.campaign(6, sender=sender)
    second = sending_rig.campaign(2, sender=sender)

    rows = batch.read(sending_rig.win(sender)).rows

    assert [row.campaign_id for row in rows] == [first.pk, second.pk, first.pk, second.pk]


def test_a_slow_sender_looks_past_those_who_may_not_get_it():
    campaign = sending_rig.campaign(3)
    last = OutboundMessage.objects.filter(campaign=campaign).latest("pk")
    Contact.objects.exclude(pk=last.contact_id).update(dead_since=timezone.now())

    submitted = batch.submit(batch.read(slow(campaign), at_least=3))

    assert [item.to for item in sending_rig.items(submitted)] == [last.phone]
    assert sending_rig.states(campaign) == ["skipped", "skipped", "submitting"]


def test_no_more_leave_than_the_sender_may_send_however_many_were_looked_at():
    campaign = sending_rig.campaign(3)

    submitted = batch.submit(batch.read(slow(campaign), at_least=3))

    assert len(sending_rig.items(submitted)) == 1
    assert sending_rig.states(campaign) == ["queued", "queued", "submitting"]
    assert not OutboundMessage.objects.filter(state="queued").exclude(verdict=None).exists()


def test_a_batch_of_which_nobody_leaves_takes_nothing_of_the_pace():
    campaign = sending_rig.campaign(2)
    Contact.objects.update(dead_since=timezone.now())

    assert batch.submit(batch.read(slow(campaign))) is None

    assert (Lane.objects.get().next_free_at - timezone.now()).total_seconds() < 0.1


@pytest.mark.parametrize(("kind", "most"), [("infobip", batch.MOST_WITH_LOOKUP), ("twilio", batch.MOST)])
def test_a_batch_is_larger_where_the_gateway_can_say_what_it_has(kind, most):
    assert batch.most_of(factories.account(kind=kind)) == most


needs_lateral = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite wins one lane at a time")


def slow_senders(count: int) -> list[Sender]:
    account = factories.account()
    return [factories.sender(account=account, value=f"+1202555{n:04}", parts_per_second=2) for n in range(count)]


@needs_lateral
def test_slow_lanes_of_an_account_are_sent_in_one_batch_each_at_its_own_pace():
    senders = slow_senders(3)
    campaigns = [sending_rig.campaign(3, sender=sender) for sender in senders]
    first, *others = lanes.candidates()
    assert all(other.may_join(first) for other in others)
    together = lanes.win([first.lane_id, *(other.lane_id for other in others)])
    work = batch.read(together)

    submitted = batch.submit(work)

    assert [sending_rig.states(campaign) for campaign in campaigns] == [["queued", "submitting", "submitting"]] * 3
    assert Counter(item.sender.value for item in submitted.items()) == {sender.value: 2 for sender in senders}
    sending_rig.record(together, work, submitted)
    free_in = [(lane.next_free_at - timezone.now()).total_seconds() for lane in Lane.objects.all()]
    assert all(0.5 < seconds < 1 for seconds in free_in)
    assert set(Lane.objects.values_list("holder", "failures")) == {("", 0)}


@needs_lateral
def test_of_lanes_won_together_only_those_still_ours_are_sent():
    senders = slow_senders(2)
    campaigns = [sending_rig.campaign(1, sender=sender) for sender in senders]
    together = lanes.win([lane.pk for lane in Lane.objects.all()])
    work = batch.read(together)
    sending_rig.free(senders[0])
    sending_rig.win(senders[0])

    submitted = batch.submit(work)

    assert [row.sender_id for row in submitted.rows.values()] == [senders[1].pk]
    assert [sending_rig.states(campaign) for campaign in campaigns] == [["queued"], ["submitting"]]


@needs_lateral
def test_replies_go_first_on_each_of_the_lanes_won_together():
    senders = slow_senders(2)
    for sender in senders:
        sending_rig.campaign(3, sender=sender)
        sending_rig.reply(sender)

    rows = batch.read(lanes.win([lane.pk for lane in Lane.objects.all()])).rows

    assert sorted((row.sender_id, bool(row.campaign_id)) for row in rows) == sorted(
        (sender.pk, is_campaign) for sender in senders for is_campaign in (False, True)
    )


def test_a_lane_whose_last_holder_died_goes_alone():
    senders = slow_senders(2)
    for sender in senders:
        sending_rig.campaign(1, sender=sender)
    Lane.objects.filter(sender=senders[1]).update(failures=1)
    first, second = lanes.candidates()
    assert not first.may_join(second)
    assert not second.may_join(first)
