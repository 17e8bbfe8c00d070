import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import MessageKind, OutboundMessage
from contacts import consent
from contacts.models import Basis, ConsentSource, Contact, Purpose
from smsdesk.models import IdempotentAnswer, Scope
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/v1/messages/"


@pytest.fixture
def sender():
    return factories.sender()


@pytest.fixture
def api():
    return factories.api()


def agreed(sender, *, purpose=Purpose.TRANSACTIONAL, **over) -> Contact:
    contact = factories.contact(**over)
    now = timezone.now()
    consent.opt_in(
        contact,
        brand=sender.brand,
        purposes=[purpose],
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.WEB_FORM,
        proof=consent.Proof(wording="Send me texts", method="web_form", act="ticked the box"),
        occurred_at=now,
        now=now,
    )
    return contact


def body_to(contact, **over):
    return {"to": contact.phone, "purpose": "transactional", "text": "Your order has left.", **over}


def post(api, body, url=URL, **headers):
    return api.post(url, body, content_type="application/json", headers=headers)


def test_a_message_to_someone_who_agreed_is_queued_with_its_verdict(api, sender):
    contact = agreed(sender)
    answer = post(api, body_to(contact))
    assert answer.status_code == 202, answer.json()
    verdict = answer.json()["recipients"][0]
    assert (verdict["outcome"], verdict["code"]) == ("allowed", "OK")
    assert verdict["detail"].startswith("May be sent")
    assert verdict["contact"] == contact.ref
    row = OutboundMessage.objects.get()
    assert verdict["message"]["id"] == row.ref
    assert (row.kind, row.state, row.text) == (MessageKind.API, "queued", "Your order has left.")


def test_someone_who_never_agreed_is_an_answer_and_not_an_error(api, sender):
    answer = post(api, {"to": "+12125550123", "purpose": "transactional", "text": "Hi"})
    assert answer.status_code == 202
    verdict = answer.json()["recipients"][0]
    assert verdict["outcome"] == "blocked"
    assert verdict["code"] == "NO_CONSENT"
    assert verdict["detail"] == "Blocked: this person never gave consent."
    assert verdict["message"] is None
    assert Contact.objects.get().ref == verdict["contact"]
    assert not OutboundMessage.objects.exists()


def test_a_message_for_later_waits_for_its_time(api, sender):
    at = timezone.now() + timedelta(days=2)
    answer = post(api, body_to(agreed(sender), send_at=at.isoformat()))
    assert answer.json()["recipients"][0]["outcome"] == "allowed"
    assert OutboundMessage.objects.get().due_at == at


def test_outside_the_allowed_hours_the_answer_says_until_when_it_waits(api, sender):
    contact = agreed(sender, purpose=Purpose.MARKETING)
    tomorrow = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%d")
    text = f"{sender.brand.name}: sale. Reply STOP to cancel."
    night = f"{tomorrow}T07:00:00Z"  # from 2 at night in New York to 11 in the evening in Los Angeles
    answer = post(api, body_to(contact, purpose="marketing", text=text, send_at=night))
    verdict = answer.json()["recipients"][0]
    assert (verdict["outcome"], verdict["code"]) == ("deferred", "QUIET_HOURS")
    assert verdict["until"] == verdict["message"]["due_at"] > night
    assert verdict["message"]["waiting_for"] == "quiet_hours"
    assert verdict["detail"].startswith("Waiting until")


def test_an_offer_that_ends_before_it_may_be_sent_is_blocked(api, sender):
    contact = agreed(sender, purpose=Purpose.MARKETING)
    day = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%d")
    text = f"{sender.brand.name}: sale. Reply STOP to cancel."
    body = body_to(contact, purpose="marketing", text=text, send_at=f"{day}T07:00:00Z", send_by=f"{day}T08:00:00Z")
    assert post(api, body).json()["recipients"][0]["code"] == "TOO_LATE"


