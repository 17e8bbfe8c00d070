"""Finding people: what is found, and that every way to find them has an index."""

import pytest
from django.db import connection
from django.urls import reverse

from contacts import searching, tagging
from contacts.models import Contact
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client):
    client.force_login(factories.staff("contacts.view_contact"))
    return client


def shown(client, **query) -> list[str]:
    answer = client.get(reverse("admin:contacts_contact_changelist"), query)
    assert answer.status_code == 200, query
    return [contact.name for contact in answer.context["cl"].result_list]


def plan(rows) -> str:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # a table of three rows is rather read whole
    return rows.explain()


@pytest.mark.parametrize(("term", "index"), [("Ana", "beginning_of_name"), ("+12125", "beginning_of_phone")])
def test_a_beginning_is_looked_up_in_an_index(term, index):
    column = {"beginning_of_name": "name", "beginning_of_phone": "phone"}[index]
    assert index in plan(Contact.objects.filter(**{f"{column}__istartswith": term}).values("pk"))


def test_beginnings_count_the_same_in_either_case():
    anna = factories.contact(name="ANNA O'Neil")
    factories.contact(name="Joanna")
    assert list(Contact.objects.filter(searching.matching("anna o'"))) == [anna]


def test_a_wildcard_is_a_character():
    percent = factories.contact(name="100% Ann")
    factories.contact(name="1000 Ann")
    assert list(Contact.objects.filter(searching.matching("100%"))) == [percent]


@pytest.mark.parametrize("term", ["+121", "1212", "", "+", "+abc"])
def test_too_few_digits_or_no_plus_find_nobody_by_number(term):
    assert searching.by_beginning_of_number(term) is None


def test_countries_are_those_of_the_people_there_are():
    assert searching.countries() == []
    for code in ("US", "CA", "", "US"):
        contact = factories.contact()
        Contact.objects.filter(pk=contact.pk).update(country=code)
    assert searching.countries() == ["", "CA", "US"]


def test_the_list_is_narrowed_by_country_list_and_tag(desk):
    ana, bob = factories.contact(name="Ana"), factories.contact("+14165550123", name="Bob")
    group = factories.contact_list(ana, bob)
    tagging.put(bob, ["vip"], by=factories.user(), now=NOW)

    assert shown(desk, country="US") == ["Ana"]
    assert shown(desk, country="CA") == ["Bob"]
    assert shown(desk, lists__id__exact=group.pk, country="CA") == ["Bob"]
    assert shown(desk, tags__id__exact=bob.tags.get().pk) == ["Bob"]
    assert sorted(shown(desk, lists__id__exact=group.pk)) == ["Ana", "Bob"]


@pytest.mark.parametrize("value", ["x", "-1", "", "１"])
def test_a_list_that_cannot_be_is_no_fault_of_the_page(desk, value):
    answer = desk.get(reverse("admin:contacts_contact_changelist"), {"lists__id__exact": value}, follow=True)
    assert answer.status_code == 200


def test_the_api_finds_by_the_beginning_of_a_name():
    factories.contact(name="Ana Lee")
    factories.contact(name="Joana")
    found = factories.api().get("/api/v1/contacts/", {"name": "ANA"}).json()["data"]
    assert [contact["name"] for contact in found] == ["Ana Lee"]
