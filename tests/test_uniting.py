"""Two contacts become one person: everything is joined but consent, and the strictest refusal wins."""

import itertools
import threading
import time
from datetime import date, timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns import batch, consequences, sending
from campaigns.models import MessageKind, OutboundMessage, OutboundState, Priority
from contacts import (
    belonging,
    chain,
    consent,
    duplicates,
    erasure,
    gathering,
    notes,
    people,
    personal_export,
    rebuilding,
    tagging,
    timeline,
    uniting,
)
from contacts.models import (
    Basis,
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    EventKind,
    Hold,
    ListMembership,
    Purpose,
    Suppression,
    UnitedPhone,
)
from inbound import holds as reviewing
from inbound import receiving
from inbound.models import Conversation, InboundMessage
from smsdesk import phones
from smsdesk.errors import Conflict, DomainError, Invalid, WrongState
from smsdesk.gateways.contract import InboundText
from smsdesk.gateways.errors import Beyond
from smsdesk.models import Scope
from tests import factories, judging, racing, sending_rig
from tests.factories import NOW

pytestmark = pytest.mark.django_db
MARKETING = [Purpose.MARKETING]


def unite(kept, other, *, now=NOW):
    return uniting.unite(kept, other, by=factories.user(), actor="ann", now=now)


def stop(person, *, brand=None, source=ConsentSource.TEXT, at=NOW, **more):
    return consent.opt_out(person, brand=brand, source=source, occurred_at=at, now=at, **more)


def start(person, *, brand, at):
    proof = consent.Proof(wording="START", method="keyword", act="texted START")
    return consent.resume(person, brand=brand, proof=proof, occurred_at=at, now=at)


def standing(key: str) -> set[tuple[int | None, str, str]]:
    rows = Suppression.objects.filter(subscriber_key=key, lifted_by=None)
    return set(rows.values_list("brand_id", "purpose", "source"))


def is_suppressed(key: str) -> bool:
    return bool(standing(key))


def ledger_is_sound() -> bool:
    return chain.first_break() is None and rebuilding.first_difference() is None


# --- What is joined ---------------------------------------------------------------------------------------


def test_what_either_has_is_joined_and_the_contact_that_stays_wins():
    kept = factories.contact(
        name="Ann", attributes={"city": "Rome", "tier": "1"}, birth_date=date(2001, 1, 1), region="NY"
    )
    other = factories.contact(
        name="Anna", external_id="N-7", language="it", attributes={"city": "Bari", "shoe": "38"}, region="TX",
        birth_date=date(2007, 5, 5), time_zone="Europe/Rome", time_zone_source="stated", legal_hold="dispute 9",
    )  # fmt: skip
    shared, own = factories.contact_list(kept, other), factories.contact_list(other)
    tagging.put(kept, ["vip"], by=factories.user(), now=NOW)
    tagging.put(other, ["VIP", "trial"], by=factories.user(), now=NOW)
    note = notes.add(other, text="Likes tea", author=factories.user(), now=NOW)

    unite(kept, other)

    kept.refresh_from_db()
    assert (kept.name, kept.external_id, kept.language, kept.region) == ("Ann", "N-7", "it", "NY")
    assert kept.attributes == {"city": "Rome", "tier": "1", "shoe": "38"}
    assert (kept.time_zone, kept.time_zone_source) == ("Europe/Rome", "stated")
    assert kept.birth_date == date(2007, 5, 5)  # whoever is old enough by it is old enough
    assert kept.legal_hold == "dispute 9"
    assert set(kept.lists.all()) == {shared, own}
    assert [tag.name for tag in kept.tags.order_by("folded_name")] == ["trial", "vip"]
    assert list(kept.notes.all()) == [note]
    assert not Contact.objects.filter(pk=other.pk).exists()
    assert not ListMembership.objects.filter(contact=other.pk).exists()