def test_someone_who_opted_out_is_blocked(api, sender):
    contact = agreed(sender)
    now = timezone.now()
    consent.opt_out(contact, brand=None, source=ConsentSource.TEXT, occurred_at=now, now=now)
    assert post(api, body_to(contact)).json()["recipients"][0]["code"] == "SUPPRESSED"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"to": "hello"}, "/to"),
        ({"to": None}, "/to"),
        ({"contact": "con_" + "0" * 32}, "/to"),
        ({"to": "+18005550100"}, "/to"),
        ({"purpose": "conversational"}, "/purpose"),
        ({"purpose": "compliance"}, "/purpose"),
        ({"text": ""}, "/text"),
        ({"text": "x" * 1601}, "/text"),
        ({"text": "a\ud800"}, "/text"),
        ({"sender": "+19995550100"}, "/sender"),
        ({"brand": "nobody"}, "/brand"),
        ({"send_at": "tomorrow"}, "/send_at"),
        ({"send_at": "2026-11-23T10:00:00"}, "/send_at"),
        ({"send_by": "9999-12-31T23:59:59-14:00"}, "/send_by"),
        ({"state": "accepted"}, "/state"),
        ({"priority": 1}, "/priority"),
    ],
)
def test_a_bad_field_is_named(api, sender, change, pointer):
    answer = post(api, {**body_to(agreed(sender)), **change})
    assert answer.status_code == 400, answer.json()
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert not OutboundMessage.objects.exists()


def test_an_unknown_contact_is_named(api, sender):
    answer = post(api, {"contact": "con_" + "0" * 32, "purpose": "transactional", "text": "Hi"})
    assert answer.json()["errors"][0]["pointer"] == "/contact"


def test_with_several_brands_one_must_be_named(api, sender):
    contact = agreed(sender)
    factories.brand()
    assert post(api, body_to(contact)).json()["errors"][0]["pointer"] == "/brand"
    assert post(api, body_to(contact, brand=sender.brand.slug)).status_code == 202
    assert post(api, body_to(contact, sender=sender.value)).status_code == 202


def test_the_same_key_twice_sends_once_and_replays_the_answer(api, sender):
    contact = agreed(sender)
    first = post(api, body_to(contact), **{"Idempotency-Key": "order-7"})
    again = post(api, body_to(contact), **{"Idempotency-Key": "order-7"})
    assert again.status_code == 202
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert OutboundMessage.objects.count() == 1


