"""Consent that has run out: the ledger says so once, dated when it ended, and a renewal goes on."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from contacts import chain, consent, lapsing, rebuilding, tasks
from contacts.models import Basis, ConsentEvent, ConsentSource, ConsentState, EventKind, Purpose
from tests import factories, judging
from tests.factories import NOW

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
PROOF = consent.Proof(wording="Acme texts", method="paper", act="signed")


@pytest.fixture
def brand():
    return factories.brand()


def agree(person, brand, *, at, until=None, basis=Basis.EXPRESS, purposes=(Purpose.MARKETING,), now=None):
    return consent.opt_in(
        person, brand=brand, purposes=purposes, basis=basis, source=ConsentSource.PAPER, proof=PROOF,
        occurred_at=at, now=now or at, expires_at=until,
    )  # fmt: skip


def run(now=NOW):
    assert lapsing.run(now=now, is_late=lambda: False)


def ended():
    rows = ConsentEvent.objects.filter(kind=EventKind.EXPIRE).order_by("seq")
    return [(row.subscriber_key, row.purposes, row.occurred_at) for row in rows]


def active(person):
    rows = ConsentState.objects.filter(subscriber_key=person.subscriber_key, is_active=True)
    return sorted(rows.values_list("purpose", flat=True))


def test_consent_for_a_time_ends_in_the_ledger_at_the_instant_it_ended(brand):
    person = factories.contact()
    agree(person, brand, at=NOW - 9 * DAY, until=NOW - DAY)
    run()
    assert ended() == [(person.subscriber_key, ["marketing"], NOW - DAY)]
    assert active(person) == []
    assert chain.first_break() is None


def test_the_judge_and_the_ledger_agree_on_the_very_instant(brand):
    person = factories.contact(phone="+4915123456789")
    agree(person, brand, at=NOW - 9 * DAY, until=NOW)
    before = judging.may_i(person, brand=brand, purpose=Purpose.MARKETING, at=NOW - timedelta(microseconds=1))
    run(NOW - timedelta(microseconds=1))
    assert (before.code, ended()) == ("OK", [])
    assert judging.may_i(person, brand=brand, purpose=Purpose.MARKETING, at=NOW).code == "CONSENT_EXPIRED"
    run(NOW)
    assert len(ended()) == 1


@pytest.mark.parametrize(
    ("basis", "given", "last"),
    [
        (Basis.IMPLIED_INQUIRY, datetime(2026, 3, 31, 12, tzinfo=UTC), datetime(2026, 9, 30, 12, tzinfo=UTC)),
        (Basis.IMPLIED_PURCHASE, datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2026, 2, 28, 12, tzinfo=UTC)),
    ],
)
def test_implied_consent_ends_by_calendar_months(brand, basis, given, last):
    person = factories.contact()
    agree(person, brand, at=given, basis=basis)
    run(last - timedelta(seconds=1))
    assert ended() == []
    run(last)
    assert [at for _, _, at in ended()] == [last]


def test_a_second_round_adds_nothing(brand):
    agree(factories.contact(), brand, at=NOW - 9 * DAY, until=NOW - DAY)
    run()
    run()
    run(NOW + 300 * DAY)
    assert len(ended()) == 1


def test_purposes_that_end_together_make_one_event_and_others_stay(brand):
    person = factories.contact()
    agree(person, brand, at=NOW - 9 * DAY, until=NOW - DAY, purposes=(Purpose.MARKETING, Purpose.TRANSACTIONAL))
    agree(person, brand, at=NOW - 9 * DAY, purposes=(Purpose.CONVERSATIONAL,))
    run()
    assert [purposes for _, purposes, _ in ended()] == [["marketing", "transactional"]]
    assert active(person) == ["conversational"]


def test_a_renewal_before_the_end_that_is_reported_later_goes_on(brand):
    person = factories.contact()
    agree(person, brand, at=NOW - 9 * DAY, until=NOW - DAY)
    run()
    agree(person, brand, at=NOW - 2 * DAY, now=NOW)
    assert active(person) == ["marketing"]
    run()
    assert (len(ended()), rebuilding.first_difference()) == (1, None)


def test_a_return_after_the_end_revives_nothing_that_had_run_out(brand):
    person = factories.contact()
    agree(person, brand, at=NOW - 9 * DAY, until=NOW - 2 * DAY, basis=Basis.EXPRESS_WRITTEN)
    consent.opt_out(person, brand=brand, source=ConsentSource.TEXT, occurred_at=NOW - 3 * DAY, now=NOW - 3 * DAY)
    consent.resume(person, brand=brand, proof=PROOF, occurred_at=NOW - DAY, now=NOW - DAY)
    run()
    assert active(person) == []


def test_consent_given_for_a_time_that_was_over_ends_as_it_begins(brand):
    person = factories.contact()
    agree(person, brand, at=NOW - 2 * DAY, until=NOW - 9 * DAY)
    run()
    run()
    assert [at for _, _, at in ended()] == [NOW - 2 * DAY]
    assert active(person) == []


def test_many_people_are_ended_piece_by_piece_and_a_late_round_goes_on_where_it_stopped(brand, monkeypatch):
    monkeypatch.setattr(lapsing, "AT_ONCE", 2)
    for _ in range(5):
        agree(factories.contact(), brand, at=NOW - 9 * DAY, until=NOW - DAY)
    looks = iter([False, True])
    assert not lapsing.run(now=NOW, is_late=lambda: next(looks))
    assert len(ended()) == 2
    run()
    assert len(ended()) == 5
    assert rebuilding.first_difference() is None


def test_the_number_of_statements_does_not_grow_with_the_people(brand, django_assert_max_num_queries):
    for _ in range(40):
        agree(factories.contact(), brand, at=NOW - 9 * DAY, until=NOW - DAY)
    with django_assert_max_num_queries(16):
        run()
    assert len(ended()) == 40


def test_the_daily_round_ends_consent(brand):
    past = datetime.now(UTC) - 9 * DAY
    agree(factories.contact(), brand, at=past, until=past + DAY)
    tasks.daily()
    assert len(ended()) == 1


class Histories(TestCase):
    """Whatever happened: after the round nothing is agreed that is over, and replay gives the same."""

    moves = st.lists(
        st.tuples(
            st.sampled_from(["opt_in", "opt_out", "resume", "run"]),
            st.sampled_from([Basis.IMPLIED_INQUIRY, Basis.EXPRESS_WRITTEN, Basis.EXPRESS]),
            st.integers(0, 400),
            st.one_of(st.none(), st.integers(0, 500)),
        ),
        max_size=7,
    )

    @given(moves)
    @settings(max_examples=60, deadline=None)
    def test_replay_equals_state(self, moves):
        person, brand = factories.contact(), factories.brand()
        for what, basis, day, until in moves:
            at = NOW - (400 - day) * DAY
            if what == "opt_in":
                ends = None if until is None else NOW - (400 - until) * DAY
                agree(person, brand, at=at, until=ends, basis=basis, now=NOW)
            elif what == "opt_out":
                consent.opt_out(person, brand=brand, source=ConsentSource.TEXT, occurred_at=at, now=NOW)
            elif what == "resume":
                consent.resume(person, brand=brand, proof=PROOF, occurred_at=at, now=NOW)
            else:
                run()
        run()
        events = ConsentEvent.objects.count()
        run()
        assert ConsentEvent.objects.count() == events
        assert not ConsentState.objects.filter(lapsing.is_over(NOW), is_active=True).exists()
        assert rebuilding.first_difference() is None