def test_what_is_about_the_number_stays_with_the_number():
    kept = factories.contact(line_type="mobile")
    other = factories.contact(line_type="fixed", dead_since=NOW, last_inbound_at=NOW, country="GB")

    unite(kept, other)

    kept.refresh_from_db()
    assert (kept.line_type, kept.dead_since, kept.last_inbound_at, kept.country) == ("mobile", None, None, "US")


def test_both_legal_holds_stand_and_the_stated_zone_of_the_kept_one_wins():
    kept = factories.contact(legal_hold="A", time_zone="America/Chicago", time_zone_source="stated")
    other = factories.contact(legal_hold="B", time_zone="Europe/Rome", time_zone_source="stated")

    unite(kept, other)

    kept.refresh_from_db()
    assert (kept.legal_hold, kept.time_zone) == ("A; B", "America/Chicago")
    with pytest.raises(WrongState):
        erasure.erase(kept, by=factories.user(), actor="x", reason="", now=NOW)


def test_messages_texts_and_conversations_are_found_with_the_person():
    kept = factories.contact()
    sender = factories.sender()
    other = factories.contact()
    sent = factories.outbound(
        factories.campaign(sender=sender), other, state=OutboundState.DELIVERED, accepted_at=NOW
    )
    waiting = factories.outbound(factories.campaign(sender=sender), other)
    said = InboundText(
        event_key=uuid4().hex, gateway_id="", phone=other.phone, sender=sender.value, text="Hello?", at=NOW
    )
    receiving.receive(sender.account, said, now=NOW)
    thread = Conversation.objects.get()
    with pytest.raises(Conflict, match="open conversation"):
        unite(kept, other)
    Conversation.objects.update(state="resolved", resolved_at=NOW)

    unite(kept, other)

    sent.refresh_from_db()
    waiting.refresh_from_db()
    thread.refresh_from_db()
    assert (sent.contact_id, sent.phone, sent.state) == (kept.pk, other.phone, "delivered")
    assert (waiting.state, waiting.code) == ("cancelled", "MERGED")
    assert thread.contact == kept
    assert InboundMessage.objects.get().contact == kept
    told = timeline.read(kept, keys=belonging.keys_of(kept), may=lambda permission: True, limit=100).entries
    assert {"Hello?"} <= {entry.detail for entry in told}
    assert sent.ref in {entry.ref for entry in told}


def test_attributes_never_become_too_many():
    kept = factories.contact(attributes={f"a{n}": "x" for n in range(49)})
    other = factories.contact(attributes={f"b{n}": "x" for n in range(49)})

    unite(kept, other)

    kept.refresh_from_db()
    assert len(kept.attributes) == 50
    people.change(kept, fields={"attributes": {"a1": "y"}})


# --- Consent ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps_the_one_that_stopped", [True, False])
@pytest.mark.parametrize("source", [ConsentSource.TEXT, ConsentSource.CARRIER, ConsentSource.COMPLAINT])
def test_an_opt_out_of_either_phone_stands_for_both(keeps_the_one_that_stopped, source):
    brand = factories.brand()
    agreed, stopped = factories.opted_in(brand), factories.opted_in(brand)
    stop(stopped, brand=brand, source=source)
    kept, other = (stopped, agreed) if keeps_the_one_that_stopped else (agreed, stopped)

    unite(kept, other)

    for key in (agreed.subscriber_key, stopped.subscriber_key):
        assert is_suppressed(key)
        assert not ConsentState.objects.filter(subscriber_key=key, is_active=True).exists()
    assert ledger_is_sound()


def test_each_scope_is_copied_as_it_is():
    one, two = factories.brand(), factories.brand()
    kept, other = factories.contact(), factories.contact()
    stop(kept, brand=one, purposes=["marketing"])
    stop(other, brand=two)
    stop(other, brand=None, purposes=["transactional"], source=ConsentSource.VERBAL)

    unite(kept, other)

    scopes = {(one.pk, "marketing"), (two.pk, "*"), (None, "transactional")}
    for person in (kept, other):
        assert {(brand, purpose) for brand, purpose, _ in standing(person.subscriber_key)} == scopes


