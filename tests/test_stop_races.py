"""STOP beside whatever else may write about the same phone at the same moment: it always ends suppressed.

Each race is run many times, mostly from a state in which a missing lock would let the person through: they had
agreed, said STOP, and one side is about to free them while the other says STOP again.
"""

import contextlib
import random
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import consequences
from campaigns.models import OutboundMessage
from contacts import chain, claims, consent, erasure, import_batches, importing, rebuilding, uniting
from contacts.models import (
    Basis,
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    Hold,
    Purpose,
    Suppression,
)
from inbound import holds, receiving
from inbound.models import AutomaticReply
from smsdesk import phones
from smsdesk.errors import WrongState
from smsdesk.gateways.contract import InboundText
from smsdesk.gateways.errors import Beyond
from tests import factories, judging
from tests.racing import rounds
from tests.test_importing import ready

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]

ROUNDS = 30
PROOF = consent.Proof(wording="Get our texts", method="keyword", act="texted JOIN")


@pytest.fixture
def sender():
    return factories.sender()


@pytest.fixture
def now():
    return timezone.now()


def numbers(count=ROUNDS):
    return [factories.next_phone() for _ in range(count)]


def people(sender, now, *, count=ROUNDS):
    """They had agreed long ago and then said STOP: whoever frees them is not to win."""
    made = []
    for _ in range(count):
        person = factories.contact()
        opt_in(person, sender.brand, at=now - timedelta(days=9))
        consent.opt_out(
            person, brand=sender.brand, source=ConsentSource.TEXT, occurred_at=now - timedelta(days=5), now=now
        )
        made.append(person)
    return made


def opt_in(person, brand, *, at, source=ConsentSource.TEXT):
    consent.opt_in(
        person, brand=brand, purposes=[Purpose.MARKETING], basis=Basis.EXPRESS_WRITTEN, source=source, proof=PROOF,
        occurred_at=at, now=timezone.now(),
    )  # fmt: skip


def hears(sender, phone, body="STOP", *, at):
    text = InboundText(event_key=uuid4().hex, gateway_id="", phone=phone, sender=sender.value, text=body, at=at)
    return receiving.receive(sender.account, text, now=timezone.now())


def let_through(sender, given):
    """Those of these phones to whom the judge would let anything of the brand go, or whose state says so."""
    at = timezone.now() + timedelta(minutes=1)
    found = []
    for phone in given:
        person = consent.get_or_add(phones.parse(phone, default_region=""), now=at)
        codes = {judging.may_i(person, brand=sender.brand, purpose=p, at=at).code for p in Purpose.values[:3]}
        if codes != {"SUPPRESSED"}:
            found.append((phone, codes))
    assert not ConsentState.objects.filter(is_active=True).exists()
    assert chain.first_break() is None
    assert rebuilding.first_difference() is None
    return found


def test_stop_beside_an_import_of_the_same_phones(sender, now, monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 2)
    claim = claims.Claim(
        purpose="marketing", basis="express_written", obtained_at=now - timedelta(minutes=1), method="paper",
        wording="I agree", source="Fair in May",
    )  # fmt: skip
    for _ in range(3):
        known, unknown = people(sender, now), numbers()
        given = [person.phone for person in known] + unknown
        random.shuffle(given)
        made = ready("phone\n" + "\n".join(given) + "\n", brand=sender.brand, claim=claim, now=now)
        importing.start(made, now=now)
        errors = rounds(
            1,
            lambda _, pk=made.pk: importing.run(pk),
            lambda _, given=given: [hears(sender, phone, at=now) for phone in given[::2]],
            lambda _, given=given: [hears(sender, phone, at=now) for phone in given[1::2]],
        )
        assert errors == []
        assert ContactImport.objects.get(pk=made.pk).state == "finished"
        assert let_through(sender, given) == []


