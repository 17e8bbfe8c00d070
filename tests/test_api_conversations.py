import itertools

import pytest
from django.utils import timezone

from campaigns import reports
from campaigns.models import OutboundMessage
from inbound import receiving
from inbound.models import Conversation, Reply
from smsdesk.gateways.contract import InboundText
from smsdesk.models import Scope
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/v1/conversations/"
_events = itertools.count()


@pytest.fixture
def api():
    return factories.api()


@pytest.fixture
def sender():
    return factories.sender()


def hear(body, *, sender, phone="+12025550111"):
    text = InboundText(
        event_key=f"e{next(_events)}", gateway_id="g", phone=phone, sender=sender.value, text=body, at=None
    )
    receiving.receive(sender.account, text, now=timezone.now())
    return Conversation.objects.latest("pk")


def reply(api, conversation, body, **headers):
    return api.post(f"{URL}{conversation.ref}/reply/", body, content_type="application/json", headers=headers)


def test_a_question_is_read_and_answered_once(api, sender):
    conversation = hear("Where is my order?", sender=sender)
    assert [row["id"] for row in api.get(URL).json()["data"]] == [conversation.ref]
    read = api.get(f"{URL}{conversation.ref}/").json()
    assert [(one["direction"], one["text"]) for one in read["thread"]] == [("inbound", "Where is my order?")]
    body = {"text": "On its way.", "last_seen": read["last_seen"]}
    answers = [reply(api, conversation, body, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202], answers[0].json()
    assert answers[0].content == answers[1].content
    assert Reply.objects.get().message.text == "On its way."
    assert Reply.objects.get().author is not None
    thread = api.get(f"{URL}{conversation.ref}/").json()["thread"]
    assert [one["direction"] for one in thread] == ["inbound", "outbound"]


def test_a_reply_over_a_newer_message_is_409(api, sender):
    conversation = hear("Where is my order?", sender=sender)
    seen = api.get(f"{URL}{conversation.ref}/").json()["last_seen"]
    hear("Never mind", sender=sender)
    answer = reply(api, conversation, {"text": "On its way.", "last_seen": seen})
    assert answer.status_code == 409
    assert answer.json()["code"] == "newer_message"
    assert not OutboundMessage.objects.exists()


def test_someone_who_opted_out_cannot_be_answered_and_the_reason_is_said(api, sender):
    conversation = hear("Where is my order?", sender=sender)
    hear("STOP", sender=sender)
    seen = api.get(f"{URL}{conversation.ref}/").json()["last_seen"]
    answer = reply(api, conversation, {"text": "On its way.", "last_seen": seen})
    assert answer.status_code == 403
    assert answer.json()["code"] == "suppressed"
    assert "opted out" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"last_seen": ""}, "/text"),
        ({"text": "", "last_seen": ""}, "/text"),
        ({"text": "x"}, "/last_seen"),
        ({"text": "x", "last_seen": 1}, "/last_seen"),
        ({"text": "x", "last_seen": "", "author": 1}, "/author"),
        ({"text": "x" * 1601, "last_seen": ""}, "/text"),
    ],
)
def test_a_bad_field_is_named(api, sender, body, pointer):
    answer = reply(api, hear("Hi", sender=sender), body)
    assert answer.status_code == 400
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]


def test_a_test_key_sees_and_answers_simulated_threads_only(sender):
    api = factories.api(factories.api_key(is_test=True)[1])
    conversation = hear("Hi", sender=sender)
    assert len(api.get(URL).json()["data"]) == 1
    sender.account.is_simulator = False
    sender.account.save()
    assert api.get(URL).json()["data"] == []
    assert api.get(f"{URL}{conversation.ref}/").status_code == 404
    assert reply(api, conversation, {"text": "x", "last_seen": ""}).status_code == 404


def test_reading_does_not_imply_answering(sender):
    api = factories.api(factories.api_key(scopes=[Scope.CONVERSATIONS_READ])[1])
    assert reply(api, hear("Hi", sender=sender), {"text": "x", "last_seen": ""}).json()["code"] == "missing_scope"


def test_list_and_thread_take_few_queries(api, sender, django_assert_max_num_queries):
    for number in range(6):
        conversation = hear("Hi", sender=sender, phone=f"+1202555013{number}")
    hear("Again", sender=sender, phone="+12025550135")
    with django_assert_max_num_queries(4):  # key, last use, allowance, conversations
        assert len(api.get(URL).json()["data"]) == 6
    with django_assert_max_num_queries(8):  # …, last inbound, last reply, theirs, ours
        assert len(api.get(f"{URL}{conversation.ref}/").json()["thread"]) == 2
    assert len(api.get(URL, {"contact": conversation.contact.ref}).json()["data"]) == 1
    assert len(api.get(URL, {"phone": "+12025550131"}).json()["data"]) == 1
    assert api.get(URL, {"contact": "x"}).status_code == 400


def test_the_report_of_a_campaign_has_its_denominators(api, sender):
    campaign = factories.campaign(sender=sender)
    factories.outbound(campaign, factories.contact(), state="delivered")
    factories.outbound(campaign, factories.contact(), state="skipped", code="NO_CONSENT")
    report = api.get(f"/api/v1/campaigns/{campaign.ref}/report/").json()
    assert (report["targeted"], report["delivered"], report["skipped"]) == (2, 1, 1)
    assert report["skips"] == [
        {"code": "NO_CONSENT", "sentence": reports.reasons.summary("NO_CONSENT"), "count": 1, "of": 2}
    ]
    found = api.get("/api/v1/messages/", {"campaign": campaign.ref, "state": "skipped"}).json()["data"]
    assert [row["reason"] for row in found] == [reports.reasons.summary("NO_CONSENT")]
