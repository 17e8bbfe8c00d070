"""Texts arrive through the front door: exactly once, with their whole effect before the 2xx, and nothing forged."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse

from campaigns import sending
from campaigns.models import MessageKind, OutboundMessage, OutboundState, Priority
from contacts import consent
from contacts.models import Basis, ConsentSource, ConsentState, Contact, Hold, Purpose, Suppression
from inbound import receiving
from inbound.models import AutomaticReply, Conversation, InboundMessage, Keyword, KeywordAction
from smsdesk import failpoints
from smsdesk.gateways.contract import InboundText
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

PHONE = "+12025550111"
PROOF = consent.Proof(wording="Get our texts", method="web_form", act="ticked the box")


def text(body, *, sender, phone=PHONE, key="", at=None, **more):
    return InboundText(
        event_key=key or f"event-{InboundMessage.objects.count()}-{body[:20]}",
        gateway_id="gw",
        phone=phone,
        sender=sender.value,
        text=body,
        at=at,
        **more,
    )


def receive(body, *, sender, now=NOW, **more):
    return receiving.receive(sender.account, text(body, sender=sender, **more), now=now)


def opted_in(contact, brand, *, at=NOW - timedelta(days=30)):
    consent.opt_in(
        contact,
        brand=brand,
        purposes=[Purpose.MARKETING],
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.WEB_FORM,
        proof=PROOF,
        occurred_at=at,
        now=at,
    )


def queued(contact, sender, *, purpose=Purpose.MARKETING):
    return sending.queue(
        contact,
        sender=sender,
        text="Sale",
        purpose=purpose,
        kind=MessageKind.API,
        priority=Priority.CAMPAIGN,
        now=NOW,
    )


def is_suppressed(brand, phone=PHONE):
    contact = Contact.objects.get(phone=phone)
    return Suppression.objects.filter(subscriber_key=contact.subscriber_key, brand=brand, lifted_by=None).exists()


def automatic_texts():
    return list(OutboundMessage.objects.filter(kind=MessageKind.AUTOMATIC).values_list("text", flat=True))


# --- STOP ----------------------------------------------------------------------------------------------


def test_stop_suppresses_cancels_and_confirms_in_one_go():
    sender = factories.sender()
    contact = factories.contact(PHONE)
    waiting = queued(contact, sender)
    message = receive("STOP", sender=sender)
    waiting.refresh_from_db()
    assert (message.intent, message.confidence) == ("opt_out", "exact")
    assert is_suppressed(sender.brand)
    assert waiting.state == OutboundState.CANCELLED
    confirmation = OutboundMessage.objects.get(kind=MessageKind.AUTOMATIC)
    assert confirmation.compliance_kind == "optout_confirm"
    assert confirmation.priority == Priority.URGENT
    assert sender.brand.name in confirmation.text


def test_stop_of_a_stranger_is_kept_too():
    sender = factories.sender()
    receive("stop", sender=sender)
    assert is_suppressed(sender.brand)


def test_stop_is_written_down_on_the_message_it_answers():
    sender = factories.sender()
    contact = factories.contact(PHONE)
    row = queued(contact, sender)
    OutboundMessage.objects.filter(pk=row.pk).update(state=OutboundState.DELIVERED, submit_no=1)
    message = receive("Stop", sender=sender)
    row.refresh_from_db()
    assert message.answers_id == row.pk
    assert row.opted_out_at == NOW
    assert row.replied_at is None


def test_stop_twice_in_a_day_is_confirmed_once():
    sender = factories.sender()
    receive("STOP", sender=sender)
    receive("STOP", sender=sender, now=NOW + timedelta(hours=23))
    receive("STOP", sender=sender, now=NOW + timedelta(hours=25))
    assert len(automatic_texts()) == 2


def test_no_confirmation_of_ours_where_the_gateway_has_answered():
    sender = factories.sender()
    receive("STOP", sender=sender, opt_hint="stop", answers_stop_itself=True)
    assert is_suppressed(sender.brand)
    assert automatic_texts() == []


def test_a_block_of_the_gateway_counts_even_where_we_read_nothing():
    sender = factories.sender()
    receive("tschüss", sender=sender, opt_hint="stop", answers_stop_itself=True)
    assert is_suppressed(sender.brand)


@pytest.mark.parametrize("phone", ["+5491123456789", "+541123456789"])
def test_stop_from_an_alias_form_reaches_the_same_handset(phone):
    sender = factories.sender()
    factories.contact("+5491123456789")
    receive("STOP", sender=sender, phone=phone)
    assert Contact.objects.count() == 1
    assert Suppression.objects.filter(lifted_by=None).count() == 1


def test_stop_to_another_number_of_the_brand_counts_for_the_brand():
    sender = factories.sender()
    other = factories.sender(brand=sender.brand, account=sender.account)
    receive("STOP", sender=other)
    assert is_suppressed(sender.brand)


def test_stop_to_one_brand_leaves_the_other_alone():
    sender = factories.sender()
    other = factories.sender(account=sender.account)
    receive("STOP", sender=sender)
    assert not is_suppressed(other.brand)


def test_stop_that_came_late_does_not_undo_a_later_start():
    sender = factories.sender()
    contact = factories.contact(PHONE)
    opted_in(contact, sender.brand)
    receive("START", sender=sender, at=NOW - timedelta(seconds=1))
    waiting = queued(contact, sender)
    receive("STOP", sender=sender, at=NOW - timedelta(seconds=2))
    waiting.refresh_from_db()
    assert not is_suppressed(sender.brand)
    assert waiting.state == OutboundState.QUEUED


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_stop_start_stop_in_any_order_of_arrival_ends_opted_out(order):
    sender = factories.sender()
    said = [("STOP", 3), ("START", 2), ("STOP", 1)]
    for index in order:
        body, seconds = said[index]
        receive(body, sender=sender, at=NOW - timedelta(seconds=seconds), key=f"k{index}")
    assert is_suppressed(sender.brand)


def test_an_ordinary_text_after_stop_lifts_nothing():
    sender = factories.sender()
    receive("STOP", sender=sender)
    receive("What time do you open?", sender=sender, now=NOW + timedelta(minutes=1))
    assert is_suppressed(sender.brand)


def test_the_answer_to_stop_waits_until_nothing_of_that_phone_is_leaving():
    sender = factories.sender()
    contact = factories.contact(PHONE)
    row = queued(contact, sender)
    from_now = sending.clock.database_now()
    OutboundMessage.objects.filter(pk=row.pk).update(
        state=OutboundState.SUBMITTING, token=row.public_id, submitted_at=from_now, submit_no=1
    )
    seen = []

    def recorded(seconds):
        seen.append(seconds)
        OutboundMessage.objects.filter(pk=row.pk).update(state=OutboundState.ACCEPTED)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receiving.time, "sleep", recorded)
        receive("STOP", sender=sender)
    assert len(seen) == 1


# --- START, HELP, keywords ------------------------------------------------------------------------------


def test_start_lifts_their_own_stop_and_revives_written_consent():
    sender = factories.sender()
    contact = factories.contact(PHONE)
    opted_in(contact, sender.brand)
    receive("STOP", sender=sender)
    receive("START", sender=sender, now=NOW + timedelta(minutes=1))
    assert not is_suppressed(sender.brand)
    assert ConsentState.objects.get(brand=sender.brand, purpose=Purpose.MARKETING).is_active
    assert any("subscribed again" in said for said in automatic_texts())


def test_start_without_earlier_consent_asks_and_yes_grants_it():
    sender = factories.sender()
    receive("START", sender=sender)
    assert not ConsentState.objects.filter(purpose=Purpose.MARKETING, is_active=True).exists()
    assert "Reply YES" in automatic_texts()[0]
    receive("yes", sender=sender, now=NOW + timedelta(minutes=1))
    state = ConsentState.objects.get(purpose=Purpose.MARKETING)
    assert state.is_active
    assert state.is_proven
    assert state.basis == Basis.EXPRESS_WRITTEN


def test_yes_of_a_new_owner_answers_nothing_the_former_one_was_asked():
    sender = factories.sender()
    receive("START", sender=sender)
    owner_changed = NOW + timedelta(seconds=30)
    consent.reassign(Contact.objects.get(), source=ConsentSource.ADMIN, now=owner_changed)
    receive("yes", sender=sender, now=NOW + timedelta(minutes=1))
    assert not ConsentState.objects.filter(is_active=True).exists()


def test_yes_with_nothing_pending_grants_nothing():
    sender = factories.sender()
    message = receive("YES", sender=sender)
    assert message.intent == "none"
    assert not ConsentState.objects.exists()


def test_start_does_not_lift_a_complaint():
    sender = factories.sender()
    contact = factories.contact(PHONE)
    consent.opt_out(contact, brand=sender.brand, source=ConsentSource.COMPLAINT, occurred_at=NOW, now=NOW)
    receive("START", sender=sender, now=NOW + timedelta(minutes=1))
    assert is_suppressed(sender.brand)
    assert automatic_texts() == []
    assert Conversation.objects.filter(is_unread=True).exists()


def test_help_is_answered_although_suppressed():
    sender = factories.sender()
    receive("STOP", sender=sender)
    receive("HELP", sender=sender, now=NOW + timedelta(minutes=1))
    assert OutboundMessage.objects.filter(compliance_kind="help_reply", state=OutboundState.QUEUED).exists()


def keyword(brand, **over):
    values = {
        "word": "JOIN",
        "aliases": ["VIP"],
        "action": KeywordAction.OPT_IN,
        "call_to_action": "Text JOIN to 555 to get Acme's offers, up to 4 msgs/mo.",
        "reply": "{brand}: You're in! Up to 4 msgs/mo. Msg & data rates may apply. HELP for help, STOP to cancel.",
        **over,
    }
    return Keyword.objects.create(brand=brand, **values)


@pytest.mark.parametrize("body", ["JOIN", "join!", " Join please", "vip", "j o i n"])
def test_join_opts_in_with_the_call_to_action_as_proof(body):
    sender = factories.sender()
    joined = keyword(sender.brand)
    message = receive(body, sender=sender)
    state = ConsentState.objects.get(brand=sender.brand, purpose=Purpose.MARKETING)
    evidence = state.event.evidence.document
    assert message.keyword == joined
    assert state.is_active
    assert state.is_proven
    assert joined.call_to_action in str(evidence)
    assert str(message.public_id) in str(evidence)
    assert OutboundMessage.objects.get(kind=MessageKind.AUTOMATIC).compliance_kind == "optin_confirm"


def test_join_of_another_brand_is_only_a_text():
    sender = factories.sender()
    keyword(factories.brand())
    message = receive("JOIN", sender=sender)
    assert message.keyword is None
    assert Conversation.objects.count() == 1


def test_stop_goes_before_a_keyword_of_the_same_word():
    sender = factories.sender()
    keyword(sender.brand, word="END", aliases=[])
    receive("END", sender=sender)
    assert is_suppressed(sender.brand)


def test_an_echo_is_answered_at_most_three_times_in_ten_minutes():
    sender = factories.sender()
    for word in ("JOIN", "WIN", "SALE", "SHOES"):
        keyword(sender.brand, word=word, aliases=[])
    for minute, body in enumerate(["JOIN", "WIN", "SALE", "SHOES", "JOIN", "HELP"]):
        receive(body, sender=sender, now=NOW + timedelta(minutes=minute))
    assert len(automatic_texts()) == 3


# --- Doubt and conversation -----------------------------------------------------------------------------


def test_doubt_holds_the_phone_and_shows_the_text_to_people():
    sender = factories.sender()
    message = receive("Stop by the store?", sender=sender)
    assert (message.intent, message.confidence) == ("opt_out", "review")
    assert Hold.objects.filter(closed_at=None, inbound_id=message.public_id).exists()
    assert Conversation.objects.get().events.filter(kind="held").exists()
    assert not is_suppressed(sender.brand)


def test_a_question_opens_a_conversation_and_the_next_text_stays_in_it():
    sender = factories.sender()
    receive("Are you open?", sender=sender)
    receive("Hello?", sender=sender, now=NOW + timedelta(minutes=5))
    conversation = Conversation.objects.get()
    assert conversation.is_unread
    assert conversation.inbound_messages.count() == 2
    assert Contact.objects.get().last_inbound_at == NOW + timedelta(minutes=5)
    assert not ConsentState.objects.filter(is_active=True, purpose=Purpose.MARKETING).exists()


def test_the_same_text_twice_on_purpose_is_kept_twice():
    sender = factories.sender()
    receive("yes", sender=sender, key="a")
    receive("yes", sender=sender, key="b", now=NOW + timedelta(seconds=3))
    assert InboundMessage.objects.count() == 2


def test_a_replay_changes_nothing():
    sender = factories.sender()
    first = receive("STOP", sender=sender, key="same")
    again = receive("STOP", sender=sender, key="same", now=NOW + timedelta(days=3))
    assert first.pk == again.pk
    assert InboundMessage.objects.count() == 1
    assert len(automatic_texts()) == 1
    assert AutomaticReply.objects.count() == 1


@pytest.mark.parametrize("phone", ["12345", "AcmeBank", "", "+18005550123", "x" * 500, "\ud800"])
def test_a_text_of_nobody_is_stored_without_contact(phone):
    sender = factories.sender()
    message = receive("STOP", sender=sender, phone=phone)
    assert message.contact is None
    assert Contact.objects.count() == 0
    assert InboundMessage.objects.count() == 1


def test_a_text_to_an_unknown_number_of_ours_is_read_as_sent_to_the_first():
    sender = factories.sender()
    receiving.receive(
        sender.account,
        InboundText(event_key="1", gateway_id="", phone=PHONE, sender="+19998887777", text="STOP"),
        now=NOW,
    )
    assert is_suppressed(sender.brand)


def test_a_text_to_an_account_without_senders_is_kept():
    account = factories.account()
    message = receiving.receive(
        account, InboundText(event_key="1", gateway_id="", phone=PHONE, sender="1", text="hi"), now=NOW
    )
    assert message.pk
    assert message.sender is None


def test_an_empty_reply_template_does_not_undo_the_opt_out():
    sender = factories.sender(brand=factories.brand(stop_reply=""))
    receive("STOP", sender=sender)
    assert is_suppressed(sender.brand)


# --- The front door -------------------------------------------------------------------------------------


def address(account, kind="inbound", *, secret=""):
    path = reverse("hook", args=[account.public_id, "SECRET", kind])
    return path.replace("SECRET", secret or account.hook_secret)


def infobip(sender, *bodies, phone=PHONE, prefix="m"):
    return {
        "results": [
            {
                "messageId": f"{prefix}{number}",
                "from": phone.lstrip("+"),
                "to": sender.value.lstrip("+"),
                "text": body,
                "receivedAt": "2026-11-18T17:00:00.000+0000",
            }
            for number, body in enumerate(bodies)
        ]
    }


def post(sender, document, *, kind="inbound", secret=""):
    body = document if isinstance(document, str | bytes) else json.dumps(document)
    return Client().post(address(sender.account, kind, secret=secret), body, content_type="application/json")


def test_a_stop_by_webhook_is_committed_before_the_2xx():
    sender = factories.sender()
    answer = post(sender, infobip(sender, "STOP", "hello"))
    assert answer.status_code == 200
    assert is_suppressed(sender.brand)
    assert InboundMessage.objects.count() == 2


@pytest.mark.parametrize("secret", ["wrong", "Ã©", "%00", "a" * 5000])
def test_a_wrong_secret_stores_nothing(secret):
    sender = factories.sender()
    answer = post(sender, infobip(sender, "STOP"), secret=secret)
    assert answer.status_code in (400, 404)
    assert InboundMessage.objects.count() == 0


def test_the_secret_of_another_account_stores_nothing():
    sender, other = factories.sender(), factories.sender()
    answer = post(sender, infobip(sender, "STOP"), secret=other.account.hook_secret)
    assert answer.status_code == 404
    assert InboundMessage.objects.count() == 0


def test_an_unsigned_request_to_a_signing_gateway_is_refused():
    account = factories.account(kind="twilio", credentials={"account_sid": "AC1", "auth_token": "t"})
    factories.sender(account=account)
    answer = Client().post(address(account), {"MessageSid": "SM1", "From": PHONE, "To": "1", "Body": "STOP"})
    assert answer.status_code == 403
    assert InboundMessage.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '{"results": 3}', "[" * 60_000, '{"results":' * 5_000, "\x00", b"\xff\xfe", "NaN"],
)
def test_a_body_nobody_understands_is_a_400(body):
    sender = factories.sender()
    answer = post(sender, body)
    assert answer.status_code == 400
    assert InboundMessage.objects.count() == 0


@pytest.mark.parametrize(
    "poison", ["\x00STOP\x00", "\ud83d", "a\ud800b", "‮gpj", "\x1b[31m", "x" * 20_000, "ﷺ" * 100, "{{ 7*7 }}"]
)
def test_poisoned_texts_are_cleaned_and_kept(poison):
    sender = factories.sender()
    document = infobip(sender, poison)
    document["results"][0]["messageId"] = "id" + poison[:50]
    document["results"][0]["keyword"] = poison
    answer = post(sender, document)
    assert answer.status_code == 200
    assert InboundMessage.objects.count() == 1


def test_a_huge_body_is_refused_before_it_is_parsed():
    sender = factories.sender()
    answer = post(sender, infobip(sender, "x" * 70_000))
    assert answer.status_code == 413
    assert InboundMessage.objects.count() == 0


def test_only_post_is_heard():
    sender = factories.sender()
    assert Client().get(address(sender.account)).status_code == 405


def test_without_database_the_gateway_is_told_to_repeat(monkeypatch):
    sender = factories.sender()

    def gone(*args, **kwargs):
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(receiving.InboundMessage.objects, "bulk_create", gone)
    assert post(sender, infobip(sender, "STOP")).status_code == 503
    assert Contact.objects.count() == 0


def test_a_receipt_reaches_the_ledger():
    sender = factories.sender()
    row = queued(factories.contact(PHONE), sender)
    OutboundMessage.objects.filter(pk=row.pk).update(state=OutboundState.ACCEPTED, submit_no=1)
    receipt = {
        "messageId": row.public_id.hex,
        "to": PHONE.lstrip("+"),
        "doneAt": "2026-11-18T17:00:05.000+0000",
        "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET"},
        "error": {"id": 0, "name": "NO_ERROR", "permanent": False},
    }
    assert post(sender, {"results": [receipt]}, kind="status").status_code == 200
    row.refresh_from_db()
    assert row.state == OutboundState.DELIVERED


# --- Races (PostgreSQL) ---------------------------------------------------------------------------------


def in_threads(*jobs):
    """Run all at once; what each returned or raised."""
    barrier = threading.Barrier(len(jobs))
    results = [None] * len(jobs)

    def run(place, job):
        barrier.wait()
        try:
            results[place] = job()
        except Exception as problem:
            results[place] = problem
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


needs_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_five_posts_of_one_text_at_once_have_one_effect():
    sender = factories.sender()
    document = infobip(sender, "STOP")
    answers = in_threads(*[lambda: post(sender, document).status_code] * 5)
    assert answers == [200] * 5
    assert InboundMessage.objects.count() == 1
    assert AutomaticReply.objects.count() == 1
    assert Suppression.objects.count() == 1


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_five_different_questions_of_a_stranger_at_once_make_one_contact_and_one_conversation():
    sender = factories.sender()
    jobs = [
        lambda n=n: post(sender, infobip(sender, f"question {n}?", prefix=f"q{n}")).status_code for n in range(5)
    ]
    assert in_threads(*jobs) == [200] * 5
    assert Contact.objects.count() == 1
    assert Conversation.objects.count() == 1
    assert Conversation.objects.get().inbound_messages.count() == 5


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_stop_whose_process_stood_still_for_too_long_is_to_be_sent_again(tmp_path):
    sender = factories.sender()
    with connection.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = '50ms'")
    failpoints.arm("stop.locked=hold:300@1", journal=tmp_path / "journal")
    try:
        assert post(sender, infobip(sender, "STOP")).status_code == 503
        connection.close()
        assert post(sender, infobip(sender, "STOP")).status_code == 200
    finally:
        failpoints.arm("", journal=None)
    assert is_suppressed(sender.brand)


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_stop_waits_for_a_submit_that_holds_the_contact():
    sender = factories.sender()
    contact = factories.contact(PHONE)
    row = queued(contact, sender)
    held, let_go = threading.Event(), threading.Event()

    def submit():
        with transaction.atomic():
            consent.lock([contact.pk])
            held.set()
            let_go.wait(10)
            OutboundMessage.objects.filter(pk=row.pk, state=OutboundState.QUEUED).update(
                state=OutboundState.ACCEPTED, submit_no=1
            )

    def stop():
        held.wait(10)
        threading.Timer(2.5, let_go.set).start()  # longer than the usual lock timeout
        return post(sender, infobip(sender, "STOP")).status_code

    _, status = in_threads(submit, stop)
    row.refresh_from_db()
    assert status == 200
    assert row.state == OutboundState.ACCEPTED
    assert is_suppressed(sender.brand)
