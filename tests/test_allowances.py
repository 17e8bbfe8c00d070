"""Daily caps of senders and brands, and budgets of campaigns: exact, and told in words."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from campaigns import allowances, batch, budgets, lanes, lifecycle, sending, vital_signs
from campaigns.models import Lane, MessageKind, OutboundMessage, PartsCount, Priority, Sender
from contacts.models import Purpose
from smsdesk import local_days
from smsdesk.errors import Invalid, WrongState
from smsdesk.gateways import errors
from tests import factories, racing, sending_rig

pytestmark = pytest.mark.django_db

TWO_PARTS = "Hi {{ first_name }}, your order is ready. " + "Please bring its number. " * 6


def used() -> list[int]:
    return list(PartsCount.objects.order_by("pk").values_list("used", flat=True))


def stop_confirmation(sender: Sender) -> OutboundMessage:
    person = factories.contact()
    return sending.queue(
        person,
        sender=sender,
        text=f"{sender.brand.name}: You are unsubscribed and will get no more messages. Reply HELP for help.",
        purpose=Purpose.COMPLIANCE,
        kind=MessageKind.AUTOMATIC,
        priority=Priority.URGENT,
        compliance_kind="optout_confirm",
        now=timezone.now(),
    )


def notice(sender: Sender) -> OutboundMessage:
    """A single message of one part."""
    return sending.queue(
        sending_rig.agreed(factories.contact(), sender),
        sender=sender,
        text="Your order is ready.",
        purpose=Purpose.TRANSACTIONAL,
        kind=MessageKind.API,
        priority=Priority.URGENT,
        now=sending_rig.LONG_AGO,
    )


def yesterday() -> None:
    """As if the day had turned since."""
    for count in PartsCount.objects.exclude(day=None):
        count.day, count.until = count.day - timedelta(days=1), timezone.now() - timedelta(seconds=1)
        count.save()


# --- daily caps -----------------------------------------------------------------------------------------


def test_a_sender_sends_to_its_cap_and_campaigns_wait_unwritten():
    sender = factories.sender(daily_cap=3)
    campaign = sending_rig.campaign(5, sender=sender)
    before = list(OutboundMessage.objects.order_by("pk").values("due_at", "waiting_for", "verdict"))

    won, work, submitted = sending_rig.submit(sender)
    sending_rig.record(won, work, submitted)

    assert sending_rig.states(campaign) == ["accepted"] * 3 + ["queued"] * 2
    assert list(OutboundMessage.objects.order_by("pk").values("due_at", "waiting_for", "verdict"))[3:] == before[3:]
    assert used() == [3]
    sending_rig.free(sender)
    assert sending_rig.candidates() == []
    assert lanes.earliest() is None
    assert batch.read(sending_rig.win(sender)).rows == []


def test_the_rest_goes_on_when_the_day_turns():
    sender = factories.sender(daily_cap=3)
    campaign = sending_rig.campaign(5, sender=sender)
    sending_rig.submit(sender)
    yesterday()
    sending_rig.free(sender)
    assert sending_rig.candidates()
    sending_rig.submit(sender)
    assert sending_rig.states(campaign).count("submitting") + sending_rig.states(campaign).count("unknown") == 5
    assert used() == [3, 2]


def test_a_raised_cap_opens_at_once():
    sender = factories.sender(daily_cap=3)
    sending_rig.campaign(5, sender=sender)
    sending_rig.submit(sender)
    Sender.objects.update(daily_cap=4)
    sending_rig.free(sender)
    _, _, submitted = sending_rig.submit(sender)
    assert len(submitted.rows) == 1
    assert used() == [4]


def test_the_senders_of_a_brand_share_its_cap():
    brand = factories.brand(daily_cap=4)
    account = factories.account()
    senders = [factories.sender(brand=brand, account=account) for _ in range(2)]
    for sender in senders:
        sending_rig.campaign(3, sender=sender)
    left = [len(sending_rig.submit(sender)[2].rows) for sender in senders]
    assert left == [3, 1]
    assert used() == [4]


def test_the_smaller_of_two_caps_counts():
    sender = factories.sender(daily_cap=4, brand=factories.brand(daily_cap=2))
    sending_rig.campaign(5, sender=sender)
    assert len(sending_rig.submit(sender)[2].rows) == 2
    assert used() == [2, 2]


def test_an_answer_to_stop_goes_at_a_reached_cap_and_counts_while_others_wait_for_the_day_to_turn():
    sender = factories.sender(daily_cap=1, day_zone="America/Los_Angeles")
    sending_rig.campaign(2, sender=sender)
    sending_rig.submit(sender)
    sending_rig.free(sender)
    answer, other = stop_confirmation(sender), notice(sender)

    _, _, submitted = sending_rig.submit(sender)

    other.refresh_from_db()
    assert [row.id for row in submitted.rows.values()] == [answer.pk]
    assert used() == [2]
    _, midnight = local_days.at(timezone.now(), zone="America/Los_Angeles")
    assert (other.state, other.waiting_for, other.due_at) == ("queued", "daily_cap", midnight)
    assert other.verdict["most"] == "1"


def test_a_text_that_does_not_fit_any_more_leaves_the_rest_of_the_cap_and_is_not_tried_again_and_again():
    sender = factories.sender(daily_cap=3)
    sending_rig.campaign(2, sender=sender, body=TWO_PARTS)
    assert len(sending_rig.submit(sender)[2].rows) == 1
    assert used() == [2]
    sending_rig.free(sender)
    assert sending_rig.candidates() == []
    notice(sender)  # one part, for which there is room
    assert len(sending_rig.submit(sender)[2].rows) == 1


def test_what_the_gateway_surely_did_not_take_is_given_back():
    sender = factories.sender(daily_cap=3)
    sending_rig.campaign(3, sender=sender)
    won, work, submitted = sending_rig.submit(sender)
    late = errors.NothingWritten("deadline", "nothing was written")
    sending_rig.record(won, work, submitted, outcome="again", error=late)
    assert used() == [0]
    sending_rig.record(won, work, submitted, outcome="again", error=late)
    assert used() == [0]


def test_an_outcome_nobody_knows_stays_counted():
    sender = factories.sender(daily_cap=3)
    sending_rig.campaign(2, sender=sender)
    won, work, submitted = sending_rig.submit(sender)
    sending_rig.record(won, work, submitted, outcome="unknown", error=errors.OutcomeUnknown("timeout", "silence"))
    assert used() == [2]


def test_a_submit_that_is_undone_gives_back_once():
    sender = factories.sender(daily_cap=3)
    sending_rig.campaign(2, sender=sender)
    won, work, _ = sending_rig.submit(sender)
    batch.undo(won, rows=work.rows)
    batch.undo(won, rows=work.rows)
    assert used() == [0]


def test_without_caps_no_statement_is_made(django_assert_num_queries):
    sender = factories.sender()
    sending_rig.campaign(2, sender=sender)
    work = batch.read(sending_rig.win(sender))
    with django_assert_num_queries(0):
        allowances.take(work.rows, senders=work.senders, campaigns=work.campaigns, at=timezone.now())
        allowances.give_back(work.rows)
    assert used() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_lanes_that_send_at_once_share_a_cap_to_the_part():
    sender = factories.sender(daily_cap=11, parts_per_second=4 * lanes.LANE_RATE)
    lanes.ensure(sender)
    campaign = sending_rig.campaign(24, sender=sender)

    def one(lane_id: int) -> None:
        batch.submit(batch.read(lanes.win([lane_id])))

    racing.at_once(*(lambda pk=lane.pk: one(pk) for lane in Lane.objects.all()))

    assert sending_rig.states(campaign).count("submitting") == 11
    assert used() == [11]


def test_days_end_at_midnight_of_their_zone():
    moment = datetime(2026, 12, 1, 7, 59, tzinfo=UTC)
    assert local_days.at(moment, zone="America/Los_Angeles") == (
        date(2026, 11, 30),
        datetime(2026, 12, 1, 8, 0, tzinfo=UTC),
    )
    assert local_days.at(moment, zone="UTC") == (date(2026, 12, 1), datetime(2026, 12, 2, tzinfo=UTC))


# --- budgets --------------------------------------------------------------------------------------------


def spend(campaign):
    won, work, submitted = sending_rig.submit(campaign.sender)
    if submitted is not None:
        sending_rig.record(won, work, submitted)
    budgets.pause_spent(work.spent)
    sending_rig.free(campaign.sender)
    campaign.refresh_from_db()


def test_a_campaign_pauses_at_its_budget_with_the_figures_and_goes_on_when_it_is_raised():
    campaign = sending_rig.campaign(5, budget=3)
    spend(campaign)
    assert sending_rig.states(campaign) == ["accepted"] * 3 + ["queued"] * 2
    assert campaign.state == "paused"
    assert campaign.paused_reason == (
        "Its budget is used up: 3 of 3 parts have left, the next message takes 1, and 2 messages wait. "
        "Raise the budget and resume it to go on."
    )

    budgets.change(campaign, 5, by=None, now=timezone.now())
    lifecycle.resume(campaign, by=None, now=timezone.now())
    spend(campaign)
    assert sending_rig.states(campaign) == ["accepted"] * 5
    assert campaign.state == "sending"


def test_a_budget_that_is_not_raised_pauses_a_resumed_campaign_again():
    campaign = sending_rig.campaign(5, budget=3)
    spend(campaign)
    lifecycle.resume(campaign, by=None, now=timezone.now())
    spend(campaign)
    assert campaign.state == "paused"
    assert used() == [3]


def test_a_budget_holds_back_nobody_elses_messages():
    campaign = sending_rig.campaign(3, budget=1)
    other = sending_rig.campaign(2, sender=campaign.sender)
    spend(campaign)
    assert sending_rig.states(other) == ["accepted"] * 2
    assert campaign.state == "paused"


def test_a_budget_below_what_has_left_is_refused_and_says_what_would_do():
    campaign = sending_rig.campaign(5, budget=3)
    spend(campaign)
    with pytest.raises(Invalid, match="3 parts have left already"):
        budgets.change(campaign, 2, by=None, now=timezone.now())


def test_a_campaign_that_was_launched_without_a_budget_gets_none():
    campaign = sending_rig.campaign(1)
    with pytest.raises(Invalid) as refused:
        budgets.change(campaign, 9, by=None, now=timezone.now())
    assert refused.value.code == "budget_not_counted"


def test_the_budget_of_a_cancelled_campaign_stays():
    campaign = sending_rig.campaign(1, budget=3)
    lifecycle.cancel(campaign, by=None, now=timezone.now())
    with pytest.raises(WrongState):
        budgets.change(campaign, 9, by=None, now=timezone.now())


# --- in words -------------------------------------------------------------------------------------------


def test_what_waits_for_tomorrow_is_told_with_cap_and_time():
    sender = factories.sender(daily_cap=2)
    campaign = sending_rig.campaign(5, sender=sender)
    assert allowances.waits_for_tomorrow(campaign, at=timezone.now()) == ""
    sending_rig.submit(sender)
    told = allowances.waits_for_tomorrow(campaign, at=timezone.now())
    assert f"{sender.value} has sent 2 of 2 parts today (UTC). The daily cap is reached: campaigns wait" in told
    assert allowances.waits_for_tomorrow(campaign, at=timezone.now() + timedelta(days=1)) == ""


def reached(**over) -> Sender:
    """A sender that has used its cap of two parts, with a campaign that waits."""
    sender = factories.sender(daily_cap=2, **over)
    sending_rig.campaign(3, sender=sender)
    sending_rig.submit(sender)
    return sender


def test_report_and_sender_page_say_what_waits_for_tomorrow(admin_client):
    sender = reached()
    page = admin_client.get(reverse("admin:campaigns_campaign_report", args=[sender.campaigns.get().pk]))
    assert f"Waits for tomorrow: {sender.value} has sent 2 of 2 parts today" in page.content.decode()
    page = admin_client.get(reverse("admin:campaigns_sender_change", args=[sender.pk]))
    assert "The daily cap is reached" in page.content.decode()


def test_a_campaign_that_waits_for_tomorrow_is_not_called_late():
    reached()
    assert [one.oldest for one in vital_signs.take().sending] == [None]


def test_a_decision_waits_for_the_day_to_turn_where_nothing_else_stands_in_the_way():
    sender = reached(brand=factories.brand(name="Capped"))
    person = sending_rig.agreed(factories.contact(), sender)
    asked = {"to": person.phone, "purpose": "transactional", "sender": sender.value}
    told = factories.api().post("/api/v1/decisions/", asked, content_type="application/json").json()
    assert (told["outcome"], told["code"]) == ("deferred", "DAILY_CAP")
    assert f"the daily cap of {sender.value} (2 parts) is reached" in told["detail"]
    assert [check["code"] for check in told["checks"] if check["is_decisive"]] == ["DAILY_CAP"]


def test_what_blocks_a_decision_is_told_before_a_cap():
    sender = reached()
    asked = {"to": factories.next_phone(), "purpose": "transactional", "sender": sender.value}
    told = factories.api().post("/api/v1/decisions/", asked, content_type="application/json").json()
    assert (told["outcome"], told["code"]) == ("blocked", "NO_CONSENT")
    assert told["checks"][-1]["code"] == "DAILY_CAP"


def test_the_budget_is_raised_on_the_report(admin_client):
    campaign = sending_rig.campaign(5, budget=3)
    spend(campaign)
    url = reverse("admin:campaigns_campaign_budget", args=[campaign.pk])
    said = admin_client.post(url, {"parts": "2"}, follow=True).content.decode()
    assert "3 parts have left already" in said
    said = admin_client.post(url, {"parts": "9"}, follow=True).content.decode()
    assert "its budget is 9 parts. Resume it to go on." in said
    assert "3 of 9 parts of its budget have left" in said


def test_the_budget_is_set_read_and_raised_over_the_api():
    api = factories.api()
    campaign = sending_rig.campaign(5, budget=3)
    spend(campaign)
    url = f"/api/v1/campaigns/{campaign.ref}/"
    assert api.get(f"{url}report/").json()["budget_used"] == 3
    raised = api.post(f"{url}budget/", {"parts": 5}, content_type="application/json")
    assert (raised.status_code, raised.json()["budget"]) == (200, 5)
    refused = api.post(f"{url}budget/", {"parts": 1}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (400, "budget_too_small")


def test_a_zone_nobody_knows_is_refused():
    with pytest.raises(ValidationError, match="like UTC or America/Los_Angeles"):
        local_days.check_zone("Los Angeles")


# --- validity -------------------------------------------------------------------------------------------


def test_messages_leave_with_what_is_left_of_their_time():
    sender = factories.sender()
    sending_rig.campaign(3, sender=sender, send_by=timezone.now() + timedelta(hours=2))
    sending_rig.campaign(1, sender=sender)
    _, _, submitted = sending_rig.submit(sender)
    given = Counter(item.validity for item in submitted.items())
    [validity] = [one for one in given if one is not None]
    assert timedelta(hours=1, minutes=59) < validity <= timedelta(hours=2)
    assert given == {validity: 3, None: 1}
