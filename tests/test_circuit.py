"""A gateway in trouble is left alone, tried with one message at a time, and costs nobody their message."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import accounts, circuit, draining, lanes, seats
from campaigns.models import GatewayAccount, Lane, OutboundMessage
from smsdesk.gateways import errors
from tests import factories, racing, sending_rig

pytestmark = pytest.mark.django_db

SILENT = errors.OutcomeUnknown("timeout", "No proper answer came: TimeoutError.")
CLOSED_PORT = "http://127.0.0.1:9"


def lane_of(account=None, **over) -> lanes.Won:
    """What a batch is won with; the account's circuit as it is now."""
    row = GatewayAccount.objects.get(**({"pk": account.pk} if account else {}))
    values = {
        "is_probe": False,
        "troubles": row.troubles,
        "token": uuid.uuid4(),
        "is_watched": False,
        "is_further": False,
        **over,
    }
    return lanes.Won(lane_id=0, sender_id=0, account_id=row.pk, is_careful=False, rate=1.0, **values)


def account() -> GatewayAccount:
    return GatewayAccount.objects.get()


def is_open() -> bool:
    return circuit.state(account(), now=timezone.now()) == "open"


def opened(made: GatewayAccount) -> GatewayAccount:
    for _ in range(3):
        circuit.learn([SILENT], won=lane_of(made))
    made.refresh_from_db()
    return made


def waited(made: GatewayAccount) -> None:
    """As if its time had passed."""
    GatewayAccount.objects.filter(pk=made.pk).update(circuit_until=sending_rig.LONG_AGO)


def seconds_open() -> float:
    return (account().circuit_until - timezone.now()).total_seconds()


def test_three_batches_in_a_row_that_met_only_trouble_open_it():
    made = factories.account()
    for expected in (False, False, True):
        circuit.learn([SILENT, errors.Unreachable("dns", "no such host")], won=lane_of(made))
        assert is_open() == expected
    assert 4 < seconds_open() <= 5


def test_one_answer_among_them_starts_the_count_again():
    made = factories.account()
    circuit.learn([SILENT], won=lane_of(made))
    circuit.learn([SILENT], won=lane_of(made))
    circuit.learn([SILENT, errors.InvalidRecipient("1", "gone")], won=lane_of(made))
    circuit.learn([SILENT], won=lane_of(made))
    assert (account().troubles, is_open()) == (1, False)


def test_what_our_own_deadline_refused_says_nothing_about_the_gateway():
    made = factories.account()
    circuit.learn([SILENT], won=lane_of(made))
    circuit.learn([errors.NothingWritten("deadline", "too late")], won=lane_of(made))
    assert account().troubles == 1


def test_all_well_costs_no_statement(django_assert_num_queries):
    won = lane_of(factories.account())
    with django_assert_num_queries(0):
        circuit.learn([None, None], won=won)


def test_while_it_is_open_no_lane_of_the_account_can_be_won_and_nothing_is_failed():
    campaign = sending_rig.campaign(2)
    other = sending_rig.campaign(1)
    opened(campaign.sender.account)

    assert sending_rig.candidates() == [other.sender.lanes.get().pk]
    assert lanes.win([campaign.sender.lanes.get().pk]) == []
    assert sending_rig.states(campaign) == ["queued", "queued"]
    assert 3 < lanes.earliest() <= 5


def test_half_open_one_lane_at_a_time_tries_with_one_message():
    sender = factories.sender()
    campaign = sending_rig.campaign(2, sender=sender)
    second = sending_rig.campaign(2, sender=factories.sender(account=sender.account))
    waited(opened(sender.account))
    assert len(sending_rig.candidates()) == 2

    won, work, submitted = sending_rig.submit(sender)

    assert (won[0].is_probe, len(work.rows)) == (True, 1)
    assert sending_rig.candidates() == []
    assert lanes.win([second.sender.lanes.get().pk]) == []
    sending_rig.record(won, work, submitted)
    assert circuit.state(account(), now=timezone.now()) == "closed"
    assert second.sender.lanes.get().pk in sending_rig.candidates()
    assert sending_rig.states(campaign) == ["accepted", "queued"]


def test_a_try_that_fails_doubles_the_wait_up_to_five_minutes():
    sender = factories.sender()
    sending_rig.campaign(9, sender=sender)
    opened(sender.account)
    waits = []
    for _ in range(8):
        waited(sender.account)
        sending_rig.free(sender)
        won, work, submitted = sending_rig.submit(sender)
        sending_rig.record(won, work, submitted, outcome="unknown", error=SILENT)
        waits.append(round(seconds_open()))
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]


