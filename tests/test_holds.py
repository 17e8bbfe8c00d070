"""Texts that may be opt-outs: the queue a person decides from, and the clock that decides where nobody does."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django_q.models import Schedule

from campaigns import sending
from campaigns.models import MessageKind, OutboundMessage, OutboundState, Priority
from contacts import consent, erasure, rebuilding
from contacts.models import ConsentEvent, ConsentSource, Contact, Hold, Purpose, Suppression
from inbound import hold_queue, holds, receiving, tasks
from inbound.models import Conversation, InboundMessage
from smsdesk.errors import WrongState
from smsdesk.gateways.contract import InboundText
from tests import factories

pytestmark = pytest.mark.django_db

PHONE = "+12125550111"  # New York
MONDAY = datetime(2026, 6, 1, 13, 0, tzinfo=UTC)
REVIEWER = ("inbound.review_hold", "inbound.view_conversation", "campaigns.view_message_body")
DOUBTFUL = "Stop by the store?"


def hears(sender, body=DOUBTFUL, *, phone=PHONE, now=MONDAY, at=None):
    said = InboundText(
        event_key=uuid4().hex, gateway_id="", phone=phone, sender=sender.value, text=body, at=at or now
    )
    return receiving.receive(sender.account, said, now=now)


def queued(sender, *, phone=PHONE, purpose=Purpose.MARKETING, brand_of=None):
    contact = Contact.objects.get(phone=phone)
    return sending.queue(
        contact, sender=brand_of or sender, text="Sale", purpose=purpose, kind=MessageKind.API,
        priority=Priority.CAMPAIGN, now=MONDAY,
    )  # fmt: skip


def held(sender, body=DOUBTFUL, **over):
    hears(sender, body, **over)
    return Hold.objects.latest("pk")


def decide(hold, verb="opt-out", *, permissions=REVIEWER):
    client = Client()
    client.force_login(factories.staff(*permissions))
    return client.post(reverse("inbox_hold_decide", args=[hold.ref, verb]), follow=True)


def page(*permissions):
    client = Client()
    client.force_login(factories.staff(*(permissions or REVIEWER)))
    return client.get(reverse("inbox_holds"))


def text_of(response):
    return response.content.decode()


def suppressed(brand, *, phone=PHONE):
    key = Contact.objects.get(phone=phone).subscriber_key
    return Suppression.objects.filter(subscriber_key=key, brand=brand, lifted_by=None).exists()


def delete_contacts():
    """Not erased: no verb of the desk does so, a hand in the database may."""
    InboundMessage.objects.update(conversation=None)
    Contact.objects.all().delete()


@pytest.fixture
def sender():
    return factories.sender()


# --- a person decides -----------------------------------------------------------------------------------


def test_an_opt_out_cancels_what_waits_and_says_how_much(sender):
    hold = held(sender)
    rows = [queued(sender), queued(sender), queued(sender, purpose=Purpose.COMPLIANCE)]
    said = text_of(decide(hold))
    assert "2 messages that were waiting are cancelled" in said
    assert [OutboundMessage.objects.get(pk=row.pk).state for row in rows] == ["cancelled", "cancelled", "queued"]
    assert suppressed(sender.brand)
    event = ConsentEvent.objects.get(kind="opt_out")
    assert (event.source, event.occurred_at) == (ConsentSource.TEXT, MONDAY)
    assert InboundMessage.objects.get().ref not in event.evidence.document["note"]
    assert str(InboundMessage.objects.get().public_id) in event.evidence.document["note"]


def test_an_opt_out_of_one_brand_leaves_the_other_brands_messages(sender):
    hold = held(sender)
    other = factories.sender()
    row = queued(other)
    decide(hold)
    row.refresh_from_db()
    assert row.state == OutboundState.QUEUED
    assert not suppressed(other.brand)


def test_the_message_it_answered_is_marked(sender):
    factories.contact(PHONE)
    ours = queued(sender)
    OutboundMessage.objects.filter(pk=ours.pk).update(state=OutboundState.DELIVERED, submit_no=1)
    decide(held(sender))
    ours.refresh_from_db()
    assert ours.opted_out_at is not None


def test_no_opt_out_lets_sending_go_on_and_leaves_a_trace(sender):
    hold = held(sender)
    row = queued(sender)
    decide(hold, "not-opt-out")
    row.refresh_from_db()
    assert row.state == OutboundState.QUEUED
    assert not suppressed(sender.brand)
    assert ConsentEvent.objects.filter(kind="release", brand=sender.brand).exists()
    assert Conversation.objects.get().events.filter(kind="released").exists()


@pytest.mark.parametrize("second", ["opt-out", "not-opt-out"])
def test_the_second_of_two_reviewers_is_told_what_the_first_decided(sender, second):
    hold = held(sender)
    decide(hold, "not-opt-out")
    said = text_of(decide(hold, second))
    assert "This was decided already" in said
    assert "no opt-out" in said
    assert not suppressed(sender.brand)


def test_what_they_agreed_to_after_they_wrote_it_goes_on_and_the_page_says_so(sender):
    hold = held(sender)
    later = MONDAY + timedelta(hours=1)
    proof = consent.Proof(wording="Get word of your order", method="web_form", act="ticked the box")
    consent.opt_in(
        Contact.objects.get(), brand=sender.brand, purposes=[Purpose.TRANSACTIONAL], basis="express",
        source=ConsentSource.LINK, proof=proof, occurred_at=later, now=later,
    )  # fmt: skip
    row = queued(sender, purpose=Purpose.TRANSACTIONAL)
    effect = holds.opt_out(hold, by="ann", note="read by a person", now=later)
    row.refresh_from_db()
    assert not effect.stands
    assert "goes on" in effect.sentence
    assert suppressed(sender.brand)
    assert row.state == OutboundState.QUEUED


def test_a_deleted_contact_is_opted_out_all_the_same(sender):
    hold = held(sender)
    delete_contacts()
    assert "the contact was deleted" in text_of(page())
    decide(hold)
    assert suppressed(sender.brand)
    assert rebuilding.first_difference() is None


def test_a_deleted_contact_is_released_and_stays_deleted(sender):
    hold = held(sender)
    delete_contacts()
    decide(hold, "not-opt-out")
    assert not Contact.objects.exists()
    assert Hold.objects.get().was_opt_out is False


def test_where_not_even_the_number_is_left_the_opt_out_is_kept_under_the_key(sender):
    hold = held(sender)
    delete_contacts()
    InboundMessage.objects.update(phone="", text="")
    assert "A number that is gone" in text_of(page())
    decide(hold)
    assert not Contact.objects.exists()
    assert Suppression.objects.get(lifted_by=None).subscriber_key == hold.subscriber_key


def test_an_erasure_closes_the_hold(sender):
    hold = held(sender)
    contact = Contact.objects.get()
    erasure.erase(contact, by=factories.user(), actor="ann", reason="asked", now=MONDAY + timedelta(hours=1))
    assert text_of(page()).count("Nothing waits") == 1
    with pytest.raises(WrongState, match="erasure"):
        holds.opt_out(hold, by="bob", note="", now=MONDAY + timedelta(hours=2))


def test_stop_while_held_closes_it(sender):
    held(sender)
    hears(sender, "STOP", now=MONDAY + timedelta(minutes=1))
    assert Hold.objects.get().was_opt_out is True
    assert hold_queue.count() == 0


def test_start_while_held_closes_it(sender):
    held(sender)
    hears(sender, "START", now=MONDAY + timedelta(minutes=1))
    assert Hold.objects.get().was_opt_out is False
    assert not suppressed(sender.brand)


def test_a_start_from_before_the_doubt_leaves_it_held(sender):
    held(sender)
    hears(sender, "START", now=MONDAY + timedelta(minutes=1), at=MONDAY - timedelta(minutes=1))
    assert hold_queue.count() == 1


# --- nobody decides -------------------------------------------------------------------------------------


def at(text):
    """New York in summer."""
    return datetime.fromisoformat(f"{text}-04:00")


@pytest.mark.parametrize(("now", "is_over"), [
    ("2026-06-15T12:00", False),  # the tenth business day
    ("2026-06-15T22:59", False),
    ("2026-06-15T23:00", True),  # so that it is not late, an hour before that day ends
    ("2026-06-29T12:00", True),
])  # fmt: skip
def test_nobody_read_it_in_time(sender, now, is_over):
    held(sender)
    row = queued(sender)
    with time_machine.travel(at(now), tick=False):
        tasks.watch_holds()
    row.refresh_from_db()
    assert suppressed(sender.brand) == is_over
    assert (row.state == OutboundState.CANCELLED) == is_over
    assert hold_queue.count() == (not is_over)


def test_the_ledger_says_that_nobody_read_it_in_time_even_without_its_evidence(sender):
    held(sender)
    holds.opt_out_overdue(now=at("2026-06-29T12:00"))
    event = ConsentEvent.objects.get(kind="opt_out")
    assert "nobody read it in time" in event.actor
    assert "nobody read it in time" in event.evidence.document["note"]
    assert event.occurred_at == MONDAY


def test_the_round_is_the_same_twice(sender):
    held(sender)
    assert [holds.opt_out_overdue(now=at("2026-06-29T12:00")) for _ in range(2)] == [1, 0]
    assert ConsentEvent.objects.filter(kind="opt_out").count() == 1


def test_their_own_start_brings_them_back_afterwards(sender):
    held(sender)
    holds.opt_out_overdue(now=at("2026-06-29T12:00"))
    hears(sender, "START", now=at("2026-06-30T12:00"))
    assert not suppressed(sender.brand)


def test_a_brand_in_australia_has_five_days(sender):
    sender.brand.default_country = "AU"
    sender.brand.save()
    held(sender)
    assert holds.opt_out_overdue(now=at("2026-06-08T22:00")) == 0
    assert holds.opt_out_overdue(now=at("2026-06-08T23:00")) == 1


def test_one_that_cannot_be_closed_keeps_no_other_open(sender):
    first = held(sender)
    held(sender, phone="+12125550112")
    stale = list(holds.waiting())
    holds.release(first, by="ann", now=at("2026-06-29T11:00"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holds, "overdue", lambda found, *, now: stale)  # read a moment ago
        assert holds.opt_out_overdue(now=at("2026-06-29T12:00")) == 1
    assert not suppressed(sender.brand)
    assert suppressed(sender.brand, phone="+12125550112")


def test_the_watch_is_scheduled():
    assert Schedule.objects.get(func="inbound.tasks.watch_holds").minutes == 15


# --- the page -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permissions", [(), ("inbound.view_conversation",), ("contacts.opt_out_contact",)])
def test_only_reviewers_see_and_decide(sender, permissions):
    hold = held(sender)
    client = Client()
    client.force_login(factories.staff(*permissions))
    assert client.get(reverse("inbox_holds")).status_code == 403
    assert decide(hold, permissions=permissions).status_code == 403
    assert hold_queue.count() == 1


def test_who_may_not_read_texts_sees_none_and_decides_nothing(sender):
    hold = held(sender)
    shown = text_of(page("inbound.review_hold"))
    assert DOUBTFUL not in shown
    assert "Opt out" not in shown.partition('class="holds"')[2].partition("</ol>")[0]
    assert decide(hold, permissions=("inbound.review_hold",)).status_code == 403
    assert hold_queue.count() == 1


def test_numbers_are_masked_without_the_permission(sender):
    hold = held(sender)
    masked = text_of(page())
    assert "+1212***0111" in masked
    assert "0111" not in masked.replace("+1212***0111", "")
    assert "+1 212-555-0111" in text_of(page(*REVIEWER, "contacts.view_full_phone"))
    assert "+1212***0111: Opted out" in text_of(decide(hold))


def test_several_texts_of_one_hold_are_all_shown_and_those_to_others_are_not(sender):
    elsewhere = factories.sender(account=sender.account)
    hears(sender, "Hello?", now=MONDAY - timedelta(minutes=1))
    held(sender)
    hears(sender, "I mean it", now=MONDAY + timedelta(minutes=1))
    hears(elsewhere, "Other shop", now=MONDAY + timedelta(minutes=2))
    shown = text_of(page())
    assert shown.index(DOUBTFUL) < shown.index("I mean it")
    assert "Other shop" not in shown
    assert "Hello?" not in shown


def test_texts_of_one_delivery_are_all_shown(sender):
    texts = [
        InboundText(event_key=str(n), gateway_id="", phone=PHONE, sender=sender.value, text=body, at=MONDAY)
        for n, body in enumerate([DOUBTFUL, "and never again"])
    ]
    receiving.receive_all(sender.account, texts, now=MONDAY)
    assert "and never again" in text_of(page())


def test_what_it_answers_is_shown_to_those_who_may_read_it(sender):
    factories.contact(PHONE)
    ours = queued(sender)
    OutboundMessage.objects.filter(pk=ours.pk).update(state="delivered", submit_no=1, body="Acme: 10 % off")
    held(sender)
    assert "Acme: 10 % off" in text_of(page())
    assert "Acme: 10 % off" not in text_of(page("inbound.review_hold", "inbound.view_conversation"))


def test_the_most_urgent_stands_first_whatever_came_first(sender):
    australian = factories.sender(brand=factories.brand(default_country="AU"))
    held(sender, "Stop by?")
    held(australian, "Stop being late!", phone="+12125550112", now=MONDAY + timedelta(days=2))
    with time_machine.travel(MONDAY + timedelta(days=3)):
        shown = text_of(page())
    assert shown.index("Stop being late!") < shown.index("Stop by?")


@pytest.mark.parametrize(("now", "words", "pill"), [
    ("2026-06-01T15:00", "10 business days left", "pill-wait"),
    ("2026-06-10T12:00", "3 business days left", "pill-wait"),
    ("2026-06-11T12:00", "2 business days left", "pill-bad"),
    ("2026-06-12T12:00", "1 business day left", "pill-bad"),
    ("2026-06-15T12:00", "Last business day", "pill-bad"),
    ("2026-06-20T12:00", "Last business day", "pill-bad"),
])  # fmt: skip
def test_the_countdown_turns_red_from_the_eighth_business_day(sender, now, words, pill):
    held(sender)
    with time_machine.travel(at(now)):
        assert f'<span class="pill {pill}">{words}</span>' in text_of(page())


def test_the_page_costs_the_same_whatever_its_length(sender, django_assert_max_num_queries):
    for number in range(30):
        held(sender, phone=f"+121255501{number:02}")
    client = Client()
    client.force_login(factories.staff(*REVIEWER))
    with django_assert_max_num_queries(20):
        assert text_of(client.get(reverse("inbox_holds"))).count("Not an opt-out") == 30


def test_more_than_a_page_says_so(sender, monkeypatch):
    monkeypatch.setattr(hold_queue, "MOST", 2)
    for number in range(3):
        held(sender, phone=f"+121255501{number:02}")
    assert "3 texts wait; these are the 2 most urgent" in text_of(page())


@pytest.mark.parametrize("body", ["stop <script>alert(1)</script> it?", '" onmouseover="x stop'])
def test_texts_are_shown_as_text(sender, body):
    Hold.objects.create(subscriber_key=hears(sender, body).subscriber_key, said_at=MONDAY, opened_at=MONDAY)
    shown = text_of(page())
    assert "<script>alert" not in shown
    assert '" onmouseover' not in shown


def test_an_empty_queue_teaches():
    assert "A plain STOP never does" in text_of(page())


@pytest.mark.parametrize("ref", ["hld_" + "0" * 32, "hld_x", "cnv_" + "0" * 32, "1", "'", "hld_" + "é" * 32])
def test_what_is_not_there_is_not_found(ref):
    client = Client()
    client.force_login(factories.staff(*REVIEWER))
    assert client.post(reverse("inbox_hold_decide", args=[ref, "opt-out"])).status_code == 404


def test_buttons_are_not_pressed_by_links_and_other_verbs_are_not_found(sender):
    hold = held(sender)
    client = Client()
    client.force_login(factories.staff(*REVIEWER))
    assert client.get(reverse("inbox_hold_decide", args=[hold.ref, "opt-out"])).status_code == 405
    assert client.post(reverse("inbox_hold_decide", args=[hold.ref, "delete"])).status_code == 404
    assert hold_queue.count() == 1


# --- elsewhere ------------------------------------------------------------------------------------------


def needs(*permissions, now):
    with time_machine.travel(now):
        client = Client()
        client.force_login(factories.staff(*permissions))
        return {need.label: (need.count, need.colour) for need in client.get("/admin/").context["needs"]}


def test_the_dashboard_counts_them_and_turns_red(sender):
    held(sender)
    calm = needs("inbound.review_hold", now=at("2026-06-10T12:00"))
    red = needs("inbound.review_hold", now=at("2026-06-11T12:00"))
    label = "Texts that may be opt-outs"
    assert calm == {label: (1, "wait")}
    assert red == {label: (1, "wait"), f"{label} and count as such soon": (1, "bad")}
    assert label not in needs("inbound.view_conversation", now=at("2026-06-11T12:00"))


def test_the_inbox_shows_who_is_held_and_links_to_the_queue(sender):
    held(sender)
    client = Client()
    client.force_login(factories.staff(*REVIEWER))
    shown = text_of(client.get(reverse("inbox")))
    assert "May be an opt-out" in shown
    assert "Hold queue (1)" in shown
    client.force_login(factories.staff("inbound.view_conversation"))
    assert "Hold queue" not in text_of(client.get(reverse("inbox")))


def test_a_hold_of_another_brand_is_told_in_the_thread_and_not_decided_there(sender):
    other = factories.sender(account=sender.account)
    held(sender)
    hears(other, "Are you open?", now=MONDAY + timedelta(minutes=1))
    thread = Conversation.objects.get(sender=other)
    client = Client()
    client.force_login(factories.staff(*REVIEWER, "contacts.opt_out_contact"))
    shown = text_of(client.get(reverse("inbox_thread", args=[thread.ref])))
    assert "to another brand may be an opt-out" in shown
    assert "It is an opt-out" not in shown
    client.post(reverse("inbox_do", args=[thread.ref, "opt-out"]))
    assert suppressed(other.brand)
    assert not suppressed(sender.brand)
    assert hold_queue.count() == 1


# --- the API --------------------------------------------------------------------------------------------

URL = "/api/v1/holds/"


def post(client, path, **headers):
    return client.post(path, {}, content_type="application/json", headers=headers)


def test_the_api_lists_them_with_texts_and_clock(sender):
    hold = held(sender)
    hears(sender, "I mean it", now=MONDAY + timedelta(minutes=1))
    with time_machine.travel(at("2026-06-11T12:00")):
        [row] = factories.api().get(URL).json()["data"]
    assert row["id"] == hold.ref
    assert row["contact"] == Contact.objects.get().ref
    assert (row["phone"], row["brand"]) == (PHONE, sender.brand.slug)
    assert (row["business_days"], row["business_days_allowed"], row["is_alarming"]) == (8, 10, True)
    assert row["decide_before"] == "2026-06-16T04:00:00Z"
    assert [text["text"] for text in row["texts"]] == [DOUBTFUL, "I mean it"]


def test_the_api_opts_out_once_and_says_what_was_cancelled(sender):
    hold, api = held(sender), factories.api()
    queued(sender)
    done = post(api, f"{URL}{hold.ref}/opt-out/", **{"Idempotency-Key": "k"})
    again = post(api, f"{URL}{hold.ref}/opt-out/", **{"Idempotency-Key": "k"})
    assert done.status_code == 200, done.json()
    assert (done.json()["was_opt_out"], done.json()["cancelled"], done.json()["is_opted_out"]) == (True, 1, True)
    assert again.json() == done.json()
    late = post(api, f"{URL}{hold.ref}/release/")
    assert (late.status_code, late.json()["code"]) == (409, "hold_decided")
    assert api.get(URL).json()["data"] == []
    assert ConsentEvent.objects.get(kind="opt_out").actor.startswith("sk_live_")


def test_the_api_releases(sender):
    hold = held(sender)
    done = post(factories.api(), f"{URL}{hold.ref}/release/")
    assert (done.json()["was_opt_out"], done.json()["is_opted_out"]) == (False, False)
    assert not suppressed(sender.brand)


def test_the_api_asks_for_its_own_scopes(sender):
    hold = held(sender)
    reader = factories.api(factories.api_key(scopes=["holds:read", "conversations:write"])[1])
    stranger = factories.api(factories.api_key(scopes=["conversations:read"])[1])
    assert stranger.get(URL).status_code == 403
    assert reader.get(URL).status_code == 200
    assert post(reader, f"{URL}{hold.ref}/opt-out/").status_code == 403
    assert post(factories.api(), f"{URL}hld_{'0' * 32}/opt-out/").status_code == 404


def test_a_test_key_sees_what_came_through_a_simulator(sender):
    real = factories.sender(account=factories.account(is_simulator=False))
    held(real, phone="+12125550113")
    hold = held(sender)
    api = factories.api(factories.api_key(is_test=True)[1])
    assert [row["id"] for row in api.get(URL).json()["data"]] == [hold.ref]
    assert post(api, f"{URL}{Hold.objects.earliest('pk').ref}/opt-out/").status_code == 404


def test_the_api_list_costs_the_same_whatever_its_length(sender, django_assert_max_num_queries):
    api = factories.api()
    for number in range(12):
        held(sender, phone=f"+121255501{number:02}")
    with django_assert_max_num_queries(10):
        assert len(api.get(URL).json()["data"]) == 12
