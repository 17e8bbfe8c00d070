"""The inbox in a browser's eyes: what it shows, to whom, how often it asks the database, and what it never does."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from campaigns.models import MessageKind, OutboundMessage, OutboundState
from contacts import consent
from contacts.models import ConsentSource, Contact, Hold, Suppression
from inbound import conversations, keywords, receiving, replies
from inbound.models import Conversation, Draft, InboundMessage, Keyword, KeywordAction, Note
from smsdesk.errors import Invalid
from smsdesk.gateways.contract import InboundText
from tests import factories

pytestmark = pytest.mark.django_db

AGENT = (
    "inbound.view_conversation", "inbound.reply_conversation", "inbound.review_hold", "contacts.opt_out_contact",
)  # fmt: skip
PHONE = "+12025550111"


def hears(sender, body="Are you open?", *, phone=PHONE, now=None):
    now = now or timezone.now()
    said = InboundText(event_key=uuid4().hex, gateway_id="", phone=phone, sender=sender.value, text=body, at=now)
    receiving.receive(sender.account, said, now=now)
    return Conversation.objects.order_by("-id").first()


def signed_in(*permissions):
    client = Client()
    client.user = factories.staff(*permissions)
    client.force_login(client.user)
    return client


def page(client, conversation, **query):
    return client.get(reverse("inbox_thread", args=[conversation.ref]), query)


def text_of(response):
    return response.content.decode()


def press(client, conversation, verb, **form):
    return client.post(reverse("inbox_do", args=[conversation.ref, verb]), form)


def send(client, conversation, text="Yes, until six.", **form):
    values = {"text": text, "last_seen": replies.newest(conversation), "form_token": str(uuid4()), **form}
    return client.post(reverse("inbox_reply", args=[conversation.ref]), values)


# --- Who may ---------------------------------------------------------------------------------------------


def test_strangers_are_sent_to_the_login():
    conversation = hears(factories.sender())
    for path in (reverse("inbox"), reverse("inbox_thread", args=[conversation.ref])):
        assert Client().get(path).status_code == 302


def test_staff_without_permission_see_nothing():
    conversation, client = hears(factories.sender()), signed_in()
    assert client.get(reverse("inbox")).status_code == 403
    assert client.get(reverse("inbox_poll")).status_code == 403
    assert page(client, conversation).status_code == 404
    assert send(client, conversation).status_code == 404
    assert press(client, conversation, "resolve").status_code == 404


def test_readers_may_not_write():
    conversation, client = hears(factories.sender()), signed_in("inbound.view_conversation")
    assert page(client, conversation).status_code == 200
    assert send(client, conversation).status_code == 403
    for verb in ("claim", "assign", "resolve", "note", "opt-out"):
        assert press(client, conversation, verb).status_code == 403
    assert not OutboundMessage.objects.exists()


@pytest.mark.parametrize("ref", ["cnv_" + "0" * 32, "cnv_x", "con_" + "0" * 32, "1", "'", "cnv_" + "é" * 32])
def test_what_is_not_there_is_not_found(ref):
    assert signed_in(*AGENT).get(reverse("inbox_thread", args=[ref])).status_code == 404


def test_numbers_are_masked_without_permission():
    conversation = hears(factories.sender())
    masked = text_of(page(signed_in(*AGENT), conversation))
    assert "202-555-0111" not in masked
    assert PHONE not in masked
    full = page(signed_in(*AGENT, "contacts.view_full_phone"), conversation)
    assert "202-555-0111" in text_of(full)


def test_buttons_are_not_pressed_by_links():
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    assert client.get(reverse("inbox_do", args=[conversation.ref, "resolve"])).status_code == 405
    assert client.get(reverse("inbox_reply", args=[conversation.ref])).status_code == 405


# --- List ------------------------------------------------------------------------------------------------


def test_the_list_is_filtered_by_owner_state_and_search():
    sender, client = factories.sender(), signed_in(*AGENT)
    mine = hears(sender, "Mine?", phone="+12025550121")
    free = hears(sender, "Free?", phone="+12025550122")
    done = hears(sender, "Done?", phone="+12025550123")
    conversations.claim(mine, by=client.user, now=timezone.now())
    conversations.resolve(done, by=client.user, now=timezone.now())

    def shown(**query):
        body = text_of(client.get(reverse("inbox"), query))
        return {c for c, word in ((mine, "Mine?"), (free, "Free?"), (done, "Done?")) if word in body}

    assert shown() == {mine, free}
    assert shown(view="mine") == {mine}
    assert shown(view="unassigned") == {free}
    assert shown(state="resolved") == {done}
    assert shown(state="any", q="0123") == {done}
    assert shown(view="nonsense", state="nonsense", page="-4") == {mine, free}


@pytest.mark.parametrize("search", ["'", "%", "\ud800", "x" * 5000, "‮", "<script>alert(1)</script>", "😀"])
def test_any_search_is_answered(search):
    hears(factories.sender())
    response = signed_in(*AGENT).get(reverse("inbox"), {"q": search.encode("utf-8", "surrogatepass")})
    assert response.status_code == 200
    assert "<script>alert" not in text_of(response)


def test_the_list_costs_the_same_whatever_its_length(django_assert_max_num_queries):
    sender, client = factories.sender(), signed_in(*AGENT)
    for number in range(25):
        hears(sender, phone=f"+120255501{number:02}")
    with django_assert_max_num_queries(7):
        client.get(reverse("inbox"))


def test_an_unchanged_list_is_a_304_without_rendering(django_assert_max_num_queries):
    sender, client = factories.sender(), signed_in(*AGENT)
    hears(sender)
    first = client.get(reverse("inbox_poll"))
    with django_assert_max_num_queries(5):
        again = client.get(reverse("inbox_poll"), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert again["HX-Reswap"] == "none"
    hears(sender, "Hello?")
    changed = client.get(reverse("inbox_poll"), headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert "Hello?" in text_of(changed)


def test_the_page_sends_the_list_tag_that_the_poll_compares():
    client = signed_in(*AGENT)
    hears(factories.sender())
    tag = client.get(reverse("inbox_poll"))["ETag"]
    assert tag.strip('"') in text_of(client.get(reverse("inbox")))


def test_an_empty_inbox_teaches():
    assert "New texts appear here" in text_of(signed_in(*AGENT).get(reverse("inbox")))


# --- Thread ----------------------------------------------------------------------------------------------


def test_opening_a_thread_marks_it_read_and_shows_everything_in_order():
    sender, client = factories.sender(), signed_in(*AGENT)
    conversation = hears(sender, "First", now=timezone.now() - timedelta(minutes=3))
    replies.send(
        conversation,
        author=client.user,
        text="Second",
        last_seen=replies.newest(conversation),
        form_token=uuid4(),
        now=timezone.now() - timedelta(minutes=2),
    )
    conversations.note(conversation, author=client.user, text="Third", now=timezone.now() - timedelta(minutes=1))
    body = text_of(page(client, conversation))
    places = [body.index(f"<bdi>{word}</bdi>") for word in ("First", "Second", "Third")]
    conversation.refresh_from_db()
    assert places == sorted(places)
    assert "waiting to leave" in body
    assert "private note" in body
    assert not conversation.is_unread


def test_a_thread_costs_the_same_whatever_its_length(django_assert_max_num_queries):
    sender, client = factories.sender(), signed_in(*AGENT, "inbound.assign_conversation")
    conversation = hears(sender)
    for number in range(20):
        conversation = hears(sender, f"text {number}")
        conversations.note(conversation, author=client.user, text="note", now=timezone.now())
    page(client, conversation)
    with django_assert_max_num_queries(26):
        page(client, conversation)


@pytest.mark.parametrize(
    "payload",
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{ 7*7 }}{% debug %}", '" onmouseover="x'],
)
def test_texts_are_shown_as_text(payload):
    sender, client = factories.sender(), signed_in(*AGENT)
    conversation = hears(sender, payload)
    for response in (page(client, conversation), client.get(reverse("inbox_poll"))):
        assert f"<bdi>{escape(payload)}</bdi>" in text_of(response)
        assert payload not in text_of(response) or payload == escape(payload)


def test_hidden_characters_are_pointed_out():
    conversation = hears(factories.sender(), "photo_\u202egpj.exe")
    assert "hidden characters" in text_of(page(signed_in(*AGENT), conversation))


def poll(client, conversation, after="", tag=""):
    return client.get(
        reverse("inbox_thread_poll", args=[conversation.ref]), {"after": after}, headers={"If-None-Match": tag}
    )


def test_an_unchanged_thread_is_a_304_without_rendering(django_assert_max_num_queries):
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    tag = poll(client, conversation)["ETag"]
    with django_assert_max_num_queries(6):
        again = poll(client, conversation, tag=tag)
    assert again.status_code == 304
    assert again["HX-Reswap"] == "none"


def test_a_poll_brings_only_what_is_new_and_never_the_draft():
    sender, client = factories.sender(), signed_in(*AGENT)
    conversation = hears(sender, "Old words")
    response = page(client, conversation)
    cursor = str(response.context["thread"].cursor)
    hears(sender, "New words")
    body = text_of(poll(client, conversation, after=cursor))
    assert "New words" in body
    assert "Old words" not in body
    assert "<textarea" not in body
    assert 'id="last-seen"' in body


def test_a_step_of_a_delivery_changes_the_tag_and_is_shown_in_place():
    sender, client = factories.sender(), signed_in(*AGENT)
    conversation = hears(sender)
    send(client, conversation)
    response = page(client, conversation)
    tag = poll(client, conversation)["ETag"]
    OutboundMessage.objects.update(state=OutboundState.DELIVERED, submit_no=1)
    newer = poll(client, conversation, after=str(response.context["thread"].cursor), tag=tag)
    assert newer.status_code == 200
    assert "delivered" in text_of(newer)
    assert "bubble" not in text_of(newer)


@pytest.mark.parametrize(
    "after", ["", "x", "1.2.3", "9" * 40, "1.1.1.1@<script>", "-1.0.0.0@", "1.1.1.1@" + "x" * 500]
)
def test_a_broken_cursor_shows_the_thread_again(after):
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    response = poll(client, conversation, after=after)
    assert response.status_code == 200
    assert "<script>" not in text_of(response)


def test_a_fragment_after_the_session_ended_says_so_and_stops_asking():
    conversation = hears(factories.sender())
    path = reverse("inbox_thread_poll", args=[conversation.ref])
    response = Client().get(path, headers={"HX-Request": "true"})
    assert response.status_code == 286
    assert response["HX-Reswap"] == "none"
    assert "Sign in again" in text_of(response)


# --- Answering -------------------------------------------------------------------------------------------


def test_a_reply_leaves_once_however_often_the_form_is_posted():
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    form = {"last_seen": replies.newest(conversation), "form_token": str(uuid4())}
    for _ in range(3):
        assert send(client, conversation, **form).status_code == 302
    assert OutboundMessage.objects.filter(kind=MessageKind.REPLY).count() == 1


def test_a_newer_text_keeps_the_draft_shows_the_text_and_can_be_sent_over():
    sender, client = factories.sender(), signed_in(*AGENT)
    conversation = hears(sender)
    form = {"last_seen": replies.newest(conversation), "form_token": str(uuid4())}
    hears(sender, "Never mind!")
    refused = send(client, conversation, "My long answer", **form)
    body = text_of(refused)
    assert refused.status_code == 409
    assert "Never mind!" in body
    assert "My long answer</textarea>" in body
    assert Draft.objects.get().text == "My long answer"
    assert send(client, conversation, "My long answer", last_seen=refused.context["last_seen"]).status_code == 302
    assert not Draft.objects.exists()


def test_an_opted_out_person_cannot_be_answered_and_the_page_says_why():
    sender, client = factories.sender(), signed_in(*AGENT)
    conversation = hears(sender)
    hears(sender, "STOP")
    body = text_of(page(client, conversation))
    assert "this person opted out" in body
    assert "disabled" in body.partition('id="reply-text"')[2].partition(">")[0]
    refused = send(client, conversation, "Come back!")
    assert refused.status_code == 403
    assert not OutboundMessage.objects.filter(kind=MessageKind.REPLY).exists()


@pytest.mark.parametrize(
    "form",
    [
        {"form_token": "x"},
        {"form_token": ""},
        {"text": ""},
        {"text": "x" * 9_000},
        {"text": "\x00"},
        {"last_seen": "\x00"},
    ],
)
def test_a_broken_form_is_refused_in_words_and_nothing_is_sent(form):
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    response = send(client, conversation, **form)
    assert response.status_code in (400, 409)
    assert not OutboundMessage.objects.filter(kind=MessageKind.REPLY).exists()


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "😀" * 300, "a\r\nb"])
def test_strange_characters_in_drafts_notes_and_replies_are_cleaned(text):
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    raw = text.encode("utf-8", "surrogatepass")
    path = reverse("inbox_draft", args=[conversation.ref])
    assert client.post(path, {"text": raw}).status_code == 204
    press(client, conversation, "note", text=raw)
    assert send(client, conversation, raw).status_code in (302, 400)


def test_a_draft_is_kept_per_agent_and_comes_back():
    conversation, client, other = hears(factories.sender()), signed_in(*AGENT), signed_in(*AGENT)
    client.post(reverse("inbox_draft", args=[conversation.ref]), {"text": "Half a sent"})
    assert "Half a sent</textarea>" in text_of(page(client, conversation))
    assert "Half a sent" not in text_of(page(other, conversation))


# --- Verbs -----------------------------------------------------------------------------------------------


def test_claim_note_resolve_reopen_by_buttons():
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    for verb in ("claim", "resolve", "reopen"):
        assert press(client, conversation, verb).status_code == 302
    press(client, conversation, "note", text="Calls back on Monday")
    conversation.refresh_from_db()
    assert conversation.assigned_to == client.user
    assert conversation.state == "open"
    assert Note.objects.get().text == "Calls back on Monday"


def test_handing_over_needs_its_permission_and_a_person_who_answers():
    conversation = hears(factories.sender())
    client = signed_in(*AGENT, "inbound.assign_conversation")
    colleague, stranger = factories.staff(*AGENT), factories.staff()
    assert press(signed_in(*AGENT), conversation, "assign", agent=colleague.username).status_code == 403
    for wrong in (stranger.username, "nobody", "", "\x00"):
        press(client, conversation, "assign", agent=wrong)
        conversation.refresh_from_db()
        assert conversation.assigned_to is None
    press(client, conversation, "assign", agent=colleague.username)
    conversation.refresh_from_db()
    assert conversation.assigned_to == colleague
    press(client, conversation, "release")
    conversation.refresh_from_db()
    assert conversation.assigned_to is None


def test_one_click_opts_out_and_a_doubtful_text_is_decided_by_a_person():
    sender, client = factories.sender(), signed_in(*AGENT)
    conversation = hears(sender, "This is spam")
    assert "It is an opt-out" in text_of(page(client, conversation))
    press(client, conversation, "opt-out")
    suppression = Suppression.objects.get(lifted_by=None)
    assert suppression.source == ConsentSource.TEXT
    assert not Hold.objects.filter(closed_at=None).exists()
    assert "this person opted out" in text_of(page(client, conversation))


def test_a_doubtful_text_that_is_none_is_released():
    conversation, client = hears(factories.sender(), "Stop by the store?"), signed_in(*AGENT)
    press(client, conversation, "not-opt-out")
    assert Hold.objects.get().was_opt_out is False
    assert not Suppression.objects.exists()
    assert press(client, conversation, "not-opt-out").status_code == 302  # again: said in words, nothing breaks


def answers_marketing(sender, body="Do you have size 9?", *, now=None, purpose="marketing"):
    """A reply to a text of ours, which no rule takes for STOP."""
    person = Contact.objects.filter(phone=PHONE).first() or factories.contact(PHONE)
    campaign = factories.campaign(sender=sender, purpose=purpose)
    factories.outbound(campaign, person, state="delivered", submit_no=1, body="Sale")
    return hears(sender, body, now=now)


def age_shown(client, conversation):
    """What the list and the thread say of its age."""
    found = re.findall(r"reply to marketing, (day \d+ of \d+)", text_of(client.get(reverse("inbox"))))
    beside = re.findall(r">(Day \d+ of \d+)</span>", text_of(page(client, conversation)))
    assert [one.lower() for one in beside] == found
    return found


def test_a_reply_to_marketing_that_nobody_dealt_with_shows_its_age():
    client, came = signed_in(*AGENT), datetime(2026, 6, 1, 13, 0, tzinfo=UTC)
    conversation = answers_marketing(factories.sender(), now=came)
    with time_machine.travel(came + timedelta(days=9)):
        assert age_shown(client, conversation) == ["day 7 of 10"]
        assert "pill-bad" not in text_of(client.get(reverse("inbox")))
    with time_machine.travel(came + timedelta(days=10)):
        assert age_shown(client, conversation) == ["day 8 of 10"]
        assert "pill-bad" in text_of(client.get(reverse("inbox")))
        press(client, conversation, "opt-out")
        assert age_shown(client, conversation) == []
        assert "Opt this person out" not in text_of(page(client, conversation))


def test_the_age_is_that_of_the_first_such_reply():
    client, came = signed_in(*AGENT), timezone.now() - timedelta(days=40)
    sender = factories.sender()
    conversation = answers_marketing(sender, now=came)
    first = age_shown(client, conversation)
    answers_marketing(sender, "Hello?")
    assert age_shown(client, conversation) == first != []


def test_an_answer_or_resolving_ends_the_age_and_a_new_reply_begins_it_again():
    client, sender = signed_in(*AGENT), factories.sender()
    conversation = answers_marketing(sender, now=timezone.now() - timedelta(hours=1))
    assert send(client, conversation).status_code == 302
    assert age_shown(client, conversation) == []
    answers_marketing(sender, "Great!")
    assert age_shown(client, conversation) == ["day 0 of 10"]
    press(client, conversation, "resolve")
    assert "reply to marketing" not in text_of(client.get(reverse("inbox"), {"state": "any"}))


def test_a_text_that_answers_nothing_of_ours_or_no_marketing_has_no_age():
    client, sender = signed_in(*AGENT), factories.sender()
    assert age_shown(client, hears(sender)) == []
    assert age_shown(client, answers_marketing(sender, purpose="transactional")) == []


def test_an_opt_out_of_marketing_alone_leaves_the_button():
    client, conversation = signed_in(*AGENT), hears(factories.sender())
    consent.opt_out(
        conversation.contact, brand=conversation.sender.brand, source=ConsentSource.API, purposes=["marketing"],
        occurred_at=timezone.now(), now=timezone.now(),
    )  # fmt: skip
    assert "Opt this person out" in text_of(page(client, conversation))


def test_unknown_verbs_are_not_found():
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    assert press(client, conversation, "delete").status_code == 404


def test_no_inline_script_or_style_anywhere():
    conversation, client = hears(factories.sender(), "This is spam"), signed_in(*AGENT)
    body = text_of(page(client, conversation)).partition('<div class="desk">')[2]
    for forbidden in (" style=", "onclick", "<script", "<style", "hx-on"):
        assert forbidden not in body


# --- Keywords and inbound messages in the admin ------------------------------------------------------------

JOIN = {
    "word": "join",
    "aliases": "vip, club",
    "action": KeywordAction.OPT_IN,
    "purpose": "marketing",
    "call_to_action": "Text JOIN to 555 for offers.",
    "reply": "{brand}: You're in! Up to 4 msgs/mo. Msg & data rates may apply. HELP for help, STOP to cancel.",
    "is_active": "on",
}
KEYWORDS = ("inbound.view_keyword", "inbound.add_keyword", "inbound.change_keyword")


def add_keyword(client, brand, **over):
    return client.post(reverse("admin:inbound_keyword_add"), {**JOIN, "brand": brand.pk, **over})


def test_a_keyword_is_made_in_the_admin():
    brand = factories.brand()
    assert add_keyword(signed_in(*KEYWORDS), brand).status_code == 302
    made = Keyword.objects.get()
    assert (made.word, made.aliases) == ("JOIN", ["VIP", "CLUB"])


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"word": "STOP"}, "STOP"),
        ({"word": "unsubscribe"}, "STOP"),
        ({"word": "start"}, "START"),
        ({"word": "Info"}, "HELP"),
        ({"word": "yes"}, "YES"),
        ({"aliases": "vip, quit"}, "STOP"),
        ({"word": "two words"}, "one word"),
        ({"word": "\x00"}, ""),
        ({"word": "x" * 31}, "30"),
        ({"call_to_action": ""}, "proof"),
        ({"reply": "{brand}: You're in!"}, "lacks"),
    ],
)
def test_a_keyword_that_cannot_work_is_refused_with_the_reason(over, reason):
    response = add_keyword(signed_in(*KEYWORDS), factories.brand(), **over)
    assert response.status_code == 200
    assert reason in text_of(response)
    assert not Keyword.objects.exists()


def test_a_conflict_names_the_rival():
    brand, client = factories.brand(), signed_in(*KEYWORDS)
    add_keyword(client, brand)
    response = add_keyword(client, brand, word="club", aliases="")
    assert "JOIN" in text_of(response)
    assert Keyword.objects.count() == 1
    assert add_keyword(client, factories.brand()).status_code == 302  # another brand may have it


def test_a_keyword_conflicts_only_where_both_would_hear():
    brand = factories.brand()
    first, second = factories.sender(brand=brand), factories.sender(brand=brand)
    made = Keyword.objects.create(brand=brand, word="WIN", sender=first, action=KeywordAction.REPLY, reply="ok")
    keywords.check(Keyword(brand=brand, word="WIN", sender=second, action=KeywordAction.REPLY, reply="ok"))
    with pytest.raises(Invalid, match="WIN"):
        keywords.check(Keyword(brand=brand, word="win", sender=None, action=KeywordAction.REPLY, reply="ok"))
    assert made.pk


def test_inbound_messages_are_read_only_and_masked():
    hears(factories.sender(), "<b>hello</b>")
    client = signed_in(
        "inbound.view_inboundmessage",
        "inbound.change_inboundmessage",
        "inbound.delete_inboundmessage",
        "campaigns.view_message_body",
    )
    row = InboundMessage.objects.get()
    listing = text_of(client.get(reverse("admin:inbound_inboundmessage_changelist")))
    path = reverse("admin:inbound_inboundmessage_change", args=[row.pk])
    assert "&lt;b&gt;hello" in listing
    assert PHONE not in listing
    assert PHONE not in text_of(client.get(path))
    assert client.post(path, {"text": "changed"}).status_code == 403
    assert client.post(reverse("admin:inbound_inboundmessage_delete", args=[row.pk])).status_code == 403


def test_polls_read_and_never_write():
    conversation, client = hears(factories.sender()), signed_in(*AGENT)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        poll(client, conversation)
        client.get(reverse("inbox_poll"))
    assert not [q["sql"] for q in asked if q["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]
