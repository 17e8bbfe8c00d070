"""Consent and suppression: whatever the order in which events arrive, the person's last word counts."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from contacts import chain, consent, facts, gathering, permission, rebuilding, statements
from contacts.models import (
    Basis,
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    EventKind,
    Hold,
    Purpose,
    Suppression,
)
from smsdesk import phones
from smsdesk.errors import Invalid, WrongState
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
MARKETING = Purpose.MARKETING
PROOF = consent.Proof(wording="Acme: text JOIN to get offers", method="keyword", act="texted JOIN")


def days_ago(days):
    return NOW - timedelta(days=days)


@pytest.fixture
def brand():
    return factories.brand(name="Acme")


@pytest.fixture
def person():
    return factories.contact("+12125550123")


def opt_in(
    person,
    brand,
    *,
    at=NOW,
    basis=Basis.EXPRESS_WRITTEN,
    source=ConsentSource.TEXT,
    purposes=(MARKETING,),
    proof=PROOF,
    expires_at=None,
):
    return consent.opt_in(
        person, brand=brand, purposes=purposes, basis=basis, source=source, proof=proof,
        occurred_at=at, now=NOW, expires_at=expires_at,
    )  # fmt: skip


def opt_out(person, brand, *, at=NOW, source=ConsentSource.TEXT, purposes=("*",)):
    return consent.opt_out(person, brand=brand, source=source, occurred_at=at, now=NOW, purposes=purposes)


def start(person, brand, *, at=NOW):
    return consent.resume(person, brand=brand, proof=PROOF, occurred_at=at, now=NOW)


def state(person, purpose=MARKETING):
    return ConsentState.objects.get(subscriber_key=person.subscriber_key, purpose=purpose)


def suppressions(person):
    standing = Suppression.objects.filter(subscriber_key=person.subscriber_key, lifted_by=None)
    return sorted(standing.values_list("brand", "purpose"), key=str)


def imported(person, brand, *, at=NOW, wording="Acme may text me", basis=Basis.EXPRESS_WRITTEN):
    declared = ContactImport.objects.create(
        filename="people.csv", sha256="0" * 64, size=1, brand=brand, purpose=MARKETING, basis=basis,
        consent_obtained_at=at, consent_method="paper", consent_wording=wording, consent_source="Fair in May",
    )  # fmt: skip
    with transaction.atomic():
        return factories.claimed([(person.subscriber_key, person.phone)], declared, now=NOW)


def verdict(person, brand, purpose=MARKETING):
    context = facts.Context(purpose=purpose, brand_id=brand.pk, brand_name=brand.name)
    return permission.judge(gathering.facts_about(person, context=context, at=NOW), NOW).code


# --- opt-in and opt-out ---------------------------------------------------------------------------------


def test_an_opt_in_with_proof_lets_marketing_through(person, brand):
    event = opt_in(person, brand)
    assert (event.kind, event.seq, event.evidence.document["act"]) == ("opt_in", 1, "texted JOIN")
    assert verdict(person, brand) == "OK"


def test_an_opt_in_without_wording_is_recorded_and_proves_nothing(person, brand):
    opt_in(person, brand, proof=consent.Proof(wording="  ", method="api", act="ticked"))
    assert verdict(person, brand) == "CONSENT_NO_PROOF"


def test_consent_for_a_time_runs_out(person, brand):
    opt_in(person, brand, at=days_ago(3), expires_at=days_ago(1))
    assert verdict(person, brand) == "CONSENT_EXPIRED"


def test_stop_covers_every_purpose_of_the_brand_and_no_other_brand(person, brand):
    other = factories.brand(name="Other")
    opt_in(person, brand, at=days_ago(2))
    opt_in(person, other, at=days_ago(2))
    opt_out(person, brand)
    assert [verdict(person, brand, p) for p in (MARKETING, "transactional", "conversational")] == ["SUPPRESSED"] * 3
    assert verdict(person, other) == "OK"


def test_coming_back_to_one_brand_does_not_free_the_others(person, brand):
    other = factories.brand(name="Other")
    opt_out(person, None, source=ConsentSource.WEB_FORM, at=days_ago(2))
    opt_in(person, brand, source=ConsentSource.LINK, at=days_ago(1))
    imported(person, other)
    assert (verdict(person, brand), verdict(person, other)) == ("OK", "SUPPRESSED")


def test_an_opt_out_of_every_brand_ends_every_consent(person, brand):
    opt_in(person, brand, at=days_ago(2))
    opt_out(person, None, source=ConsentSource.COMPLAINT)
    assert suppressions(person) == [(None, "*")]
    assert not state(person).is_active


def test_stop_twice_is_two_events_and_one_suppression(person, brand):
    opt_out(person, brand, at=days_ago(1))
    opt_out(person, brand)
    assert ConsentEvent.objects.count() == 2
    standing = Suppression.objects.get()
    assert standing.since == days_ago(1)


def test_the_database_allows_one_standing_suppression_per_scope(person, brand):
    event = opt_out(person, brand)
    values = {
        "subscriber_key": person.subscriber_key,
        "purpose": "*",
        "source": "text",
        "since": NOW,
        "event": event,
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        Suppression.objects.create(brand=brand, **values)
    Suppression.objects.create(brand=None, **values)
    with pytest.raises(IntegrityError), transaction.atomic():
        Suppression.objects.create(brand=None, **values)


def test_an_opt_out_of_marketing_leaves_order_messages(person, brand):
    opt_in(person, brand, at=days_ago(2), basis=Basis.EXPRESS, purposes=[MARKETING, Purpose.TRANSACTIONAL])
    opt_out(person, brand, purposes=["marketing"])
    assert verdict(person, brand) == "SUPPRESSED"
    assert state(person, Purpose.TRANSACTIONAL).is_active


def test_a_carriers_word_is_told_apart(person, brand):
    opt_out(person, brand, source=ConsentSource.CARRIER)
    assert verdict(person, brand) == "SUPPRESSED_PROVIDER"


def test_a_stop_dated_later_than_now_counts_now(person, brand):
    assert opt_out(person, brand, at=NOW + timedelta(hours=3)).occurred_at == NOW


@pytest.mark.parametrize("at", [NOW + timedelta(minutes=6), datetime(2026, 11, 1)])
def test_consent_of_the_future_or_of_no_zone_is_refused(person, brand, at):
    with pytest.raises(Invalid) as refused:
        opt_in(person, brand, at=at)
    assert refused.value.field == "occurred_at"
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize("purposes", [[], ["compliance"], ["*"], ["news\x00\ud800"]])
def test_purposes_nobody_can_agree_to_are_refused(person, brand, purposes):
    with pytest.raises(Invalid) as refused:
        opt_in(person, brand, purposes=purposes)
    assert refused.value.field == "purposes"


def test_a_proof_with_nul_and_lone_surrogates_is_kept_readable(person, brand):
    wild = consent.Proof(wording="Acme\x00 \ud800offers" + "x" * 20_000, method="api", act="ti\x00cked")
    event = opt_in(person, brand, proof=wild)
    event.evidence.refresh_from_db()
    assert event.evidence.document["wording"].startswith("Acme offers")
    assert len(event.evidence.document["wording"]) <= 10_000


# --- coming back ----------------------------------------------------------------------------------------


def test_start_resumes_marketing_on_complete_express_written_consent(person, brand):
    opt_in(person, brand, at=days_ago(9))
    opt_out(person, brand, at=days_ago(5))
    event = start(person, brand)
    assert verdict(person, brand) == "OK"
    assert Suppression.objects.get().lifted_by == event


@pytest.mark.parametrize(
    ("basis", "proof"),
    [(Basis.EXPRESS, PROOF), (Basis.EXPRESS_WRITTEN, consent.Proof(wording="", method="api", act="x"))],
)
def test_start_resumes_no_marketing_on_less(person, brand, basis, proof):
    opt_in(person, brand, at=days_ago(9), basis=basis, proof=proof)
    opt_out(person, brand, at=days_ago(5))
    start(person, brand)
    assert suppressions(person) == []
    assert not state(person).is_active


def test_start_of_somebody_unknown_grants_nothing(person, brand):
    start(person, brand)
    assert verdict(person, brand) == "NO_CONSENT"


def test_an_opt_in_by_text_lifts_their_own_stop(person, brand):
    opt_out(person, brand, at=days_ago(5))
    opt_in(person, brand)
    assert verdict(person, brand) == "OK"


def test_a_weaker_yes_after_stop_revives_the_stronger_consent(person, brand):
    opt_in(person, brand, at=days_ago(9))
    opt_out(person, brand, at=days_ago(5))
    opt_in(person, brand, basis=Basis.EXPRESS)
    assert (state(person).basis, state(person).is_active) == (Basis.EXPRESS_WRITTEN, True)


def test_an_opt_in_for_orders_only_leaves_marketing_suppressed(person, brand):
    opt_out(person, brand, at=days_ago(5))
    opt_in(person, brand, basis=Basis.EXPRESS, purposes=[Purpose.TRANSACTIONAL])
    assert suppressions(person) == [(brand.pk, "marketing")]
    assert verdict(person, brand, Purpose.TRANSACTIONAL) == "OK"


@pytest.mark.parametrize("source", [ConsentSource.COMPLAINT, ConsentSource.ADMIN, ConsentSource.VERBAL])
def test_start_does_not_lift_a_complaint_or_an_employees_entry(person, brand, source):
    opt_in(person, brand, at=days_ago(9))
    opt_out(person, brand, at=days_ago(5), source=source)
    start(person, brand, at=days_ago(4))
    opt_in(person, brand)
    assert verdict(person, brand) == "SUPPRESSED"
    assert not state(person).is_active


def test_a_complaint_after_a_stop_makes_it_stand(person, brand):
    opt_out(person, brand, at=days_ago(5))
    opt_out(person, brand, at=days_ago(4), source=ConsentSource.COMPLAINT)
    start(person, brand)
    assert Suppression.objects.get(lifted_by=None).source == ConsentSource.COMPLAINT


@pytest.mark.parametrize("source", [s for s in ConsentSource if s not in (ConsentSource.TEXT, ConsentSource.LINK)])
def test_only_the_persons_own_act_lifts(person, brand, source):
    opt_out(person, brand, at=days_ago(5))
    opt_in(person, brand, source=source)
    assert verdict(person, brand) == "SUPPRESSED"
    assert not state(person).is_active


def test_an_import_never_lifts_and_never_revives(person, brand):
    opt_out(person, brand, at=days_ago(5))
    assert imported(person, brand, at=days_ago(1)) == 1
    assert verdict(person, brand) == "SUPPRESSED"
    assert not state(person).is_active


# --- imports --------------------------------------------------------------------------------------------


def test_an_import_with_proof_is_consent(person, brand):
    assert imported(person, brand, at=days_ago(30)) == 1
    event = ConsentEvent.objects.get()
    assert (event.kind, event.source, event.occurred_at) == ("import", "import", days_ago(30))
    assert verdict(person, brand) == "OK"


def test_an_import_without_wording_or_date_proves_nothing(person, brand):
    imported(person, brand, wording="")
    assert verdict(person, brand) == "CONSENT_NO_PROOF"
    other = factories.contact()
    imported(other, brand, at=None)
    assert verdict(other, brand) == "CONSENT_NO_PROOF"


def test_unproven_imports_never_carry_marketing(person, brand):
    imported(person, brand, basis=Basis.UNPROVEN)
    assert verdict(person, brand) == "CONSENT_TOO_WEAK"


def test_an_opt_out_dated_after_an_imported_consent_ends_it(person, brand):
    opt_out(person, brand, at=days_ago(5), purposes=["marketing"])
    start(person, brand, at=days_ago(4))
    opt_out(person, brand, at=days_ago(3))
    imported(person, brand, at=days_ago(10))
    assert not state(person).is_active


def test_the_same_file_twice_is_one_event(person, brand):
    assert imported(person, brand, at=days_ago(30)) == 1
    assert imported(person, brand, at=days_ago(30)) == 0


def test_a_weaker_import_does_not_spoil_what_the_person_said(person, brand):
    opt_in(person, brand, at=days_ago(9))
    imported(person, brand, wording="", basis=Basis.UNPROVEN)
    assert verdict(person, brand) == "OK"


def test_an_import_of_many_takes_few_queries(brand, django_assert_max_num_queries):
    people = [factories.contact() for _ in range(120)]
    declared = ContactImport.objects.create(
        filename="people.csv", sha256="0" * 64, size=1, brand=brand, purpose=MARKETING, basis=Basis.EXPRESS_WRITTEN,
        consent_obtained_at=days_ago(1), consent_method="paper", consent_wording="yes", consent_source="Fair",
    )  # fmt: skip
    rows = [(one.subscriber_key, one.phone) for one in people]
    with django_assert_max_num_queries(16), transaction.atomic():
        assert factories.claimed(rows, declared, now=NOW) == 120


def test_a_file_that_claims_no_consent_records_none(person):
    declared = ContactImport.objects.create(filename="people.csv", sha256="0" * 64, size=1)
    with transaction.atomic():
        assert factories.claimed([(person.subscriber_key, "")], declared, now=NOW) == 0


# --- order ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_stop_start_stop_within_a_second_ends_opted_out_in_every_order(person, brand, order):
    opt_in(person, brand, at=days_ago(9))
    moments = [
        lambda: opt_out(person, brand, at=NOW - timedelta(milliseconds=900)),
        lambda: start(person, brand, at=NOW - timedelta(milliseconds=500)),
        lambda: opt_out(person, brand, at=NOW - timedelta(milliseconds=100)),
    ]
    for number in order:
        moments[number]()
    assert verdict(person, brand) == "SUPPRESSED"
    assert not state(person).is_active
    assert ConsentEvent.objects.count() == 4


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_start_and_stop_at_the_same_instant_is_opted_out(person, brand, order):
    opt_in(person, brand, at=days_ago(9))
    moments = [lambda: opt_out(person, brand), lambda: start(person, brand)]
    for number in order:
        moments[number]()
    assert suppressions(person) == [(brand.pk, "*")]
    assert not state(person).is_active


def test_a_late_stop_from_before_a_start_is_recorded_and_does_not_suppress(person, brand):
    opt_in(person, brand, at=days_ago(9))
    start(person, brand, at=days_ago(2))
    opt_out(person, brand, at=days_ago(3))
    assert suppressions(person) == []
    assert verdict(person, brand) == "OK"
    assert ConsentEvent.objects.count() == 3


def test_a_late_old_opt_in_does_not_beat_a_later_stop(person, brand):
    opt_out(person, brand, at=days_ago(2))
    opt_in(person, brand, at=days_ago(3))
    assert verdict(person, brand) == "SUPPRESSED"
    assert not state(person).is_active


# --- one handset, one row -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"), [("+5491123456789", "+541123456789"), ("+5215512345678", "+525512345678")]
)
def test_a_stop_from_an_alias_form_suppresses_the_handset(brand, one, other):
    first, second = (consent.get_or_add(phones.parse(n, default_region="US"), now=NOW) for n in (one, other))
    opt_out(first, brand)
    assert first == second
    assert verdict(second, brand) == "SUPPRESSED"


def test_a_suppression_outlives_the_contact(person, brand):
    opt_out(person, brand)
    person.delete()
    again = consent.get_or_add(phones.parse("+12125550123", default_region="US"), now=NOW)
    assert verdict(again, brand) == "SUPPRESSED"


def test_a_stop_counts_although_the_contact_was_deleted_meanwhile(person, brand):
    Contact.objects.filter(pk=person.pk).delete()
    opt_out(person, brand)
    assert suppressions(person) == [(brand.pk, "*")]


# --- holds ----------------------------------------------------------------------------------------------


def hold(person, brand, *, at=NOW, now=NOW):
    return consent.hold(person, brand=brand, inbound_id=None, said_at=at, now=now)


def confirm_hold(held, person):
    return consent.confirm_hold(held, contact=person, by="ann", note="read by a person", now=NOW)


def is_held(person):
    return Hold.objects.filter(subscriber_key=person.subscriber_key, closed_at=None).exists()


def test_a_hold_stops_everything_but_replies(person, brand):
    opt_in(person, brand)
    hold(person, brand)
    assert verdict(person, brand) == "HELD_FOR_REVIEW"
    assert verdict(person, brand, Purpose.CONVERSATIONAL) == "CONVERSATION_CLOSED"


def test_a_second_doubt_keeps_the_one_hold_and_its_clock(person, brand):
    first = hold(person, brand, at=days_ago(3), now=days_ago(3))
    again = hold(person, brand, at=days_ago(1), now=days_ago(1))
    assert first == again
    assert (again.opened_at, again.said_at) == (days_ago(3), days_ago(1))
    assert ConsentEvent.objects.filter(kind=EventKind.HOLD).count() == 1


def test_each_brand_has_a_hold_of_its_own_and_any_of_them_stops_all(person, brand):
    other = factories.brand(name="Other")
    opt_in(person, other, at=days_ago(9))
    held = hold(person, brand)
    hold(person, other)
    consent.release(held, contact=person, by="ann", now=NOW)
    assert verdict(person, other) == "HELD_FOR_REVIEW"


@pytest.mark.parametrize("scope", ["brand", None])
def test_the_database_allows_one_open_hold_per_phone_and_brand(person, brand, scope):
    values = {"subscriber_key": person.subscriber_key, "said_at": NOW, "opened_at": NOW}
    values["brand"] = brand if scope else None
    Hold.objects.create(**values)
    with pytest.raises(IntegrityError), transaction.atomic():
        Hold.objects.create(**values)


def test_a_release_lets_messages_through_again(person, brand):
    opt_in(person, brand)
    held = hold(person, brand)
    consent.release(held, contact=person, by="ann", now=NOW)
    assert (held.closed_by, held.was_opt_out) == ("ann", False)
    assert verdict(person, brand) == "OK"
    assert list(consent.history(person.subscriber_key).values_list("kind", flat=True)) == [
        EventKind.RELEASE, EventKind.HOLD, EventKind.OPT_IN,
    ]  # fmt: skip


def test_a_confirmed_hold_is_an_opt_out_of_the_moment_it_was_written(person, brand):
    held = hold(person, brand, at=days_ago(2), now=days_ago(1))
    event = confirm_hold(held, person)
    assert (event.kind, event.occurred_at, event.actor) == ("opt_out", days_ago(2), "ann")
    with pytest.raises(WrongState, match="by ann: an opt-out"):
        consent.release(held, contact=person, by="bob", now=NOW)


def test_a_decision_on_an_old_hold_does_not_touch_a_newer_one(person, brand):
    old = hold(person, brand, at=days_ago(2), now=days_ago(2))
    stale = Hold.objects.get(pk=old.pk)
    consent.release(old, contact=person, by="ann", now=days_ago(1))
    hold(person, brand)
    with pytest.raises(WrongState):
        confirm_hold(stale, person)
    assert is_held(person)


# What the person said about it, before or after it arrives, answers the doubt; what else was said does not.
# (what, days ago) of a doubt of two days ago → what is left: opted out, held, or neither
ANSWERS = [
    (lambda p, b: opt_out(p, b, at=days_ago(1)), "opted out"),
    (lambda p, b: opt_out(p, b, at=days_ago(2)), "opted out"),
    (lambda p, b: opt_out(p, b, at=days_ago(1), source=ConsentSource.ADMIN), "opted out"),
    (lambda p, b: opt_out(p, None, at=days_ago(1)), "opted out"),
    (lambda p, b: opt_out(p, b, at=days_ago(3)), "held"),
    (lambda p, b: opt_out(p, b, at=days_ago(1), purposes=["marketing"]), "held"),
    (lambda p, b: opt_out(p, factories.brand(), at=days_ago(1)), "held"),
    (lambda p, b: start(p, b, at=days_ago(1)), "free"),
    (lambda p, b: start(p, b, at=days_ago(2)), "held"),
    (lambda p, b: start(p, factories.brand(), at=days_ago(1)), "held"),
    (lambda p, b: opt_in(p, b, at=days_ago(1)), "free"),
    (lambda p, b: opt_in(p, b, at=days_ago(1), purposes=[Purpose.TRANSACTIONAL]), "held"),
    (lambda p, b: opt_in(p, b, at=days_ago(1), source=ConsentSource.WEB_FORM), "held"),
    (lambda p, b: opt_in(p, b, at=days_ago(1), source=ConsentSource.API), "held"),
    (lambda p, b: opt_in(p, b, at=days_ago(1), source=ConsentSource.LINK), "free"),
    (lambda p, b: imported(p, b, at=days_ago(1)), "held"),
]


@pytest.mark.parametrize(("says", "left"), ANSWERS)
@pytest.mark.parametrize("order", ["doubt first", "answer first"])
def test_a_later_word_of_the_person_answers_the_doubt_in_either_order(person, brand, says, left, order):
    steps = [lambda: hold(person, brand, at=days_ago(2)), lambda: says(person, brand)]
    for step in steps if order == "doubt first" else reversed(steps):
        step()
    assert is_held(person) == (left == "held")
    if left == "opted out":
        assert verdict(person, brand) in ("SUPPRESSED", "SUPPRESSED_PROVIDER")


def test_a_stop_that_answers_a_doubt_is_written_on_it(person, brand):
    held = hold(person, brand, at=days_ago(2))
    opt_out(person, brand)
    held.refresh_from_db()
    assert (held.was_opt_out, held.closed_by) == (True, "the person")


def test_a_start_that_answers_a_doubt_is_in_the_ledger_as_a_release(person, brand):
    held = hold(person, brand, at=days_ago(2))
    start(person, brand)
    held.refresh_from_db()
    assert (held.was_opt_out, held.closed_by) == (False, "the person")
    assert ConsentEvent.objects.filter(kind=EventKind.RELEASE, brand=brand, actor="").exists()


# --- double opt-in --------------------------------------------------------------------------------------


def test_the_second_yes_confirms(person, brand):
    opt_in(person, brand, at=days_ago(1))
    assert not state(person).is_confirmed
    consent.confirm(
        person, brand=brand, purposes=[MARKETING], source=ConsentSource.TEXT, proof=PROOF, occurred_at=NOW, now=NOW
    )
    assert state(person).is_confirmed


def test_a_second_yes_after_stop_confirms_nothing(person, brand):
    opt_in(person, brand, at=days_ago(3))
    opt_out(person, brand, at=days_ago(2))
    consent.confirm(
        person, brand=brand, purposes=[MARKETING], source=ConsentSource.TEXT, proof=PROOF, occurred_at=NOW, now=NOW
    )
    assert (state(person).is_active, state(person).is_confirmed) == (False, False)


def test_a_new_contact_is_dated_by_the_callers_clock():
    made = consent.get_or_add(phones.parse("+12125550177", default_region="US"), now=days_ago(3))
    made.refresh_from_db()
    assert (made.created_at, made.country) == (days_ago(3), "US")


# --- facts ------------------------------------------------------------------------------------------------


def test_a_stored_number_that_cannot_get_texts_is_judged_as_such(person, brand):
    person.phone = "+18005550123"  # the numbering plan has made it one since
    assert verdict(person, brand) == "NUMBER_NOT_MOBILE"


def test_a_marketing_text_without_a_way_out_is_kept_back(person, brand):
    opt_in(person, brand)
    context = facts.Context(purpose=MARKETING, brand_id=brand.pk, brand_name=brand.name)
    about = gathering.facts_about(person, context=context, at=NOW, body="Acme: 10 % off")
    assert permission.judge(about, NOW).code == "CONTENT_NO_OPTOUT"


# --- a new owner of the number, and where a person says they live ----------------------------------------


def test_a_new_owner_ends_consent_until_they_agree_themselves(person, brand):
    opt_in(person, brand, at=days_ago(3))
    consent.reassign(person, source=ConsentSource.API, now=days_ago(2))
    assert verdict(person, brand) == "NUMBER_REASSIGNED"
    opt_in(person, brand, at=days_ago(1))
    assert verdict(person, brand) == "OK"


def test_a_new_owner_is_no_opt_out(person, brand):
    opt_in(person, brand, at=days_ago(3))
    consent.reassign(person, source=ConsentSource.API, now=NOW)
    assert suppressions(person) == []
    assert rebuilding.first_difference() is None


def test_a_zone_the_person_stated_replaces_those_of_the_number(person, brand):
    opt_in(person, brand)
    event = statements.time_zone(
        person, zone="Asia/Tokyo", quote="lives in Osaka now, said so on the phone", by="ann", now=NOW
    )
    person.refresh_from_db()
    assert (person.time_zone, person.time_zone_source) == ("Asia/Tokyo", "stated")
    assert (event.actor, event.evidence.document["quote"][:5]) == ("ann", "lives")
    assert verdict(person, brand) == "QUIET_HOURS"  # two in the morning there
    assert chain.first_break() is None


@pytest.mark.parametrize(("zone", "quote"), [("", "said so"), ("Asia/Tokyo", " \0 "), ("Mars/Base", "said so")])
def test_a_statement_needs_a_zone_and_words(person, zone, quote):
    with pytest.raises(Invalid):
        statements.time_zone(person, zone=zone, quote=quote, by="ann", now=NOW)
    assert not ConsentEvent.objects.exists()
