"""Parked messages: what a person sees of them, and that each is decided once, whoever presses."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import parking, receipts, reconciling, reports
from campaigns.models import Answer, OutboundMessage, Settlement
from contacts import consent
from contacts.models import ConsentSource, Purpose
from smsdesk.errors import Invalid, WrongState
from smsdesk.gateways import errors
from smsdesk.gateways.contract import Receipt
from smsdesk.models import Scope
from tests import factories, racing, sending_rig

pytestmark = pytest.mark.django_db

LOST = errors.OutcomeUnknown("timeout", "No proper answer came.")


def parked(people: int = 1, **over):
    """A campaign through a gateway that proves nothing, its answers lost long enough ago."""
    campaign = sending_rig.campaign(people, sender=factories.sender(account=factories.account(kind="twilio")))
    sending_rig.record(*sending_rig.submit(campaign.sender), outcome="unknown", error=LOST)
    OutboundMessage.objects.update(
        submitted_at=timezone.now() - timedelta(minutes=3), next_lookup_at=sending_rig.LONG_AGO
    )
    reconciling.reconcile()
    OutboundMessage.objects.filter(campaign=campaign).update(**over)
    assert sending_rig.states(campaign) == ["parked"] * people
    return campaign


def message() -> OutboundMessage:
    return OutboundMessage.objects.order_by("pk")[0]


def settle(answer: Answer, *, reason: str = "The carrier's portal shows it.", by=None) -> OutboundMessage | None:
    return parking.settle(message(), answer, reason=reason, by=by or factories.user(), now=timezone.now())


# --- the three answers --------------------------------------------------------------------------------


def test_treated_as_sent_it_counts_as_taken_and_says_who_decided():
    campaign = parked()
    settle(Answer.SENT, by=factories.user("Mara"))
    row = message()
    assert (row.state, row.code, row.accepted_at) == ("accepted", "TREATED_AS_SENT", row.submitted_at)
    assert reports.figures(campaign, now=timezone.now()).taken == 1
    assert row.settlement.by_name == "Mara"


def test_closed_it_stays_what_it_is_and_leaves_the_list():
    parked()
    settle(Answer.CLOSE)
    assert (message().state, message().code) == ("parked", "CLOSED")
    assert not parking.open_rows().exists()


def test_sent_again_it_is_a_new_message_that_points_to_the_old_one_and_leaves_by_itself():
    campaign = parked()
    body = message().body
    again = settle(Answer.AGAIN)
    assert (again.resend_of, again.state, again.text, again.submit_no) == (message(), "queued", body, 0)
    assert message().state == "parked"
    sending_rig.free(campaign.sender)
    sending_rig.record(*sending_rig.submit(campaign.sender))
    again.refresh_from_db()
    assert (again.state, again.body) == ("accepted", body)


def test_what_is_sent_again_is_judged_like_any_other():
    campaign = parked()
    again = settle(Answer.AGAIN)
    now = timezone.now()
    consent.opt_out(message().contact, brand=campaign.brand, source=ConsentSource.TEXT, occurred_at=now, now=now)
    sending_rig.free(campaign.sender)
    assert sending_rig.submit(campaign.sender)[2] is None
    again.refresh_from_db()
    assert (again.state, again.code) == ("skipped", "SUPPRESSED")


def test_the_answer_to_a_stop_is_not_sent_late():
    parked(purpose=Purpose.COMPLIANCE)
    with pytest.raises(WrongState, match="not sent late"):
        settle(Answer.AGAIN)
    assert not Settlement.objects.exists()


def test_nobody_is_sent_again_whose_number_was_erased():
    parked(phone="", body="", text="", contact=None)
    with pytest.raises(Invalid, match="not kept any more"):
        settle(Answer.AGAIN)
    settle(Answer.CLOSE)


@pytest.mark.parametrize("reason", ["", "  ", "\x00", "x" * 301])
def test_a_reason_is_needed(reason):
    parked()
    with pytest.raises(Invalid):
        settle(Answer.SENT, reason=reason)
    assert message().state == "parked"


def test_it_is_decided_once():
    parked()
    settle(Answer.AGAIN, by=factories.user("Mara"))
    for answer in Answer:
        with pytest.raises(WrongState, match="Mara has decided already: send again"):
            settle(answer)
    assert OutboundMessage.objects.filter(resend_of__isnull=False).count() == 1


def test_what_is_known_by_now_is_not_decided():
    parked()
    OutboundMessage.objects.update(state="delivered")
    with pytest.raises(WrongState, match="this message is delivered"):
        settle(Answer.AGAIN)


def test_a_receipt_still_proves_what_a_person_closed():
    campaign = parked()
    settle(Answer.CLOSE)
    told = Receipt(
        event_key="1", reference=message().public_id, gateway_id="SM1", word="delivered", state="delivered"
    )
    receipts.record(campaign.sender.account, [told], now=timezone.now())
    assert message().state == "delivered"


def test_all_of_a_campaign_are_treated_as_sent_but_those_somebody_decided_on():
    campaign = parked(3)
    other = parked(1)
    settle(Answer.CLOSE)
    count = parking.treat_all_as_sent(campaign, reason="Seen.", by=factories.user(), now=timezone.now())
    assert count == 2
    assert sending_rig.states(campaign) == ["accepted", "accepted", "parked"]
    assert sending_rig.states(other) == ["parked"]


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
def test_however_many_press_at_once_one_copy_is_made():
    parked()
    who = factories.user()
    refused = racing.at_once(*[lambda: settle(Answer.AGAIN, by=who)] * 6)
    assert [type(error) for error in refused] == [WrongState] * 5
    assert OutboundMessage.objects.filter(resend_of__isnull=False).count() == 1
    assert Settlement.objects.count() == 1


# --- what a person sees -------------------------------------------------------------------------------


def signed_in(*permissions) -> Client:
    client = Client()
    client.force_login(factories.staff(*permissions))
    return client


def test_the_list_and_the_page_show_the_evidence_in_words():
    parked()
    OutboundMessage.objects.update(evidence={"worker": "here:1:2", "worker_gone": True, "lookups": 4})
    client = signed_in("campaigns.view_outboundmessage", "campaigns.settle_parked")
    index = client.get(reverse("admin:campaigns_parked")).content.decode()
    address = reverse("admin:campaigns_message_settle", args=[message().pk])
    assert address in index
    page = client.get(address).content.decode()
    for words in (
        "try 1",
        "The gateway&#x27;s answer got lost. (timeout)",
        "here:1:2, which has ended",
        "4 times, it named no such message",
        "None came. That proves nothing.",
        "Send again (may be a second copy)",
        str(message().token),
    ):
        assert words in page
    assert message().phone not in page + index


def test_a_decision_on_the_page_is_kept_with_name_and_reason():
    parked()
    client = signed_in("campaigns.view_outboundmessage", "campaigns.settle_parked")
    address = reverse("admin:campaigns_message_settle", args=[message().pk])
    assert "A reason is needed" in client.post(address, {"answer": "again"}, follow=True).content.decode()
    assert "choose one" in client.post(address, {"answer": "x", "reason": "y"}, follow=True).content.decode()
    said = client.post(address, {"answer": "again", "reason": "Asked <b>Ana</b>."}, follow=True).content.decode()
    assert "It is sent again as msg_" in said
    page = client.get(address).content.decode()
    assert re.search(r"Send again: decided by staff\d+", page)
    assert "Asked &lt;b&gt;Ana&lt;/b&gt;." in page
    assert LogEntry.objects.filter(change_message="Send again: Asked <b>Ana</b>.").count() == 1
    own = client.get(reverse("admin:campaigns_outboundmessage_change", args=[message().pk])).content.decode()
    assert "send again: decided by staff" in own


def test_deciding_needs_its_own_permission():
    campaign = parked()
    client = signed_in("campaigns.view_outboundmessage")
    address = reverse("admin:campaigns_message_settle", args=[message().pk])
    assert "Deciding needs the permission" in client.get(address).content.decode()
    assert client.post(address, {"answer": "sent", "reason": "x"}).status_code == 403
    whole = reverse("admin:campaigns_campaign_settle", args=[campaign.pk])
    assert client.post(whole, {"reason": "x"}).status_code == 403
    assert signed_in("campaigns.view_campaign").get(address).status_code == 403
    assert message().state == "parked"


def test_a_campaign_is_answered_at_once_from_the_list():
    campaign = parked(2)
    client = signed_in("campaigns.view_outboundmessage", "campaigns.settle_parked")
    assert f"{campaign.name}: 2 parked" in client.get(reverse("admin:campaigns_parked")).content.decode()
    whole = reverse("admin:campaigns_campaign_settle", args=[campaign.pk])
    said = client.post(whole, {"reason": "Seen in the portal."}, follow=True).content.decode()
    assert "2 messages of News count as sent." in said
    assert "Nothing is parked" in said


# --- the API ------------------------------------------------------------------------------------------


def test_the_api_decides_once_with_its_own_scope():
    parked()
    scopes = [Scope.MESSAGES_READ, Scope.CAMPAIGNS_READ]
    path = f"/api/v1/messages/{message().ref}/settle/"
    body = {"answer": "again", "reason": "The customer says nothing came."}

    def post(client, key):
        headers = {"Idempotency-Key": key}
        return client.post(path, body, content_type="application/json", headers=headers)

    assert post(factories.api(factories.api_key(scopes=scopes)[1]), "a").status_code == 403
    client = factories.api(factories.api_key(scopes=[*scopes, Scope.MESSAGES_SETTLE])[1])
    first, same, other = post(client, "b"), post(client, "b"), post(client, "c")
    assert (first.status_code, same.json(), other.status_code) == (200, first.json(), 409)
    assert first.json()["again"]["resend_of"] == message().ref
    assert OutboundMessage.objects.count() == 2
    assert Settlement.objects.get().api_key is not None