def test_the_same_key_for_another_body_is_422(api, sender):
    contact = agreed(sender)
    post(api, body_to(contact), **{"Idempotency-Key": "order-7"})
    answer = post(api, body_to(contact, text="Another"), **{"Idempotency-Key": "order-7"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"
    assert OutboundMessage.objects.count() == 1


def test_the_same_key_of_another_api_key_is_another_request(api, sender):
    contact = agreed(sender)
    post(api, body_to(contact), **{"Idempotency-Key": "order-7"})
    answer = post(factories.api(), body_to(contact), **{"Idempotency-Key": "order-7"})
    assert "Idempotent-Replayed" not in answer
    assert OutboundMessage.objects.count() == 2


def test_a_refusal_is_replayed_as_well(api, sender):
    body = {"to": "hello", "purpose": "transactional", "text": "Hi"}
    first = post(api, body, **{"Idempotency-Key": "k"})
    again = post(api, body, **{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (400, 400)
    assert again["Idempotent-Replayed"] == "true"
    assert again["Content-Type"] == "application/problem+json"


def test_a_request_that_is_still_running_is_409_and_a_dead_one_is_taken_over(api, sender):
    contact = agreed(sender)
    post(api, body_to(contact), **{"Idempotency-Key": "k"})
    OutboundMessage.objects.all().delete()
    IdempotentAnswer.objects.update(status=None, body="")  # as after a crash before the commit
    answer = post(api, body_to(contact), **{"Idempotency-Key": "k"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "request_in_progress"
    IdempotentAnswer.objects.update(started_at=timezone.now() - timedelta(seconds=61))
    assert post(api, body_to(contact), **{"Idempotency-Key": "k"}).status_code == 202
    assert OutboundMessage.objects.count() == 1


def test_a_key_from_the_day_before_still_does_not_send_twice(api, sender):
    contact = agreed(sender)
    post(api, body_to(contact), **{"Idempotency-Key": "k"})
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    answer = post(api, body_to(contact), **{"Idempotency-Key": "k"})
    assert answer.status_code == 422
    assert OutboundMessage.objects.count() == 1


def test_a_fault_of_ours_keeps_no_answer_so_the_request_can_be_repeated(api, sender, monkeypatch):
    contact = agreed(sender)
    api.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr("campaigns.sending.wake", lambda: 1 / 0)
        assert post(api, body_to(contact), **{"Idempotency-Key": "k"}).status_code == 500
    assert not OutboundMessage.objects.exists()
    assert post(api, body_to(contact), **{"Idempotency-Key": "k"}).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb"])
def test_an_unusable_idempotency_key_is_refused(api, sender, key):
    answer = post(api, body_to(agreed(sender)), **{"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_idempotency_key"


@pytest.mark.django_db(transaction=True)
def test_twenty_repeats_at_once_send_one_message(sender):
    contact = agreed(sender)
    _, text = factories.api_key()
    statuses = []

    def ask():
        try:
            statuses.append(post(factories.api(text), body_to(contact), **{"Idempotency-Key": "k"}).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 20
    assert set(statuses) <= {202, 409, 503}  # 503: SQLite in memory was locked; the client repeats
    assert post(factories.api(text), body_to(contact), **{"Idempotency-Key": "k"}).status_code == 202
    assert OutboundMessage.objects.count() == 1


def test_a_test_key_reaches_simulators_only(sender):
    _, text = factories.api_key(is_test=True)
    contact = agreed(sender)
    assert post(factories.api(text), body_to(contact)).status_code == 202
    sender.account.is_simulator = False
    sender.account.save()
    answer = post(factories.api(text), body_to(contact))
    assert answer.status_code == 403
    assert answer.json()["code"] == "no_simulator"
    assert OutboundMessage.objects.count() == 1
    assert factories.api(text).get(URL).json()["data"] == []  # nor does it see what went to a provider


def test_a_message_is_read_by_keys_of_its_owner_only(sender):
    mine, other = factories.user(), factories.user()
    scopes = [Scope.MESSAGES_SEND, Scope.MESSAGES_READ]
    api = factories.api(factories.api_key(owner=mine, scopes=scopes)[1])
    made = post(api, body_to(agreed(sender))).json()["recipients"][0]["message"]
    url = f"{URL}{made['id']}/"
    rotated = factories.api(factories.api_key(owner=mine, scopes=scopes)[1])
    stranger = factories.api(factories.api_key(owner=other, scopes=scopes)[1])
    assert rotated.get(url).json()["events"] == []
    assert len(rotated.get(URL).json()["data"]) == 1
    assert stranger.get(url).status_code == 404
    assert stranger.get(URL).json()["data"] == []


def test_campaign_messages_need_the_scope_of_campaigns(sender):
    contact = agreed(sender)
    post(factories.api(), body_to(contact))
    OutboundMessage.objects.update(kind=MessageKind.CAMPAIGN, api_key=None)
    narrow = factories.api(factories.api_key(scopes=[Scope.MESSAGES_READ])[1])
    wide = factories.api(factories.api_key(scopes=[Scope.MESSAGES_READ, Scope.CAMPAIGNS_READ])[1])
    assert narrow.get(URL).json()["data"] == []
    assert len(wide.get(URL).json()["data"]) == 1


def test_filters_and_queries_of_the_list(api, sender, django_assert_max_num_queries):
    contacts = [agreed(sender) for _ in range(8)]
    for contact in contacts:
        assert post(api, body_to(contact)).status_code == 202
    with django_assert_max_num_queries(5):  # key, last use, allowance, keys of the owner, messages
        assert len(api.get(URL).json()["data"]) == 8
    found = api.get(URL, {"phone": contacts[3].phone, "state": "queued"}).json()["data"]
    assert [row["contact"] for row in found] == [contacts[3].ref]
    assert api.get(URL, {"state": "delivered"}).json()["data"] == []
    assert api.get(URL, {"state": "gone"}).status_code == 400
