"""Opt-outs that a provider reports by the dozen are a fault of theirs until somebody has looked."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import accounts, carrier_alarm, receipts
from campaigns.models import CarrierOptOut, GatewayAccount, OutboundMessage
from contacts import retention
from contacts.models import ConsentSource, Suppression
from smsdesk.gateways import errors
from smsdesk.gateways.contract import Receipt
from smsdesk.gateways.errors import ErrorClass
from tests import factories, sending_rig
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few(settings):
    settings.CARRIER_OPT_OUTS_MOST = 3


@pytest.fixture
def account():
    return factories.sender().account


def reports(account, how_many, *, at=NOW):
    for _ in range(how_many):
        carrier_alarm.note(account.pk, now=at)


def took(account, how_many, *, at=NOW):
    sender = factories.sender(account=account)
    campaign = factories.campaign(sender=sender)
    made = [factories.outbound(campaign, factories.contact(), state="accepted") for _ in range(how_many)]
    OutboundMessage.objects.filter(pk__in=[row.pk for row in made]).update(accepted_at=at)


def is_paused(account):
    account.refresh_from_db()
    return account.paused_at is not None


def test_as_many_as_allowed_stop_nothing(account):
    reports(account, 3)
    assert not carrier_alarm.watch(account.pk, now=NOW)


def test_one_more_pauses_the_account_with_its_reason_once(account):
    reports(account, 4)
    assert [carrier_alarm.watch(account.pk, now=NOW) for _ in range(2)] == [True, False]
    account.refresh_from_db()
    assert "4 opt-outs within 10 minutes" in account.paused_reason


def test_those_of_other_accounts_and_of_earlier_do_not_count(account):
    reports(account, 3)
    reports(factories.account(), 9)
    reports(account, 9, at=NOW - timedelta(minutes=10))
    assert not carrier_alarm.watch(account.pk, now=NOW)


@pytest.mark.parametrize(("taken", "pauses"), [(0, True), (75, True), (76, False), (90, False)])
def test_a_small_share_of_much_traffic_is_people(account, taken, pauses):
    """5 %: four reports beside 76 messages taken are a twentieth of 80, and more is asked for."""
    took(account, taken)
    took(account, 50, at=NOW - timedelta(minutes=11))
    took(factories.account(), 50)
    reports(account, 4)
    assert carrier_alarm.watch(account.pk, now=NOW) == pauses


def test_without_a_share_the_number_alone_decides(account, settings):
    settings.CARRIER_OPT_OUTS_PERCENT = 0
    took(account, 90)
    reports(account, 4)
    assert carrier_alarm.watch(account.pk, now=NOW)


def test_what_was_looked_at_is_not_counted_again(account):
    reports(account, 4)
    carrier_alarm.watch(account.pk, now=NOW)
    accounts.resume(account.pk, now=NOW)
    reports(account, 3, at=NOW + timedelta(seconds=1))
    assert not carrier_alarm.watch(account.pk, now=NOW + timedelta(seconds=2))
    reports(account, 1, at=NOW + timedelta(seconds=3))
    assert carrier_alarm.watch(account.pk, now=NOW + timedelta(seconds=4))


# --- from the gateway's words ---------------------------------------------------------------------------


def test_answers_that_say_opted_out_are_all_obeyed_and_pause_the_account():
    campaign = sending_rig.campaign(4)
    refusal = errors.RecipientOptedOut("21610", "unsubscribed")
    sending_rig.record(*sending_rig.submit(campaign.sender), outcome="rejected", error=refusal)
    assert Suppression.objects.filter(source=ConsentSource.CARRIER).count() == 4
    assert is_paused(campaign.sender.account)


def test_so_do_receipts():
    campaign = sending_rig.campaign(4)
    account = campaign.sender.account
    submitted = sending_rig.submit(campaign.sender)
    sending_rig.record(*submitted)
    told = [
        Receipt(
            event_key=item.reference.hex, reference=item.reference, gateway_id="", word="UNDELIVERED",
            state="undelivered", code="21610", error_class=ErrorClass.OPTED_OUT,
        )
        for item in sending_rig.items(submitted[2])
    ]  # fmt: skip
    receipts.record(account, told, now=timezone.now())
    assert Suppression.objects.filter(source=ConsentSource.CARRIER).count() == 4
    assert is_paused(account)


def test_an_outage_without_the_word_opts_nobody_out():
    campaign = sending_rig.campaign(6)
    refusal = errors.CarrierFailed("30008", "unknown error")
    sending_rig.record(*sending_rig.submit(campaign.sender), outcome="rejected", error=refusal)
    assert not Suppression.objects.exists()
    assert not is_paused(campaign.sender.account)


# --- who sees it ----------------------------------------------------------------------------------------


def signed_in(*permissions):
    client = Client()
    client.force_login(factories.staff(*permissions))
    return client


def test_the_dashboard_gives_the_reason_and_one_click_to_go_on(account):
    reports(account, 4)
    carrier_alarm.watch(account.pk, now=NOW)
    client = signed_in("campaigns.view_gatewayaccount", "campaigns.change_gatewayaccount")
    page = client.get("/admin/").content.decode()
    assert "4 opt-outs within 10 minutes" in page
    assert "Let it send again" in page
    address = reverse("admin:campaigns_gatewayaccount_resume", args=[account.pk])
    assert client.get(address).status_code == 405
    assert "sends again" in client.post(address, follow=True).content.decode()
    assert not is_paused(account)
    assert "was not stopped any more" in client.post(address, follow=True).content.decode()


def test_who_may_only_look_sees_the_reason_and_no_button(account):
    accounts.pause(account.pk, reason="Why <b>not</b>?", now=NOW)
    client = signed_in("campaigns.view_gatewayaccount")
    page = client.get("/admin/").content.decode()
    assert "Why &lt;b&gt;not&lt;/b&gt;?" in page
    assert "Let it send again" not in page
    address = reverse("admin:campaigns_gatewayaccount_resume", args=[account.pk])
    assert client.post(address).status_code == 403
    assert is_paused(account)


def test_the_counted_reports_go_after_a_day(account):
    reports(account, 2, at=NOW - timedelta(hours=25))
    reports(account, 2, at=NOW - timedelta(hours=23))
    retention.run(now=NOW, is_over=lambda: False)
    assert CarrierOptOut.objects.count() == 2
    assert GatewayAccount.objects.filter(pk=account.pk).exists()
