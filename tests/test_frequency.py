"""Caps: how many messages one person may get, counted under the contact's lock, across campaigns."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from campaigns import batch, sending
from campaigns.models import MessageKind, OutboundMessage, Priority
from contacts import frequency
from contacts.frequency import Cap
from contacts.models import FrequencyCap, Purpose
from tests import factories, sending_rig

AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)


def hours_ago(*hours: float, brand: int = 1) -> list[tuple[int, datetime]]:
    return [(brand, AT - timedelta(hours=hour)) for hour in hours]


@pytest.mark.parametrize(
    ("cap", "sent", "fits"),
    [
        (Cap(1), [], None),
        (Cap(2), hours_ago(1), None),
        (Cap(1), hours_ago(1), AT + timedelta(hours=23)),
        (Cap(1), hours_ago(24), None),
        (Cap(2), hours_ago(20, 3, 1), AT + timedelta(hours=21)),
        (Cap(1, timedelta(days=7)), hours_ago(100), AT + timedelta(hours=68)),
        (Cap(1, brand_id=2), hours_ago(1), None),
        (Cap(1, brand_id=1), hours_ago(1), AT + timedelta(hours=23)),
        (Cap(1, None), hours_ago(23 * 24), datetime(2026, 12, 1, tzinfo=UTC)),
        (Cap(1, None), hours_ago(24 * 24), None),
        (Cap(1, None), [(1, datetime(2026, 11, 1, tzinfo=UTC))], datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_a_cap_says_when_one_more_fits(cap, sent, fits):
    assert cap.reached(sent, AT) == fits


# --- through the engine ---------------------------------------------------------------------------------


@pytest.fixture
def sender(db):
    frequency.forget()
    yield factories.sender()
    frequency.forget()


def cap(**over) -> FrequencyCap:
    made = FrequencyCap.objects.create(**{"purpose": Purpose.TRANSACTIONAL, "most": 1, **over})
    frequency.forget()
    return made


def queue(person, sender, **over) -> OutboundMessage:
    values = {
        "sender": sender,
        "text": "Your order has left.",
        "purpose": Purpose.TRANSACTIONAL,
        "kind": MessageKind.API,
        "priority": Priority.TRANSACTIONAL,
        "now": timezone.now(),
        **over,
    }
    return sending.queue(person, **values)


def submit_all(sender) -> None:
    sending_rig.free(sender)
    sending_rig.submit(sender)


def test_the_second_message_of_a_batch_counts_the_first(sender):
    cap()
    person = sending_rig.agreed(factories.contact(), sender)
    rows = [queue(person, sender), queue(person, sender)]
    submit_all(sender)
    first, second = (OutboundMessage.objects.get(pk=row.pk) for row in rows)
    assert (first.state, second.state, second.waiting_for) == ("submitting", "queued", "frequency_cap")
    assert timedelta(hours=23) < second.due_at - timezone.now() <= timedelta(hours=24)


def test_a_message_of_an_earlier_batch_counts(sender):
    cap()
    person = sending_rig.agreed(factories.contact(), sender)
    queue(person, sender)
    submit_all(sender)
    later = queue(person, sender)
    submit_all(sender)
    later.refresh_from_db()
    assert later.waiting_for == "frequency_cap"


def test_a_cap_that_skips_gives_the_message_up(sender):
    cap(when_capped="skip")
    person = sending_rig.agreed(factories.contact(), sender)
    rows = [queue(person, sender), queue(person, sender)]
    submit_all(sender)
    second = OutboundMessage.objects.get(pk=rows[1].pk)
    assert (second.state, second.code) == ("skipped", "FREQUENCY_CAP_REACHED")


def test_a_campaign_that_waits_waits_whatever_the_cap_says(sender):
    cap(when_capped="skip")
    campaign = sending_rig.campaign(people=1, sender=sender, when_capped="wait")
    person = campaign.messages.get().contact
    queue(person, sender)
    submit_all(sender)
    row = campaign.messages.get()
    assert (row.state, row.waiting_for) == ("queued", "frequency_cap")


def test_replies_and_other_purposes_do_not_count(sender):
    cap()
    person = sending_rig.agreed(factories.contact(last_inbound_at=timezone.now()), sender)
    queue(person, sender, purpose=Purpose.CONVERSATIONAL, kind=MessageKind.REPLY)
    row = queue(person, sender)
    submit_all(sender)
    row.refresh_from_db()
    assert row.state == "submitting"


def test_a_cap_that_is_switched_off_caps_nothing(sender):
    cap(is_active=False)
    person = sending_rig.agreed(factories.contact(), sender)
    rows = [queue(person, sender), queue(person, sender)]
    submit_all(sender)
    assert {OutboundMessage.objects.get(pk=row.pk).state for row in rows} == {"submitting"}


def test_a_message_that_may_have_left_counts_while_it_waits_to_go_again(sender):
    cap()
    person = sending_rig.agreed(factories.contact(), sender)
    first = queue(person, sender)
    submit_all(sender)
    again = timezone.now() + timedelta(hours=1)
    OutboundMessage.objects.filter(pk=first.pk).update(state="queued", outcome_open=True, due_at=again)
    second = queue(person, sender)
    submit_all(sender)
    second.refresh_from_db()
    assert (second.state, second.waiting_for) == ("queued", "frequency_cap")


@pytest.mark.parametrize("state", ["submitting", "unknown", "parked"])
def test_a_message_nobody_knows_the_outcome_of_counts_as_sent(sender, state):
    cap()
    person = sending_rig.agreed(factories.contact(), sender)
    first = queue(person, sender)
    submit_all(sender)
    OutboundMessage.objects.filter(pk=first.pk).update(state=state)
    second = queue(person, sender)
    sending_rig.free(sender)
    work = batch.read(sending_rig.win(sender))
    OutboundMessage.objects.filter(pk=first.pk).update(state=state)  # winning the lane makes it unknown
    batch.submit(work)
    second.refresh_from_db()
    assert (second.state, second.waiting_for) == ("queued", "frequency_cap")


def test_a_message_that_goes_again_does_not_count_against_itself(sender):
    cap()
    person = sending_rig.agreed(factories.contact(), sender)
    row = queue(person, sender)
    submit_all(sender)
    OutboundMessage.objects.filter(pk=row.pk).update(state="queued", outcome_open=True, due_at=timezone.now())
    submit_all(sender)
    row.refresh_from_db()
    assert (row.state, row.submit_no) == ("submitting", 2)
