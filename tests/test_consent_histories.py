"""Random histories through the real verbs and the real judge: whatever happens, and in whatever order it arrives.

A second, much simpler opinion says what must never be: it knows only who said what and when.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contacts import chain, consent, erasure, facts, gathering, lapsing, permission, rebuilding, settling
from contacts.models import (
    Basis,
    Brand,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    Hold,
    Purpose,
    Suppression,
)
from smsdesk import phones
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

PHONE = phones.parse("+12125550123", default_region="US")
PROOF = consent.Proof(wording="Acme: text JOIN to get offers", method="keyword", act="texted JOIN")
LAST = 8  # days ago, 0 is now
AFTER = NOW + timedelta(minutes=1)

STOPS = ("stop", "admin", "complaint", "carrier", "api_stop", "stop_all", "stop_marketing")
OWN_RETURNS = ("start", "join", "link")
NEVER_LIFTED = ("admin", "complaint", "api_stop")
OTHERS = ("import", "api_opt_in", "form", "confirm", "doubt", "released", "expire", "inbound", "short_join")


@dataclass(frozen=True)
class Said:
    """`what` happened `ago` days before now."""

    what: str
    ago: int

    @property
    def at(self):
        return NOW - timedelta(days=self.ago)


said = st.builds(
    Said,
    what=st.sampled_from([*STOPS, *OWN_RETURNS, *OWN_RETURNS, *OTHERS]),
    ago=st.integers(0, LAST),
)
histories = st.lists(said, min_size=1, max_size=8)


def person():
    return consent.get_or_add(PHONE, now=NOW)


def opt_in(brand, one, *, source, basis=Basis.EXPRESS_WRITTEN, expires_at=None):
    consent.opt_in(
        person(), brand=brand, purposes=[Purpose.MARKETING], basis=basis, source=source, proof=PROOF,
        occurred_at=one.at, now=NOW, expires_at=expires_at,
    )  # fmt: skip


def opt_out(brand, one, *, source, purposes=("*",)):
    consent.opt_out(person(), brand=brand, source=source, occurred_at=one.at, now=NOW, purposes=purposes)


def imported(brand, one):
    claimed = ContactImport.objects.create(
        filename="people.csv", sha256="0" * 64, size=1, brand=brand, purpose=Purpose.MARKETING,
        basis=Basis.EXPRESS_WRITTEN, consent_obtained_at=one.at, consent_method="paper", consent_wording="yes",
        consent_source="Fair",
    )  # fmt: skip
    with transaction.atomic():
        locked = consent.lock([person().pk])[0]
        factories.claimed([(locked.subscriber_key, locked.phone)], claimed, now=NOW)


def doubt(brand, one):
    consent.hold(person(), brand=brand, inbound_id=None, said_at=one.at, now=NOW)


def released(brand, one):
    for hold in Hold.objects.filter(closed_at=None):
        consent.release(hold, contact=person(), by="ann", now=NOW)


def confirm(brand, one):
    consent.confirm(
        person(), brand=brand, purposes=[Purpose.MARKETING], source=ConsentSource.TEXT, proof=PROOF,
        occurred_at=one.at, now=NOW,
    )  # fmt: skip


VERBS = {
    "stop": lambda b, one: opt_out(b, one, source=ConsentSource.TEXT),
    "admin": lambda b, one: opt_out(b, one, source=ConsentSource.ADMIN),
    "complaint": lambda b, one: opt_out(None, one, source=ConsentSource.COMPLAINT),
    "carrier": lambda b, one: opt_out(b, one, source=ConsentSource.CARRIER),
    "api_stop": lambda b, one: opt_out(b, one, source=ConsentSource.VERBAL),
    "stop_all": lambda b, one: opt_out(None, one, source=ConsentSource.WEB_FORM),
    "stop_marketing": lambda b, one: opt_out(b, one, source=ConsentSource.TEXT, purposes=("marketing",)),
    "start": lambda b, one: consent.resume(person(), brand=b, proof=PROOF, occurred_at=one.at, now=NOW),
    "join": lambda b, one: opt_in(b, one, source=ConsentSource.TEXT),
    "link": lambda b, one: opt_in(b, one, source=ConsentSource.LINK),
    "short_join": lambda b, one: opt_in(b, one, source=ConsentSource.API, expires_at=one.at + timedelta(days=2)),
    "import": imported,
    "api_opt_in": lambda b, one: opt_in(b, one, source=ConsentSource.API),
    "form": lambda b, one: opt_in(b, one, source=ConsentSource.WEB_FORM),
    "confirm": confirm,
    "doubt": doubt,
    "released": released,
    "expire": lambda b, one: lapsing.run(now=NOW, is_late=lambda: False),
    "inbound": lambda b, one: Contact.objects.filter(pk=person().pk).update(last_inbound_at=one.at),
}


def tell(history):
    brand = Brand.objects.get_or_create(slug="acme", defaults={"name": "Acme"})[0]
    for one in history:
        VERBS[one.what](brand, one)
    return brand


def verdict(brand):
    context = facts.Context(purpose=Purpose.MARKETING, brand_id=brand.pk, brand_name=brand.name)
    return permission.judge(gathering.facts_about(person(), context=context, at=AFTER), AFTER)


def may(brand):
    """Only what consent says counts here: quiet hours put off, they do not forbid."""
    return verdict(brand).outcome != "blocked"


def standing():
    """The current state of the phone, by what was said and not by the numbers of events."""
    states = ConsentState.objects.order_by("purpose").values_list(
        "purpose", "is_active", "basis", "occurred_at", "expires_at", "is_confirmed", "is_proven"
    )
    suppressed = Suppression.objects.filter(lifted_by=None).order_by("purpose", "brand")
    return list(states), [(one.brand_id is None, one.purpose, one.source, one.since) for one in suppressed]


class Undone(Exception):
    pass


def each_alone(test):
    """Every example begins with an empty desk."""

    def run(*arguments):
        try:
            with transaction.atomic():
                test(*arguments)
                raise Undone
        except Undone:
            pass

    return run


many = settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)  # fmt: skip


@given(histories)
@many
@example([Said("join", 5), Said("stop", 3), Said("start", 3)])
@example([Said("join", 5), Said("stop", 3), Said("import", 0), Said("form", 0)])
@example([Said("start", 1), Said("stop", 1), Said("join", 1)])
def test_nothing_goes_out_after_an_opt_out_without_a_later_act_of_the_person(history):
    @each_alone
    def check():
        brand = tell(history)
        stops = [one.at for one in history if one.what in STOPS]
        returns = [one.at for one in history if one.what in OWN_RETURNS]
        if stops and may(brand):
            assert returns
            assert max(returns) > max(stops)  # a tie is an opt-out

    check()


@given(histories)
@many
def test_what_an_employee_or_a_complaint_says_is_lifted_by_nobody(history):
    @each_alone
    def check():
        brand = tell(history)
        if any(one.what in NEVER_LIFTED for one in history):
            assert not may(brand)

    check()


@given(histories)
@many
def test_nobody_is_written_to_who_never_agreed(history):
    @each_alone
    def check():
        brand = tell(history)
        if may(brand):
            assert {"join", "link", "import", "api_opt_in", "form", "short_join"} & {one.what for one in history}

    check()


@given(histories)
@many
def test_replaying_the_ledger_gives_the_current_state(history):
    @each_alone
    def check():
        tell(history)
        before = standing()
        assert rebuilding.first_difference() is None
        assert chain.first_break() is None
        ConsentState.objects.all().delete()
        Suppression.objects.all().delete()
        rebuilding.rebuild()
        assert standing() == before

    check()


# These act on what is there at the moment, so when they come is what they say.
BY_ARRIVAL = {"released", "expire", "inbound"}
timed = st.lists(said.filter(lambda one: one.what not in BY_ARRIVAL), min_size=2, max_size=6)


@given(timed.flatmap(lambda history: st.tuples(st.just(history), st.permutations(history))))
@many
def test_the_order_of_arrival_is_nothing_only_when_it_was_said(both):
    @each_alone
    def check():
        ends = []
        for history in both:
            try:
                with transaction.atomic():
                    brand = tell(distinct(history, of=both[0]))
                    ends.append((may(brand), verdict(brand).code, is_held()))
                    raise Undone
            except Undone:
                pass
        assert ends[0] == ends[1]

    check()


def distinct(history, *, of):
    """Two opt-ins of the same instant are told apart by arrival alone; here each instant has one of a kind."""
    kept = {}
    for one in of:
        kept.setdefault((one.ago, one.what in STOPS), one)
    return [one for one in dict.fromkeys(history) if kept[one.ago, one.what in STOPS] == one]


def is_held():
    return Hold.objects.filter(closed_at=None).exists()


@given(histories)
@many
def test_an_erased_person_is_not_written_to_before_they_join_again(history):
    @each_alone
    def check():
        tell([replace(one, ago=one.ago + 1) for one in history])
        erasure.erase(person(), by=factories.user(), actor="ann", reason="asked", now=NOW)
        brand = tell([Said("import", 0), Said("api_opt_in", 0), Said("form", 0)])
        assert not may(brand)
        assert rebuilding.first_difference() is None
        assert chain.first_break() is None

    check()


@given(histories)
@many
def test_a_doubt_is_answered_by_nothing_but_a_person_or_a_later_word_from_the_phone(history):
    @each_alone
    def check():
        brand = tell(history)
        doubts = [one.at for one in history if one.what == "doubt"]
        if not doubts or any(one.what == "released" for one in history):
            return
        answers = [one.at for one in history if one.what in (*OWN_RETURNS, *STOPS) and one.what != "stop_marketing"]
        if not any(answer >= max(doubts) for answer in answers):
            assert is_held()
            assert not may(brand)

    check()


def test_the_second_opinion_is_not_vacuous():
    """Histories that end allowed are reached, through an opt-out too."""
    brand = tell([Said("join", 5), Said("stop", 3), Said("start", 1)])
    assert may(brand)
    assert settling.events_of([PHONE.subscriber_key])
