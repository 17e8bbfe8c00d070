"""Threads: opened and reopened by what people write, answered once, never over a newer message."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from campaigns.models import MessageKind, OutboundMessage, Priority
from contacts import consent
from contacts.models import ConsentSource, Contact, Purpose
from inbound import conversations, receiving, replies
from inbound.models import Conversation, ConversationState, Draft, Reply
from smsdesk.errors import Conflict, Invalid, NotPermitted, WrongState
from smsdesk.gateways.contract import InboundText
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

PHONE = "+12025550111"


def hears(sender, body="Are you open?", *, now=NOW, phone=PHONE):
    said = InboundText(event_key=uuid4().hex, gateway_id="", phone=phone, sender=sender.value, text=body, at=now)
    receiving.receive(sender.account, said, now=now)
    return Conversation.objects.order_by("-id").first()


def answer(conversation, *, text="Yes, until six.", last_seen=None, token=None, author=None, now=NOW):
    return replies.send(
        conversation,
        author=author,
        text=text,
        last_seen=replies.newest(conversation) if last_seen is None else last_seen,
        form_token=token or uuid4(),
        now=now,
    )


# --- State ----------------------------------------------------------------------------------------------


def test_an_inbound_text_reopens_what_was_resolved_lately():
    sender, agent = factories.sender(), factories.user()
    conversation = hears(sender)
    conversations.resolve(conversation, by=agent, now=NOW)
    again = hears(sender, "One more thing", now=NOW + timedelta(days=2))
    assert again.pk == conversation.pk
    assert again.state == ConversationState.OPEN
    assert again.is_unread
    assert again.events.filter(kind="reopened").exists()


def test_resolved_long_ago_a_new_text_opens_a_new_thread():
    sender, agent = factories.sender(), factories.user()
    conversation = hears(sender)
    conversations.resolve(conversation, by=agent, now=NOW)
    again = hears(sender, "Hello again", now=NOW + timedelta(days=20))
    assert again.pk != conversation.pk


def test_one_person_has_one_open_thread_per_sender():
    conversation = hears(factories.sender())
    with pytest.raises(IntegrityError), transaction.atomic():
        Conversation.objects.create(
            contact=conversation.contact, sender=conversation.sender, last_activity_at=NOW, created_at=NOW
        )


def test_the_second_to_claim_is_told_who_was_first():
    conversation = hears(factories.sender())
    first, second = factories.user("ana"), factories.user("ben")
    stale = Conversation.objects.get(pk=conversation.pk)
    conversations.claim(conversation, by=first, now=NOW)
    with pytest.raises(Conflict, match="ana"):
        conversations.claim(stale, by=second, now=NOW)
    conversations.claim(conversation, by=first, now=NOW)  # again by the same person: nothing to say


def test_resolving_twice_is_refused_in_words():
    conversation, agent = hears(factories.sender()), factories.user()
    conversations.resolve(conversation, by=agent, now=NOW)
    with pytest.raises(WrongState, match="resolved"):
        conversations.resolve(conversation, by=agent, now=NOW)


def test_a_resolve_can_be_undone_unless_another_thread_was_opened():
    sender, agent = factories.sender(), factories.user()
    conversation = hears(sender)
    conversations.resolve(conversation, by=agent, now=NOW)
    conversations.reopen(conversation, by=agent, now=NOW)
    assert conversation.state == ConversationState.OPEN
    conversations.resolve(conversation, by=agent, now=NOW)
    hears(sender, now=NOW + timedelta(days=20))
    with pytest.raises(Conflict):
        conversations.reopen(conversation, by=agent, now=NOW + timedelta(days=20))


def test_every_change_raises_the_version():
    conversation, agent = hears(factories.sender()), factories.user()
    seen = [conversation.version]
    for change in (
        lambda: conversations.assign(conversation, to=agent, by=agent, now=NOW),
        lambda: conversations.note(conversation, author=agent, text="Calls back", now=NOW),
        lambda: conversations.mark_read(conversation),
        lambda: answer(conversation),
        lambda: conversations.resolve(conversation, by=agent, now=NOW),
    ):
        change()
        conversation.refresh_from_db()
        seen.append(conversation.version)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("text", ["", "   ", "\x00", "x" * 4_001])
def test_a_note_that_cannot_be_kept_says_why(text):
    conversation, agent = hears(factories.sender()), factories.user()
    with pytest.raises(Invalid):
        conversations.note(conversation, author=agent, text=text, now=NOW)


# --- Replies --------------------------------------------------------------------------------------------


def test_a_reply_goes_through_the_ledger_before_campaigns():
    conversation = hears(factories.sender())
    message = answer(conversation)
    conversation.refresh_from_db()
    assert (message.kind, message.purpose, message.priority) == (
        MessageKind.REPLY,
        Purpose.CONVERSATIONAL,
        Priority.URGENT,
    )
    assert conversation.state == ConversationState.PENDING
    assert not conversation.is_unread


def test_a_double_press_sends_once():
    conversation, token = hears(factories.sender()), uuid4()
    first = answer(conversation, token=token)
    second = answer(conversation, token=token, last_seen="anything")
    assert first.pk == second.pk
    assert OutboundMessage.objects.filter(kind=MessageKind.REPLY).count() == 1


def test_a_token_of_another_conversation_is_refused():
    sender, token = factories.sender(), uuid4()
    answer(hears(sender), token=token)
    other = hears(sender, phone="+12025550112")
    with pytest.raises(Conflict):
        answer(other, token=token)


def test_a_newer_text_stops_the_reply_and_is_shown():
    sender = factories.sender()
    conversation = hears(sender)
    seen = replies.newest(conversation)
    hears(sender, "Never mind!", now=NOW + timedelta(seconds=5))
    with pytest.raises(replies.NewerMessage) as refused:
        answer(conversation, last_seen=seen, now=NOW + timedelta(seconds=6))
    assert refused.value.newer.text == "Never mind!"
    assert not Reply.objects.exists()
    answer(conversation, now=NOW + timedelta(seconds=7))
    assert Reply.objects.count() == 1


def test_a_colleague_who_was_faster_is_named():
    conversation = hears(factories.sender())
    seen = replies.newest(conversation)
    answer(conversation, author=factories.user("ana"), now=NOW + timedelta(seconds=1))
    with pytest.raises(Conflict, match="ana"):
        answer(conversation, author=factories.user("ben"), last_seen=seen, now=NOW + timedelta(seconds=2))


def test_one_seen_message_is_enough_to_name_what_is_newer():
    sender = factories.sender()
    conversation = hears(sender)
    seen = conversation.inbound_messages.get().ref
    message = answer(conversation, last_seen=seen, now=NOW + timedelta(seconds=1))
    with pytest.raises(Conflict, match="answered meanwhile"):
        answer(conversation, last_seen=seen, now=NOW + timedelta(seconds=2))
    answer(conversation, last_seen=message.ref, now=NOW + timedelta(seconds=3))
    hears(sender, "And tomorrow?", now=NOW + timedelta(seconds=4))
    with pytest.raises(replies.NewerMessage):
        answer(conversation, last_seen=Reply.objects.last().message.ref, now=NOW + timedelta(seconds=5))


@pytest.mark.parametrize("seen", ["", "+", "nonsense", "inb_" + "0" * 32, "\x00", "++"])
def test_who_has_seen_nothing_is_shown_the_text_first(seen):
    with pytest.raises(replies.NewerMessage):
        answer(hears(factories.sender()), last_seen=seen)


def test_somebody_who_opted_out_is_not_answered_and_the_reason_is_said():
    sender = factories.sender()
    conversation = hears(sender)
    hears(sender, "STOP", now=NOW + timedelta(seconds=1))
    with pytest.raises(NotPermitted, match="opted out"):
        answer(conversation, now=NOW + timedelta(seconds=2))
    assert not Reply.objects.exists()


def test_after_24_hours_the_window_is_closed():
    conversation = hears(factories.sender())
    with pytest.raises(NotPermitted, match="24 hours"):
        answer(conversation, now=NOW + timedelta(hours=25))


@pytest.mark.parametrize("text", ["", " \n ", "\x00", "x" * 1_601])
def test_a_reply_nobody_can_send_says_why(text):
    conversation = hears(factories.sender())
    with pytest.raises(Invalid):
        answer(conversation, text=text)


def test_a_sent_reply_takes_its_draft_along():
    conversation, agent = hears(factories.sender()), factories.user()
    replies.keep_draft(conversation, author=agent, text="Yes, un")
    answer(conversation, author=agent)
    assert not Draft.objects.exists()


def test_an_opt_out_by_a_person_elsewhere_is_respected_here():
    conversation = hears(factories.sender())
    contact = Contact.objects.get()
    consent.opt_out(contact, brand=conversation.sender.brand, source=ConsentSource.ADMIN, occurred_at=NOW, now=NOW)
    with pytest.raises(NotPermitted):
        answer(conversation)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_two_agents_at_once_send_one_reply_and_one_is_told():
    conversation = hears(factories.sender())
    seen = replies.newest(conversation)
    agents = [factories.user("ana"), factories.user("ben")]
    barrier, outcomes = threading.Barrier(2), []

    def press(agent):
        barrier.wait()
        try:
            answer(conversation, author=agent, last_seen=seen)
            outcomes.append("sent")
        except Conflict as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[agent]) for agent in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(outcomes) == ["newer_reply", "sent"]
    assert Reply.objects.count() == 1
