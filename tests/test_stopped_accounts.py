"""Credentials, money or setup in order again: nothing was failed meanwhile, and everybody who may act was told."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import accounts
from campaigns.models import GatewayAccount, OutboundMessage
from smsdesk.gateways import errors
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db

MAY_ACT = ("campaigns.view_gatewayaccount", "campaigns.change_gatewayaccount", "campaigns.view_campaign")


def signed_in(*permissions) -> Client:
    client = Client()
    client.force_login(factories.staff(*permissions))
    return client


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        (errors.AuthenticationFailed("20003", "Authenticate"), "Enter them again"),
        (errors.InsufficientFunds("402", "Payment needed"), "Top it up"),
        (errors.Misconfigured("404", "No such address"), "Check it with the gateway"),
    ],
)
def test_the_account_stops_with_cause_and_cure_and_its_rows_wait_unspent(refusal, advice):
    campaign = sending_rig.campaign(3)
    sending_rig.record(*sending_rig.submit(campaign.sender), outcome="again", error=refusal)

    account = GatewayAccount.objects.get()
    assert advice in account.paused_reason
    assert refusal.code in account.paused_reason
    assert sending_rig.states(campaign) == ["queued"] * 3
    assert set(OutboundMessage.objects.values_list("attempts", "final_at", "code")) == {(0, None, "")}


def test_everybody_who_may_act_sees_it_in_red_on_every_page_until_somebody_has():
    made = factories.account(name="Acme Twilio")
    accounts.pause(made.pk, reason="The gateway refused our credentials.", now=timezone.now())
    client = signed_in(*MAY_ACT)
    pages = ("admin:index", "admin:campaigns_campaign_changelist", "admin:password_change")
    for name in pages:
        page = client.get(reverse(name)).content.decode()
        assert "Nothing is sent through Acme Twilio." in page
        assert "The gateway refused our credentials. Its messages wait; none is failed." in page
    client.post(reverse("admin:campaigns_gatewayaccount_resume", args=[made.pk]))
    assert "Nothing is sent through" not in client.get(reverse("admin:index")).content.decode()


def test_who_cannot_act_is_not_alarmed_and_the_sign_in_page_tells_nothing():
    accounts.pause(factories.account().pk, reason="Refused.", now=timezone.now())
    assert b"Nothing is sent through" not in signed_in("campaigns.view_campaign").get("/admin/").content
    assert b"Nothing is sent through" not in Client().get("/admin/login/").content


def test_what_somebody_paused_on_purpose_is_not_shouted_about():
    made = factories.account()
    client = signed_in(*MAY_ACT)
    chosen = {"action": "pause", "_selected_action": [made.pk]}
    client.post(reverse("admin:campaigns_gatewayaccount_changelist"), chosen)

    made.refresh_from_db()
    assert made.paused_at
    assert made.paused_by
    page = client.get("/admin/").content.decode()
    assert "Nothing is sent through" not in page
    assert "Paused by staff" in page