def test_a_prober_that_died_is_replaced_and_its_late_failure_shuts_nobody_out():
    sender = factories.sender()
    sending_rig.campaign(2, sender=sender)
    waited(opened(sender.account))
    [dead] = sending_rig.win(sender)
    sending_rig.free(sender)
    waited(sender.account)

    assert sending_rig.win(sender)[0].is_probe
    before = account()
    circuit.learn([SILENT], won=dead)
    assert account().circuit_until == before.circuit_until


def test_a_try_that_finds_nothing_to_send_lets_the_next_one_try_at_once():
    sender = factories.sender()
    campaign = sending_rig.campaign(1, sender=sender)
    waited(opened(sender.account))
    [won] = sending_rig.win(sender)
    circuit.release(won)
    sending_rig.free(sender)
    assert sending_rig.candidates() == [campaign.sender.lanes.get().pk]
    assert sending_rig.win(sender)[0].is_probe


def test_batches_under_way_while_it_opened_do_not_count_twice():
    made = opened(factories.account())
    circuit.learn([SILENT], won=lane_of(made))
    assert (account().troubles, account().circuit_openings) == (3, 1)


def test_a_resumed_account_is_tried_with_one_message_first():
    sender = factories.sender()
    campaign = sending_rig.campaign(3, sender=sender)
    refused = errors.AuthenticationFailed("401", "wrong key")
    sending_rig.record(*sending_rig.submit(sender), outcome="again", error=refused)
    accounts.resume(account().pk, now=timezone.now())
    OutboundMessage.objects.update(due_at=sending_rig.LONG_AGO)
    sending_rig.free(sender)

    tried = sending_rig.submit(sender)
    assert len(tried[1].rows) == 1
    sending_rig.record(*tried, outcome="again", error=refused)

    assert account().paused_at
    assert sending_rig.states(campaign) == ["queued"] * 3
    assert set(OutboundMessage.objects.values_list("attempts", flat=True)) == {0}


# --- with a real call ---------------------------------------------------------------------------------


def test_a_gateway_nobody_listens_at_opens_it_and_its_messages_wait():
    campaign = sending_rig.campaign(2)
    GatewayAccount.objects.update(base_url=CLOSED_PORT)
    with asyncio.Runner() as runner:
        desk = draining._Desk(runner, seats.Seats(4))
        try:
            for _ in range(3):
                sending_rig.free(campaign.sender)
                desk._candidates.clear()
                desk.turn(draining.Stop(5))
        finally:
            desk.close()
    assert is_open()
    assert "could not be reached" in account().last_trouble
    assert sending_rig.states(campaign) == ["queued", "queued"]
    assert set(OutboundMessage.objects.values_list("attempts", "submit_no")) == {(0, 0)}


# --- who sees it --------------------------------------------------------------------------------------


def signed_in(*permissions) -> Client:
    client = Client()
    client.force_login(factories.staff(*permissions))
    return client


def test_the_account_page_and_the_dashboard_say_what_is_wrong_and_what_happens_next():
    made = opened(factories.account())
    client = signed_in("campaigns.view_gatewayaccount", "campaigns.change_gatewayaccount")
    for page in (reverse("admin:campaigns_gatewayaccount_change", args=[made.pk]), reverse("admin:index")):
        shown = client.get(page).content.decode()
        assert "gives no proper answer since" in shown
        assert "(timeout)" in shown
        assert "then one message is tried" in shown


def test_who_corrects_the_account_need_not_wait_for_its_time():
    made = opened(factories.account())
    client = signed_in("campaigns.view_gatewayaccount", "campaigns.change_gatewayaccount")
    values = {"name": made.name, "base_url": made.base_url, "is_simulator": "on", "max_calls": 20}
    answer = client.post(reverse("admin:campaigns_gatewayaccount_change", args=[made.pk]), values)
    assert answer.status_code == 302
    assert circuit.state(account(), now=timezone.now()) == "half_open"


# --- exact with any number of hosts -------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
def test_of_many_lanes_at_the_same_moment_one_tries():
    sender = factories.sender()
    ways = [sender, *(factories.sender(account=sender.account) for _ in range(5))]
    for one in ways:
        lanes.ensure(one)
    waited(opened(sender.account))
    won: list[lanes.Won] = []

    def win(one):
        won.extend(lanes.win([one.lanes.get().pk]))

    faults = racing.at_once(*[lambda one=one: win(one) for one in ways])

    assert faults == []
    assert [one.is_probe for one in won] == [True]
    assert Lane.objects.filter(lease_until__gt=timezone.now() + timedelta(seconds=1)).count() == 1


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
def test_failures_counted_at_the_same_moment_are_all_counted():
    made = factories.account()
    jobs = [lambda: circuit.learn([SILENT], won=lane_of(made))] * 3
    assert racing.at_once(*jobs) == []
    assert is_open()
