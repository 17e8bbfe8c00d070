"""Rules of segments: what they may say, whom they fit, and that it is one query."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contacts import bases
from contacts.models import Contact, ContactList, Segment
from contacts.segments import keeping, kinds, rules
from smsdesk.errors import Conflict, Invalid
from tests import factories, segment_people
from tests.factories import NOW

pytestmark = pytest.mark.django_db

BOUNDED = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
US = {"kind": "country", "operator": "is_any_of", "values": ["US"]}


def rule(*conditions, match="all"):
    return {"match": match, "conditions": list(conditions)}


def fitting(given_rule, *, at=NOW):
    return set(rules.people(given_rule, at=at).values_list("pk", flat=True))


# --- The same answer as plain Python --------------------------------------------------------------------


@pytest.fixture
def people(db):
    return segment_people.People(seed=7)


def value_of(param, people):
    """A strategy for what this param may be given."""
    texts = st.sampled_from([*segment_people.WORDS, "a", "an", "id-", "Lee"])
    choices = {
        "value": texts,
        "days": st.sampled_from([1, 2, 5, 30, 31, 183, 730, 3650]),
        "brand": st.sampled_from([one.pk for one in people.brands]),
        "campaign": st.sampled_from([one.pk for one in people.campaigns]),
        "purpose": st.sampled_from(["marketing", "transactional"]),
        "attribute": st.sampled_from(["city", "born", "nobody_has_it"]),
        "tags": st.lists(st.sampled_from([one.pk for one in people.tags]), min_size=1, max_size=2),
        "lists": st.lists(st.sampled_from([one.pk for one in people.lists]), min_size=1, max_size=2),
    }
    values = {
        "Countries": ["US", "CA", "DE"],
        "States": ["NY", "TX", "CA"],
        "Time zones": ["America/Chicago", "Europe/Paris"],
        "Languages": ["en", "en-GB", "pt"],
    }
    if param.name == "values":
        return st.lists(st.sampled_from(values[param.label]), min_size=1, max_size=2)
    return choices[param.name] if param.is_required else st.none() | choices[param.name]


def condition(people):
    def filled(chosen):
        kind, operator = chosen
        params = {param.name: value_of(param, people) for param in kinds.known()[kind].params_of(operator)}
        return st.fixed_dictionaries({"kind": st.just(kind), "operator": st.just(operator), **params})

    every = [(kind.name, operator) for kind in kinds.known().values() for operator in kind.operators]
    return st.sampled_from(every).flatmap(filled)


def group(inner):
    return st.builds(
        lambda match, parts: {"match": match, "conditions": parts},
        st.sampled_from(["all", "any"]),
        st.lists(inner, min_size=1, max_size=3),
    )


@BOUNDED
@given(chosen=st.data())
def test_the_query_finds_whom_plain_python_finds(chosen, people):
    single = condition(people)
    drawn = chosen.draw(group(single | group(single | group(single))))
    found = people.fitting(drawn)
    assert fitting(drawn) == found
    everybody = {person.pk for person in people.contacts}
    left = set(Contact.objects.exclude(rules.where(drawn, at=NOW)).values_list("pk", flat=True))
    assert left == everybody - found, "a rule must also be sound the other way round: nobody is in neither"


def test_each_operator_of_each_kind_agrees_with_plain_python(people):
    for kind in kinds.known().values():
        for operator in kind.operators:
            chosen = {"kind": kind.name, "operator": operator}
            for param in kind.params_of(operator):
                if param.is_required:
                    chosen[param.name] = _sample(param, people)
            found = people.fitting(rule(chosen))
            assert fitting(rule(chosen)) == found, chosen


def _sample(param, people):
    samples = {
        "value": "an",
        "days": 30,
        "brand": people.brands[0].pk,
        "purpose": "marketing",
        "attribute": "born" if param.label == "Attribute" else "city",
        "lists": [people.lists[0].pk],
        "tags": [people.tags[0].pk],
        "values": {"Countries": ["US"], "States": ["NY"], "Languages": ["en"]}.get(param.label, ["Europe/Paris"]),
    }
    return samples[param.name]


@given(
    given_at=st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2027, 1, 1)),
    days=st.integers(-3, 3),
    seconds=st.sampled_from([-1, 0, 1, 43_200]),
)
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_consent_that_ages_is_over_in_a_query_exactly_when_it_is_over(given_at, days, seconds):
    given_at = given_at.replace(tzinfo=UTC)
    for basis in bases.LIFE_IN_MONTHS:
        ends = bases.ends_at(basis, given_at)
        at = ends + timedelta(days=days, seconds=seconds)
        spans = bases.spans_run_out(basis, at)
        assert any((first is None or first <= given_at) and given_at <= last for first, last in spans) == (
            at >= ends
        )


def test_a_rule_is_one_query_without_a_loop(people):
    many = rule(
        US,
        {"kind": "consent", "operator": "has", "brand": people.brands[0].pk, "purpose": "marketing"},
        rule({"kind": "sent", "operator": "did_not", "days": 30}, {"kind": "held", "operator": "is"}, match="any"),
    )
    with CaptureQueriesContext(connection) as captured:
        rules.people(many, at=NOW).count()
    assert len(captured) == 1
    assert captured[0]["sql"].count("EXISTS") == 4  # one for each other table, one for "any of these"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the plan of PostgreSQL")
@BOUNDED
@given(chosen=st.data())
def test_postgresql_joins_every_rule_and_asks_nobody_one_by_one(people, chosen):
    single = condition(people)
    drawn = chosen.draw(group(single | group(single | group(single))))
    plan = rules.people(drawn, at=NOW).values("pk").explain()
    assert "SubPlan" not in plan, f"{drawn}\n{plan}"


# --- What a rule may say ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (None, "rule"),
        ([], "rule"),
        ("all", "rule"),
        ({}, "rule.match"),
        ({"match": "none", "conditions": [US]}, "rule.match"),
        ({"match": ["all"], "conditions": [US]}, "rule.match"),
        ({"match": "all"}, "rule.conditions"),
        ({"match": "all", "conditions": []}, "rule.conditions"),
        ({"match": "all", "conditions": {"0": US}}, "rule.conditions"),
        ({"match": "all", "conditions": [US], "limit": 5}, "rule"),
        (rule(7), "rule.conditions.0"),
        (rule({}), "rule.conditions.0.kind"),
        (rule({"kind": "shoe_size"}), "rule.conditions.0.kind"),
        (rule({"kind": {"a": 1}}), "rule.conditions.0.kind"),
        (rule({"kind": "country"}), "rule.conditions.0.operator"),
        (rule({"kind": "country", "operator": "like"}), "rule.conditions.0.operator"),
        (rule({"kind": "country", "operator": "is_any_of"}), "rule.conditions.0.values"),
        (rule({**US, "values": "US"}), "rule.conditions.0.values"),
        (rule({**US, "values": []}), "rule.conditions.0.values"),
        (rule({**US, "values": ["USA"]}), "rule.conditions.0.values.0"),
        (rule({**US, "values": ["US", 5]}), "rule.conditions.0.values.1"),
        (rule({**US, "values": ["US"] * 101}), "rule.conditions.0.values"),
        (rule({**US, "case": "upper"}), "rule.conditions.0"),
        (rule({"kind": "name", "operator": "is", "value": ""}), "rule.conditions.0.value"),
        (rule({"kind": "name", "operator": "is", "value": "a\x00b"}), "rule.conditions.0.value"),
        (rule({"kind": "name", "operator": "is", "value": "\ud800"}), "rule.conditions.0.value"),
        (rule({"kind": "name", "operator": "is", "value": "a" * 201}), "rule.conditions.0.value"),
        (rule({"kind": "name", "operator": "is_empty", "value": "a"}), "rule.conditions.0"),
        (rule({"kind": "attribute", "operator": "is_empty", "attribute": "A'--"}), "rule.conditions.0.attribute"),
        (rule({"kind": "created", "operator": "in_last", "days": 0}), "rule.conditions.0.days"),
        (rule({"kind": "created", "operator": "in_last", "days": True}), "rule.conditions.0.days"),
        (rule({"kind": "created", "operator": "in_last", "days": 1.5}), "rule.conditions.0.days"),
        (rule({"kind": "created", "operator": "in_last", "days": 10**9}), "rule.conditions.0.days"),
        (rule({"kind": "list", "operator": "on_any_of", "lists": ["VIP"]}), "rule.conditions.0.lists.0"),
        (rule({"kind": "time_zone", "operator": "is_any_of", "values": ["EST"]}), "rule.conditions.0.values.0"),
        (rule(rule(rule(rule(US)))), "rule.conditions.0.conditions.0.conditions.0"),
        (rule(*[US] * 31), "rule.conditions"),
        (rule(rule(*[US] * 16), rule(*[US] * 16)), "rule"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused_by_its_place_with_a_cure(wrong, field):
    with pytest.raises(Invalid) as refused:
        rules.parse(wrong)
    assert refused.value.field == field
    assert refused.value.cure


def test_groups_may_be_nested_twice():
    assert fitting(rule(rule(rule(US)))) == set()


def test_values_are_kept_in_one_form():
    kept = rules.stored(rules.parse(rule({**US, "values": [" us ", "US", "ca"]})))
    assert kept["conditions"][0]["values"] == ["US", "CA"]


@pytest.mark.parametrize("text", ["%", "_", "\\", "' OR 1=1 --", '"', "%s", "{0}", "😀"])
def test_what_means_something_to_a_database_is_only_text(text):
    person = factories.contact(name=f"x{text}y", attributes={"city": f"x{text}y"})
    factories.contact(name="xay", attributes={"city": "xay"})
    for kind in ({"kind": "name"}, {"kind": "attribute", "attribute": "city"}):
        assert fitting(rule({**kind, "operator": "contains", "value": text})) == {person.pk}
        assert fitting(rule({**kind, "operator": "is", "value": f"x{text}y"})) == {person.pk}


def test_what_is_stored_is_read_again_in_the_api_and_back(people):
    chosen = rule(
        {"kind": "list", "operator": "on_any_of", "lists": [people.lists[0].pk]},
        {"kind": "consent", "operator": "has", "brand": people.brands[0].pk, "purpose": "marketing"},
        {"kind": "replied", "operator": "did", "campaign": people.campaigns[0].pk},
    )
    shown = rules.outward(chosen)
    assert shown["conditions"][0]["lists"] == [people.lists[0].name]
    assert shown["conditions"][1]["brand"] == people.brands[0].slug
    assert shown["conditions"][2]["campaign"] == people.campaigns[0].ref
    assert rules.inward(shown) == chosen


# --- Keeping them ------------------------------------------------------------------------------------------


def test_a_name_is_given_once():
    keeping.add(name="Us", rule=rule(US), by=None)
    with pytest.raises(Conflict, match="already"):
        keeping.add(name=" Us ", rule=rule(US), by=None)
    assert Segment.objects.count() == 1


def test_a_list_that_a_rule_names_is_not_deleted_under_it():
    vip = factories.contact_list(factories.contact())
    segment = keeping.add(
        name="VIP", rule=rule({"kind": "list", "operator": "on_any_of", "lists": [vip.pk]}), by=None
    )
    with transaction.atomic(), pytest.raises(ProtectedError):
        vip.delete()
    keeping.change(segment, values={"rule": rule(US)})
    vip.delete()
    assert not ContactList.objects.exists()


def test_a_list_nobody_has_is_refused():
    with pytest.raises(Invalid, match="is not there"):
        keeping.add(name="X", rule=rule({"kind": "list", "operator": "on_any_of", "lists": [999]}), by=None)


def test_a_rule_that_is_refused_changes_nothing():
    segment = keeping.add(name="Us", rule=rule(US), by=None)
    with pytest.raises(Invalid):
        keeping.change(segment, values={"name": "Other", "rule": {}})
    segment.refresh_from_db()
    assert (segment.name, segment.rule) == ("Us", rule(US))
