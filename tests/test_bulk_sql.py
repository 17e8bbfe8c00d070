"""Many rows in one statement: the same on both databases."""

import pytest
from django.db import connection

from contacts.models import ConsentState, Contact, ContactList, ListMembership
from smsdesk import bulk_sql
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def member_rows(group, *people):
    return [(group.pk, person.pk, NOW) for person in people]


def test_values_shared_by_all_rows_and_json_come_back_as_they_were():
    people = [factories.contact(f"+1212555010{n}") for n in range(3)]
    values = [({"a": 'quote " and \\ and é'}, "Ann, {x}"), ({}, "Ann, {x}"), ({"b": None}, "Ann, {x}")]

    rows = [(person.pk, *given) for person, given in zip(people, values, strict=True)]
    bulk_sql.update_rows(Contact, columns=("attributes", "name"), rows=rows)

    assert list(Contact.objects.order_by("pk").values_list("attributes", "name")) == values


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite looks a key up by itself")
def test_rows_are_looked_up_by_index_though_the_planner_knows_nothing_of_the_table():
    people = [factories.contact(f"+1212555010{n}") for n in range(3)]
    before = whole_reads(Contact)

    changed = bulk_sql.update_rows(Contact, columns=("name",), rows=[(p.pk, "Ann") for p in people], where="TRUE")

    assert sorted(changed) == [p.pk for p in people]
    assert whole_reads(Contact) == before


def whole_reads(model) -> int:
    """How often this transaction read a table from end to end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = %s", [model._meta.db_table])
        return cursor.fetchone()[0]


def named(first: int):
    """A statement of two values, as `run_prepared` takes it."""
    return ("SELECT name FROM contacts_contact WHERE id = %s AND name <> %s", [first, "Ben"])


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans what it runs")
def test_a_prepared_statement_is_planned_once_for_any_values():
    people = [factories.contact(f"+1212555010{n}", name=name) for n, name in enumerate(("Ann", "Ben", "Cid"))]

    told = [bulk_sql.run_prepared([named(person.pk)]) for person in people]

    assert told == [[[("Ann",)]], [[]], [[("Cid",)]]]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
            ["%SELECT name FROM contacts_contact WHERE id = $1 AND name <> $2%"],
        )
        assert cursor.fetchall() == [(3, 0)]


def test_several_prepared_statements_run_in_order_and_see_each_other():
    ann = factories.contact("+12125550100", name="Ann")
    update = ("UPDATE contacts_contact SET name = %s WHERE id = %s", ["Eve", ann.pk])

    assert bulk_sql.run_prepared([update, named(ann.pk)]) == [[], [("Eve",)]]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans what it runs")
def test_a_connection_that_has_a_plan_we_do_not_know_of_gets_it_anew():
    ann = factories.contact("+12125550100", name="Ann")
    bulk_sql.run_prepared([named(ann.pk)])
    bulk_sql._plans.clear()

    assert bulk_sql.run_prepared([named(ann.pk)]) == [[("Ann",)]]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans what it runs")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("meanwhile", ["ALTER TABLE words ALTER word TYPE varchar(9)", "DEALLOCATE ALL"])
def test_a_plan_that_went_stale_is_made_anew(meanwhile):
    asked = ("SELECT word FROM words WHERE word = %s", ["Ann"])
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE words (word varchar(5)); INSERT INTO words VALUES ('Ann')")
        bulk_sql.run_prepared([asked])
        cursor.execute(meanwhile)

        assert bulk_sql.run_prepared([asked]) == [[("Ann",)]]

        cursor.execute("DROP TABLE words")


def test_inserting_the_missing_leaves_out_what_is_there():
    group = ContactList.objects.create(name="Regulars")
    ann, ben = factories.contact("+12125550100"), factories.contact("+12125550101")
    group.contacts.add(ann)

    made = bulk_sql.insert_missing_rows(
        ListMembership,
        columns=("list", "contact", "added_at"),
        rows=member_rows(group, ann, ben),
        returning=("contact",),
    )

    assert made == [(ben.pk,)]


def test_upserting_changes_what_is_there_and_adds_the_rest():
    brand = factories.brand()
    person = factories.opted_in(brand)
    before = ConsentState.objects.get()
    key = (person.subscriber_key, brand.pk)
    rest = (False, "express", NOW, None, False, True, before.event_id)

    bulk_sql.upsert_rows(
        ConsentState,
        key=("subscriber_key", "brand", "purpose"),
        columns=("is_active", "basis", "occurred_at", "expires_at", "is_confirmed", "is_proven", "event"),
        rows=[(*key, "marketing", *rest), (*key, "transactional", *rest)],
    )

    found = ConsentState.objects.order_by("purpose").values_list("purpose", "is_active", "expires_at")
    assert list(found) == [("marketing", False, None), ("transactional", False, None)]


def test_no_rows_are_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        bulk_sql.insert_missing_rows(
            ListMembership, columns=("list", "contact", "added_at"), rows=[], returning=("id",)
        )


@pytest.mark.parametrize("words", [["Ann"], ["Ann", "Ben Lee", 'say "hi", {x}', "null", ""], []])
def test_among_finds_exactly_the_words(words):
    for name in [*words, "Zoe", "NULL"]:
        factories.contact(name=name)

    assert sorted(c.name for c in Contact.objects.filter(bulk_sql.among("name", words))) == sorted(words)