def test_consent_of_one_phone_never_becomes_consent_of_the_other():
    brand = factories.brand()
    kept, other = factories.contact(), factories.opted_in(brand)

    unite(kept, other)

    assert not ConsentState.objects.filter(subscriber_key=kept.subscriber_key).exists()
    verdict = judging.may_i(kept, brand=brand, purpose=Purpose.MARKETING, at=NOW)
    assert verdict.code == "NO_CONSENT"


def test_an_opt_in_older_than_the_merge_does_not_outlive_it():
    brand = factories.brand()
    kept, other = factories.contact(), factories.contact()
    stop(other, brand=brand, at=NOW - timedelta(days=300))
    proof = consent.Proof(wording="I agree", method="keyword", act="texted JOIN")
    consent.opt_in(
        kept, brand=brand, purposes=MARKETING, basis=Basis.EXPRESS_WRITTEN, source=ConsentSource.TEXT, proof=proof,
        occurred_at=NOW - timedelta(days=2), now=NOW - timedelta(days=2),
    )  # fmt: skip

    unite(kept, other)

    assert is_suppressed(kept.subscriber_key)


def test_start_on_a_phone_lifts_the_copy_there_and_nothing_on_the_other_one():
    brand = factories.brand()
    kept, other = factories.opted_in(brand), factories.opted_in(brand)
    stop(other, brand=brand)
    unite(kept, other)

    start(kept, brand=brand, at=NOW + timedelta(hours=1))

    assert not is_suppressed(kept.subscriber_key)
    assert is_suppressed(other.subscriber_key)
    assert ConsentState.objects.filter(subscriber_key=kept.subscriber_key, is_active=True).exists()


def test_start_does_not_lift_the_copy_of_a_complaint():
    brand = factories.brand()
    kept, other = factories.opted_in(brand), factories.contact()
    stop(other, brand=brand, source=ConsentSource.COMPLAINT)
    unite(kept, other)

    start(kept, brand=brand, at=NOW + timedelta(hours=1))

    assert standing(kept.subscriber_key) == {(brand.pk, "*", "complaint")}


def test_a_heavier_cause_is_copied_where_a_lighter_one_stands():
    brand = factories.brand()
    kept, other = factories.contact(), factories.contact()
    stop(kept, brand=brand)
    stop(other, brand=brand, source=ConsentSource.COMPLAINT)

    unite(kept, other)

    assert standing(kept.subscriber_key) == {(brand.pk, "*", "complaint")}
    written = ConsentEvent.objects.filter(kind=EventKind.SUPPRESS)
    assert [event.subscriber_key for event in written] == [kept.subscriber_key]  # none where nothing was missing


@pytest.mark.parametrize("is_kept", [True, False])
def test_an_open_review_of_either_phone_holds_both_and_its_clock_goes_on(is_kept):
    held, free = factories.contact(), factories.contact()
    inbound = uuid4()
    consent.hold(held, brand=None, inbound_id=inbound, said_at=NOW - timedelta(days=3), now=NOW - timedelta(days=3))

    unite(*((held, free) if is_kept else (free, held)))

    holds = Hold.objects.filter(closed_at=None).values_list("subscriber_key", "inbound_id", "opened_at")
    opened = NOW - timedelta(days=3)
    assert set(holds) == {(one.subscriber_key, inbound, opened) for one in (held, free)}


def test_a_phone_that_comes_back_is_a_fresh_contact_that_is_still_suppressed():
    brand = factories.brand()
    kept, other = factories.contact(), factories.contact()
    stop(kept, brand=brand)
    unite(kept, other)

    number = phones.parse(other.phone, default_region="")
    fresh, is_new = people.upsert(external_id="again", phone=number, fields={}, now=NOW)

    assert is_new
    assert fresh.pk != kept.pk
    verdict = judging.may_i(fresh, brand=brand, purpose=Purpose.TRANSACTIONAL, at=NOW)
    assert verdict.code == "SUPPRESSED"