def test_stop_of_strangers_beside_an_upsert_of_their_numbers(sender, now):
    given = numbers()
    path = "/api/v1/contacts/by-external-id/"
    key = factories.api_key()[1]

    def upsert(number):
        body = {"phone": given[number], "name": "Ann"}
        answer = factories.api(key).put(f"{path}c{number}/", body, content_type="application/json")
        assert answer.status_code in (200, 201), answer.json()

    assert rounds(ROUNDS, upsert, lambda n: hears(sender, given[n], at=now)) == []
    assert Contact.objects.count() == ROUNDS
    assert Contact.objects.filter(name="Ann").count() == ROUNDS
    assert let_through(sender, given) == []


def test_stop_beside_an_upsert_and_an_opt_in_over_the_api(sender, now):
    made, key = people(sender, now), factories.api_key()[1]
    earlier = (now - timedelta(seconds=1)).isoformat()

    def grant(number):
        body = {
            "kind": "opt_in", "brand": sender.brand.slug, "purposes": ["marketing"], "basis": "express_written",
            "source": "web_form", "occurred_at": earlier,
            "proof": {"wording": "Get our texts", "method": "web_form", "act": "ticked the box"},
        }  # fmt: skip
        path = f"/api/v1/contacts/{made[number].ref}/consents/"
        assert factories.api(key).post(path, body, content_type="application/json").status_code == 201

    assert rounds(ROUNDS, grant, lambda n: hears(sender, made[n].phone, at=now)) == []
    assert let_through(sender, [person.phone for person in made]) == []


@pytest.mark.parametrize("source", [ConsentSource.TEXT, ConsentSource.LINK, ConsentSource.WEB_FORM])
def test_stop_beside_an_opt_in_of_their_own_that_was_given_earlier(sender, now, source):
    made = people(sender, now)
    earlier = now - timedelta(seconds=1)
    errors = rounds(
        ROUNDS,
        lambda n: opt_in(made[n], sender.brand, at=earlier, source=source),
        lambda n: hears(sender, made[n].phone, at=now),
    )
    assert errors == []
    assert let_through(sender, [person.phone for person in made]) == []


@pytest.mark.parametrize("seconds", [0, 1])
def test_stop_beside_start_the_later_word_counts_and_a_tie_is_stop(sender, now, seconds):
    made = people(sender, now)
    errors = rounds(
        ROUNDS,
        lambda n: hears(sender, made[n].phone, "START", at=now - timedelta(seconds=seconds)),
        lambda n: hears(sender, made[n].phone, at=now),
    )
    assert errors == []
    assert let_through(sender, [person.phone for person in made]) == []


@pytest.mark.parametrize("known", [True, False])
def test_stop_beside_stop_is_two_events_one_suppression_and_one_answer(sender, now, known):
    given = [factories.opted_in(sender.brand).phone for _ in range(ROUNDS)] if known else numbers()
    assert rounds(ROUNDS, *[lambda n: hears(sender, given[n], at=now)] * 3) == []
    assert Contact.objects.count() == ROUNDS
    assert ConsentEvent.objects.filter(kind="opt_out").count() == 3 * ROUNDS
    assert Suppression.objects.count() == ROUNDS
    assert AutomaticReply.objects.filter(kind="stop").count() == ROUNDS
    assert OutboundMessage.objects.filter(compliance_kind="optout_confirm").count() == ROUNDS
    assert let_through(sender, given) == []


def test_help_beside_help_is_answered_once(sender, now):
    given = numbers()
    assert rounds(ROUNDS, *[lambda n: hears(sender, given[n], "HELP", at=now)] * 3) == []
    assert AutomaticReply.objects.filter(kind="help").count() == ROUNDS
    assert OutboundMessage.objects.filter(compliance_kind="help_reply").count() == ROUNDS