@pytest.mark.parametrize("stops_with", ["kept", "other", "other that came back"])
def test_an_opt_out_after_the_merge_counts_for_every_phone_of_the_person(stops_with):
    brand = factories.brand()
    kept, other = factories.opted_in(brand), factories.opted_in(brand)
    unite(kept, other)
    person = kept
    if stops_with != "kept":
        person = consent.get_or_add(phones.parse(other.phone, default_region=""), now=NOW)
        if stops_with == "other":
            Contact.objects.filter(pk=person.pk).delete()  # gone again at this very moment

    stop(person, brand=brand, at=NOW + timedelta(days=1))

    for key in (kept.subscriber_key, other.subscriber_key):
        assert is_suppressed(key), key
    assert ledger_is_sound()


def test_a_receipt_that_reports_an_opt_out_afterwards_is_about_the_phone_it_names():
    brand = factories.brand()
    kept, other = factories.opted_in(brand), factories.contact()
    unite(kept, other)

    about = {
        "account_id": factories.account().pk, "subscriber_key": other.subscriber_key, "phone": other.phone,
        "brand": brand,
    }  # fmt: skip
    consequences.apply(Beyond.OPT_OUT, **about, permanent=None)
    consequences.apply(Beyond.MARK_DEAD, **about, permanent=True)

    assert standing(other.subscriber_key) == {(brand.pk, "*", "carrier")}
    assert is_suppressed(kept.subscriber_key)  # the same person
    kept.refresh_from_db()
    assert kept.dead_since is None


def test_erasing_and_exporting_the_person_takes_both_phones():
    brand = factories.brand()
    kept, other = factories.opted_in(brand), factories.opted_in(brand, name="Anna")
    factories.outbound(
        factories.campaign(sender=factories.sender(brand=brand)), other, state="delivered", body="secret text"
    )
    unite(kept, other)

    told = personal_export.gather(kept, now=NOW)["parts"]
    assert told["contact"][0]["other_phones"] == [other.phone]
    assert [row["text"] for row in told["messages"]] == ["secret text"]
    assert sum(event["kind"] == "opt_in" for event in told["consent_events"]) == 2
    erasure.erase(kept, by=factories.user(), actor="x", reason="asked", now=NOW)

    message = OutboundMessage.objects.get()
    assert (message.body, message.phone) == ("", "")
    for person in (kept, other):
        assert is_suppressed(person.subscriber_key)
        events = ConsentEvent.objects.filter(subscriber_key=person.subscriber_key)
        assert not any(hasattr(event, "evidence") for event in events)
    assert not UnitedPhone.objects.exists()
    assert ledger_is_sound()


def test_merging_again_carries_the_earlier_phones_along():
    brand = factories.brand()
    first, second, third = factories.contact(), factories.contact(), factories.opted_in(brand)
    unite(first, second)
    unite(third, first)

    assert set(belonging.keys_of(third)) == {one.subscriber_key for one in (first, second, third)}
    stop(third, brand=brand)
    assert is_suppressed(second.subscriber_key)


@pytest.mark.parametrize("stops", [0, 1, 2])
def test_an_opt_out_reaches_phones_that_are_tied_only_through_another_one(stops):
    brand = factories.brand()
    first, middle, last = (factories.opted_in(brand) for _ in range(3))
    unite(first, middle)
    middle = factories.contact(phone=middle.phone)  # they wrote from it again
    unite(middle, last)
    last = factories.contact(phone=last.phone)
    people = [first, middle, last]

    stop(people[stops], brand=brand, at=NOW + timedelta(days=1))

    for one in people:
        assert is_suppressed(one.subscriber_key), one
    assert ledger_is_sound()


def test_merging_again_carries_the_messages_and_texts_of_earlier_phones_along():
    sender = factories.sender()
    first, second, third = (factories.contact() for _ in range(3))
    sent = factories.outbound(factories.campaign(sender=sender), second, state="delivered")
    said = InboundMessage.objects.create(
        account=sender.account, event_key="1", phone=second.phone, subscriber_key=second.subscriber_key,
        contact=second, sender=sender, text="hello", occurred_at=NOW, received_at=NOW,
    )  # fmt: skip

    unite(first, second)
    unite(third, first)

    sent.refresh_from_db()
    said.refresh_from_db()
    assert (sent.contact_id, said.contact_id) == (third.pk, third.pk)


def test_a_contact_is_not_merged_into_itself_or_twice():
    kept, other = factories.contact(), factories.contact()
    with pytest.raises(Invalid):
        unite(kept, kept)
    unite(kept, other)
    with pytest.raises(WrongState):
        unite(kept, other)


# --- Pages and API ----------------------------------------------------------------------------------------


@pytest.fixture
def desk(client):
    client.force_login(factories.staff("contacts.view_contact", "contacts.merge_contact"))
    return client


def merge_url(person):
    return reverse("admin:contacts_contact_merge", args=[person.pk])


def test_the_page_shows_both_and_what_will_happen_before_it_happens(desk):
    brand = factories.brand()
    kept = factories.contact(name="Ann", attributes={"email": "ann@example.com"})
    other = factories.contact(name="Anna <b>", external_id="N-7", attributes={"email": " ANN@example.com"})
    stop(other, brand=brand)

    chosen = desk.get(merge_url(kept)).content.decode()
    assert "the same e-mail address" in chosen
    page = desk.get(merge_url(kept), {"other": other.phone}).content.decode()
    assert "Anna &lt;b&gt;" in page
    assert f"opted out of {brand}" in page
    assert kept.phone not in page
    assert Contact.objects.count() == 2

    assert desk.post(merge_url(kept), {"other": other.ref}).status_code == 302

    assert Contact.objects.get() == kept
    said = LogEntry.objects.get().get_change_message()
    assert other.ref in said
    assert other.phone not in said
    shown = desk.get(reverse("admin:contacts_contact_change", args=[kept.pk])).content.decode()
    assert "Other phones" in shown


@pytest.mark.parametrize("asked", ["nobody", "+12125550199", "con_" + "0" * 32, "x" * 500, ""])
def test_a_contact_that_is_not_there_is_named_and_nothing_happens(desk, asked):
    kept = factories.contact()

    page = desk.get(merge_url(kept), {"other": asked})

    assert page.status_code == 200
    assert asked == "" or "no such contact" in page.content.decode()
    assert "same contact" in desk.post(merge_url(kept), {"other": kept.ref}).content.decode()


def test_merging_needs_its_own_right(client):
    kept, other = factories.contact(), factories.contact()
    client.force_login(factories.staff("contacts.view_contact", "contacts.change_contact"))

    assert client.get(merge_url(kept)).status_code == 403
    assert client.post(merge_url(kept), {"other": other.ref}).status_code == 403
    assert client.get(reverse("admin:contacts_contact_duplicates")).status_code == 403
    assert Contact.objects.count() == 2


def test_duplicates_are_found_in_a_fixed_number_of_queries(desk, django_assert_num_queries):
    def group(number):
        factories.contact(attributes={"email": f"X{number}@y.example"})
        factories.contact(attributes={"email": f" x{number}@Y.example "})
        factories.contact(name=f"Bo {number}", region="TX")
        factories.contact(name=f"Bo {number}", region="TX")
        factories.contact(name=f"Bo {number}", region="NY")

    for number in range(5):
        group(number)
    with django_assert_num_queries(4):
        found = duplicates.pairs()

    assert (
        sorted(pair.sign for pair in found)
        == ["the same e-mail address"] * 5 + ["the same name in the same state"] * 5
    )
    assert {pair.count for pair in found} == {2}
    assert "Compare" in desk.get(reverse("admin:contacts_contact_duplicates")).content.decode()