def test_stop_beside_the_carriers_word(sender, now):
    made = people(sender, now)

    def carrier(number):
        consequences.apply(
            Beyond.OPT_OUT,
            account_id=sender.account_id,
            subscriber_key=made[number].subscriber_key,
            phone=made[number].phone,
            brand=sender.brand,
            permanent=None,
        )

    start = now - timedelta(seconds=1)
    errors = rounds(
        ROUNDS,
        carrier,
        lambda n: hears(sender, made[n].phone, at=now),
        lambda n: hears(sender, made[n].phone, "START", at=start),
    )
    assert errors == []
    assert Suppression.objects.filter(lifted_by=None).count() == ROUNDS
    assert not ConsentState.objects.filter(is_active=True).exists()
    assert rebuilding.first_difference() is None


def test_stop_beside_erasure(sender, now):
    made, clerk = [factories.opted_in(sender.brand) for _ in range(ROUNDS)], factories.user()
    given = [person.phone for person in made]
    errors = rounds(
        ROUNDS,
        lambda n: erasure.erase(made[n], by=clerk, actor="ann", reason="asked", now=timezone.now()),
        lambda n: hears(sender, given[n], at=now),
    )
    assert errors == []
    assert ConsentEvent.objects.filter(kind="erase").count() == ROUNDS
    assert ConsentEvent.objects.filter(kind="opt_out").count() == ROUNDS
    assert let_through(sender, given) == []


@pytest.mark.parametrize("whose", ["the one that is kept", "the other"])
def test_stop_beside_a_merge_counts_for_both_phones(sender, now, whose):
    pairs = [(factories.opted_in(sender.brand), factories.opted_in(sender.brand)) for _ in range(ROUNDS)]
    speaks = [(kept if whose == "the one that is kept" else other).phone for kept, other in pairs]
    given, clerk = [one.phone for pair in pairs for one in pair], factories.user()
    errors = rounds(
        ROUNDS,
        lambda n: uniting.unite(*pairs[n], by=clerk, actor="ann", now=timezone.now()),
        lambda n: hears(sender, speaks[n], at=now),
    )
    assert errors == []
    assert let_through(sender, given) == []


def test_stop_beside_a_reviewer_who_says_that_it_was_none(sender, now):
    made = people(sender, now)
    for person in made:
        hears(sender, person.phone, "START", at=now - timedelta(days=1))
        hears(sender, person.phone, "Stop by the store?", at=now - timedelta(hours=1))
    waiting = {hold.subscriber_key: hold for hold in Hold.objects.filter(closed_at=None)}
    assert len(waiting) == ROUNDS

    def release(number):
        with contextlib.suppress(WrongState):  # STOP was faster
            holds.release(waiting[made[number].subscriber_key], by="ann", now=timezone.now())

    assert rounds(ROUNDS, release, lambda n: hears(sender, made[n].phone, at=now)) == []
    assert not Hold.objects.filter(closed_at=None).exists()
    assert let_through(sender, [person.phone for person in made]) == []


def test_a_hold_is_decided_once_however_many_decide(sender, now):
    given = numbers()
    for phone in given:
        hears(sender, phone, "Stop by the store?", at=now)
    found = {hold.subscriber_key: hold.pk for hold in Hold.objects.all()}
    refused = []

    def decide(verb):
        def run(number):
            hold = Hold.objects.select_related("brand").get(pk=found[phones.subscriber_key(given[number])])
            try:
                verb(hold)
            except WrongState:
                refused.append(number)

        return run

    errors = rounds(
        ROUNDS,
        decide(lambda hold: holds.release(hold, by="ann", now=timezone.now())),
        decide(lambda hold: holds.opt_out(hold, by="bob", note="read", now=timezone.now())),
        decide(lambda hold: holds.opt_out(hold, by=holds.NOBODY, note="late", now=timezone.now())),
    )
    assert errors == []
    assert sorted(refused) == sorted(2 * list(range(ROUNDS)))
    said = dict(Hold.objects.values_list("subscriber_key", "was_opt_out"))
    opted_out = set(Suppression.objects.filter(lifted_by=None).values_list("subscriber_key", flat=True))
    assert opted_out == {key for key, was_opt_out in said.items() if was_opt_out}
    assert 0 < len(opted_out) <= ROUNDS