def test_merging_over_the_api():
    api, kept, other = factories.api(), factories.contact(), factories.contact(external_id="N-7")
    address = f"/api/v1/contacts/{kept.ref}/merge/"

    for body in ({}, {"other": "x"}, {"other": "con_" + "0" * 32}, {"other": kept.ref}):
        assert api.post(address, body, content_type="application/json").status_code == 400
    answer = api.post(address, {"other": other.ref}, content_type="application/json")

    assert (answer.status_code, answer.json()["external_id"]) == (200, "N-7")
    assert api.get(f"/api/v1/contacts/{other.ref}/").status_code == 404
    assert api.post(address, {"other": other.ref}, content_type="application/json").status_code == 400


def test_merging_over_the_api_needs_its_own_scope():
    kept, other = factories.contact(), factories.contact()
    every_other = [scope for scope in Scope.values if scope != "contacts:merge"]
    api = factories.api(factories.api_key(scopes=every_other)[1])
    answer = api.post(f"/api/v1/contacts/{kept.ref}/merge/", {"other": other.ref}, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert Contact.objects.count() == 2


# --- At the same moment -----------------------------------------------------------------------------------

needs_postgres = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]


class Beside(threading.Thread):
    """A job in a thread and on a connection of its own; `result` is what it returned or raised."""

    def __init__(self, job) -> None:
        super().__init__(daemon=True)
        self._job, self.result = job, None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._job()
        except Exception as problem:
            self.result = problem
        finally:
            connection.close()


def text_stop(person, sender):
    said = InboundText(
        event_key=uuid4().hex, gateway_id="", phone=person.phone, sender=sender.value, text="STOP", at=None
    )
    return receiving.receive(sender.account, said, now=timezone.now())


class TestRaces:
    pytestmark = needs_postgres

    @pytest.mark.parametrize("stops_with", ["kept", "other"])
    @pytest.mark.parametrize("first", ["stop", "merge"])
    def test_stop_against_merge_always_ends_suppressed_on_both_phones(self, stops_with, first):
        sender = factories.sender()
        kept, other = factories.opted_in(sender.brand), factories.opted_in(sender.brand)
        person = {"kept": kept, "other": other}[stops_with]

        def merge():
            return unite(kept, other, now=timezone.now())

        def stopping():
            return text_stop(person, sender)

        one, two = (stopping, merge) if first == "stop" else (merge, stopping)
        with transaction.atomic():  # neither begins before both are under way, then they go in the order they came
            consent.lock([kept.pk, other.pk])
            threads = [Beside(one)]
            racing.wait_for_lock_waits()
            threads.append(Beside(two))
            time.sleep(0.2)
        for thread in threads:
            thread.join(20)

        assert [thread.result for thread in threads if isinstance(thread.result, Exception)] == []
        assert is_suppressed(kept.subscriber_key)
        assert is_suppressed(other.subscriber_key)
        assert ledger_is_sound()

    def test_many_stops_and_merges_in_any_order_end_suppressed(self):
        sender = factories.sender()
        for _ in range(8):
            kept, other = factories.opted_in(sender.brand), factories.opted_in(sender.brand)
            jobs = [
                partial(unite, kept, other, now=timezone.now()),
                partial(text_stop, kept, sender),
                partial(text_stop, other, sender),
            ]
            threads = [Beside(job) for job in jobs]
            for thread in threads:
                thread.join(20)
            assert [one.result for one in threads[1:] if isinstance(one.result, Exception)] == []
            # A merge may be refused: STOP from a phone that has just become a contact again.
            assert not isinstance(threads[0].result, Exception) or isinstance(threads[0].result, DomainError)
            assert is_suppressed(kept.subscriber_key)
            assert is_suppressed(other.subscriber_key)
        assert ledger_is_sound()

    def test_a_merge_against_its_reverse_leaves_one_of_the_two(self):
        for _ in range(10):
            one, two = factories.contact(), factories.contact()
            pairs = itertools.permutations([one, two])
            threads = [Beside(lambda kept=kept, other=other: unite(kept, other)) for kept, other in pairs]
            for thread in threads:
                thread.join(20)
            results = [type(thread.result) for thread in threads]
            assert sorted(results, key=str) == sorted([Contact, WrongState], key=str)
            assert Contact.objects.filter(pk__in=[one.pk, two.pk]).count() == 1

    def test_merges_in_a_circle_never_wait_for_each_other_for_ever(self):
        people_ = [factories.contact() for _ in range(4)]
        pairs = [(people_[n], people_[(n + 1) % 4]) for n in range(4)]
        threads = [Beside(lambda kept=kept, other=other: unite(kept, other)) for kept, other in pairs]
        for thread in threads:
            thread.join(20)

        assert all(isinstance(one.result, Contact | WrongState) for one in threads), [one.result for one in threads]
        assert Contact.objects.filter(pk__in=[one.pk for one in people_]).count() >= 1

    def test_a_message_that_waits_while_its_contact_is_merged_does_not_leave(self):
        campaign = sending_rig.campaign(2)
        first, last = Contact.objects.order_by("pk")
        work = batch.read(sending_rig.win(campaign.sender))
        with transaction.atomic():
            consent.lock([first.pk])
            merge = Beside(lambda: unite(last, first, now=timezone.now()))
            racing.wait_for_lock_waits()
            submit = Beside(lambda: batch.submit(work))
            time.sleep(0.3)
        merge.join(20)
        submit.join(20)

        assert isinstance(merge.result, Contact)
        gone = OutboundMessage.objects.get(subscriber_key=first.subscriber_key)
        assert (gone.state, gone.code) in {("cancelled", "MERGED"), ("skipped", "CONTACT_GONE")}
        items = sending_rig.items(submit.result) if submit.result else ()
        assert first.phone not in [item.to for item in items]

    def test_a_message_that_was_submitted_before_the_merge_is_sent_once_and_stays_with_the_person(self):
        campaign = sending_rig.campaign(2)
        first, last = Contact.objects.order_by("pk")
        submitted = batch.submit(batch.read(sending_rig.win(campaign.sender)))
        assert first.phone in [item.to for item in sending_rig.items(submitted)]

        unite(last, first, now=timezone.now())

        row = OutboundMessage.objects.get(subscriber_key=first.subscriber_key)
        assert (row.state, row.contact_id, row.phone) == ("submitting", last.pk, first.phone)


@pytest.mark.django_db
def test_a_doubt_on_one_phone_holds_the_other():
    person, other, brand = factories.contact(), factories.contact(), factories.brand()
    unite(person, other)
    again = factories.contact(other.phone)
    consent.hold(again, brand=brand, inbound_id=None, said_at=NOW, now=NOW)
    held = gathering.standing([person.subscriber_key, other.subscriber_key])
    assert held[person.subscriber_key].is_held
    assert held[other.subscriber_key].is_held
    assert chain.first_break() is None


def two_phones(sender):
    """One person, and a waiting message of the sender to each of their phones."""
    kept, other = (sending_rig.agreed(factories.contact(), sender, *MARKETING) for _ in range(2))
    unite(kept, other)
    again = factories.contact(other.phone)
    for phone in (kept, again):
        sending.queue(
            phone, sender=sender, text="News", purpose=Purpose.MARKETING, kind=MessageKind.API,
            priority=Priority.CAMPAIGN, now=timezone.now(),
        )  # fmt: skip
    return kept, again


def hears(sender, person, text):
    now = timezone.now()
    said = InboundText(
        event_key=uuid4().hex, gateway_id="", phone=person.phone, sender=sender.value, text=text, at=now
    )
    return receiving.receive(sender.account, said, now=now)


@pytest.mark.django_db
@pytest.mark.parametrize("stops", [0, 1])
def test_a_stop_takes_out_what_waits_for_the_persons_other_phone(stops):
    sender = factories.sender()
    both = two_phones(sender)
    hears(sender, both[stops], "STOP")
    waiting = OutboundMessage.objects.exclude(purpose=Purpose.COMPLIANCE)
    assert set(waiting.values_list("state", "code")) == {("cancelled", "OPTED_OUT")}


@pytest.mark.django_db
def test_what_waits_for_the_other_phone_is_not_sent_even_where_it_was_queued_after_the_stop():
    sender = factories.sender()
    kept, again = two_phones(sender)
    hears(sender, kept, "STOP")
    OutboundMessage.objects.filter(state="cancelled").update(state="queued", code="", final_at=None)
    _, _, submitted = sending_rig.submit(sender)
    assert [item.to for item in sending_rig.items(submitted)] == [kept.phone]  # the confirmation alone
    rows = OutboundMessage.objects.filter(purpose=Purpose.MARKETING)
    assert set(rows.values_list("state", "code")) == {("skipped", "SUPPRESSED")}
    assert again.subscriber_key in set(rows.values_list("subscriber_key", flat=True))


@pytest.mark.django_db
def test_a_stop_that_comes_late_leaves_what_waits_for_a_phone_on_which_they_came_back():
    sender = factories.sender()
    kept, again = two_phones(sender)
    now = timezone.now()
    stop(again, brand=sender.brand, at=now - timedelta(hours=2))
    start(again, brand=sender.brand, at=now - timedelta(minutes=5))
    late = InboundText(
        event_key="late", gateway_id="", phone=kept.phone, sender=sender.value, text="STOP",
        at=now - timedelta(hours=1),
    )  # fmt: skip
    receiving.receive(sender.account, late, now=now)
    waiting = dict(OutboundMessage.objects.filter(purpose=Purpose.MARKETING).values_list("subscriber_key", "state"))
    assert waiting == {kept.subscriber_key: "cancelled", again.subscriber_key: "queued"}


@pytest.mark.django_db
def test_a_stop_is_answered_when_nothing_of_the_other_phone_is_leaving_any_more():
    sender = factories.sender()
    kept, again = two_phones(sender)
    with CaptureQueriesContext(connection) as seen:
        hears(sender, kept, "STOP")
    asked = [one["sql"] for one in seen if "submitting" in one["sql"]]
    assert all(any(one.subscriber_key in sql for sql in asked) for one in (kept, again))


@pytest.mark.django_db
@pytest.mark.parametrize("is_opt_out", [True, False])
@pytest.mark.parametrize("decided", [0, 1])
def test_one_decision_on_a_doubt_counts_for_every_phone_it_holds(is_opt_out, decided):
    sender = factories.sender()
    both = two_phones(sender)
    hears(sender, both[1], "Stop by the store?")
    assert Hold.objects.filter(closed_at=None).count() == 2
    hold = Hold.objects.get(subscriber_key=both[decided].subscriber_key)
    if is_opt_out:
        reviewing.opt_out(hold, by="ann", note="read", now=timezone.now())
    else:
        reviewing.release(hold, by="ann", now=timezone.now())
    assert set(Hold.objects.values_list("closed_by", "was_opt_out")) == {("ann", is_opt_out)}
    assert {is_suppressed(one.subscriber_key) for one in both} == {is_opt_out}
    assert ledger_is_sound()


@pytest.mark.django_db
def test_a_later_doubt_on_the_other_phone_is_decided_by_itself():
    sender = factories.sender()
    kept, again = two_phones(sender)
    hears(sender, kept, "Stop by the store?")
    later = timezone.now() + timedelta(minutes=1)
    Hold.objects.filter(subscriber_key=again.subscriber_key).update(said_at=later)
    reviewing.release(Hold.objects.get(subscriber_key=kept.subscriber_key), by="ann", now=later)
    assert Hold.objects.get(closed_at=None).subscriber_key == again.subscriber_key
