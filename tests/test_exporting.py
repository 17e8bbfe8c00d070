"""Contacts as CSV: who stands in it, what, and who may have it."""

import csv
import io

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import exporting, tagging
from contacts.models import ConsentState, Contact, Suppression
from contacts.segments import keeping
from smsdesk import phones
from smsdesk.errors import Invalid
from smsdesk.models import Scope
from tests import factories, segment_people
from tests.factories import NOW

pytestmark = pytest.mark.django_db
MAY = ("contacts.view_contact", "contacts.export_contact", "contacts.view_segment")
EVERYTHING = exporting.columns(parts=list(exporting.PARTS), attributes=["city", "born"])


def read(pieces) -> list[dict[str, str]]:
    text = "".join(piece.decode() if isinstance(piece, bytes) else piece for piece in pieces)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def export(people=None, *, chosen=EVERYTHING, shows_phones=True) -> list[dict[str, str]]:
    found = Contact.objects.all() if people is None else people
    return read(exporting.as_csv(found, chosen=chosen, shows_phones=shows_phones, now=NOW))


@pytest.fixture
def desk(client):
    client.force_login(factories.staff(*MAY))
    return client


def download(client, name="contacts_contact_export_all", *, args=(), query="", **columns):
    return client.post(reverse(f"admin:{name}", args=args) + query, columns)


def test_every_column_says_what_the_tables_say():
    people = segment_people.People(seed=3)
    rows = {row["id"]: row for row in export()}
    assert len(rows) == len(people.contacts)
    for person in people.contacts:
        row = rows[person.ref]
        assert row["phone"] == person.phone
        assert row["created_at"] == person.created_at.isoformat(timespec="seconds")
        assert row["last_inbound_at"] == (
            person.last_inbound_at.isoformat(timespec="seconds") if person.last_inbound_at else ""
        )
        assert row["attributes.city"].removeprefix("'") == person.attributes.get("city", "")
        assert row["lists"] == "; ".join(sorted(person.lists.values_list("name", flat=True)))
        assert row["tags"] == "; ".join(sorted(person.tags.values_list("name", flat=True)))
        standing = Suppression.objects.filter(subscriber_key=person.subscriber_key, lifted_by=None)
        assert row["suppressed"] == ("yes" if standing.exists() else "no")
        for brand in people.brands:
            for purpose in ("marketing", "transactional"):
                asked = {"kind": "consent", "operator": "has", "brand": brand.pk, "purpose": purpose}
                is_given = people.fits(asked, person)
                state = ConsentState.objects.filter(
                    subscriber_key=person.subscriber_key, brand=brand, purpose=purpose
                ).first()
                word = "" if state is None else "given" if is_given else "run out" if state.is_active else "ended"
                assert row[f"consent.{brand.slug}.{purpose}"] == word


def test_ranges_neither_lose_nor_repeat_anybody(monkeypatch):
    monkeypatch.setattr(exporting, "RANGE", 4)
    people = [factories.contact() for _ in range(13)]
    Contact.objects.filter(pk__in=[people[3].pk, people[4].pk]).delete()  # gaps, one at a range's end
    assert [row["id"] for row in export()] == [one.ref for one in people if one not in (people[3], people[4])]


def test_a_range_costs_a_fixed_number_of_statements():
    segment_people.People(seed=4, count=12)
    with CaptureQueriesContext(connection) as few:
        export()
    for _ in range(30):
        factories.contact()
    with CaptureQueriesContext(connection) as many:
        export()
    assert len(few) == len(many) <= 12


def test_no_cell_is_a_formula():
    person = factories.contact(name="=HYPERLINK(1)", attributes={"city": "+1+1"}, external_id="@SUM(A1)")
    factories.contact_list(person, name="-2+3")
    tagging.put(person, ["=1"], by=factories.user(), now=NOW)

    [row] = export()

    for column in ("name", "external_id", "lists", "tags", "attributes.city"):
        assert row[column].startswith("'"), column


@pytest.mark.parametrize(("parts", "attributes"), [(["money"], []), ([], ["a b"]), ([], ["x" * 300])])
def test_columns_nobody_knows_are_refused(parts, attributes):
    with pytest.raises(Invalid):
        exporting.columns(parts=parts, attributes=attributes)


def test_an_attribute_that_is_no_text_is_no_fault():
    factories.contact(attributes={"city": 7, "born": None})
    factories.contact(attributes=[1])
    assert [row["attributes.city"] for row in export()] == ["7", ""]


# --- In the admin -----------------------------------------------------------------------------------------


def test_the_list_is_exported_as_it_is_narrowed(desk):
    ana, bob = factories.contact(name="Ana"), factories.contact(name="Bob")
    group = factories.contact_list(bob)

    rows = read(download(desk, query="?q=an", parts="lists").streaming_content)
    assert [row["id"] for row in rows] == [ana.ref]
    rows = read(download(desk, query=f"?lists__id__exact={group.pk}", parts="lists").streaming_content)
    assert [(row["name"], row["lists"]) for row in rows] == [("Bob", group.name)]


def test_a_segment_is_exported_as_it_fits_now(desk):
    factories.contact(name="Ana")
    rule = {"match": "all", "conditions": [{"kind": "name", "operator": "is", "value": "ana"}]}
    segment = keeping.add(name="Anas", rule=rule, by=None)
    factories.contact(name="Bob")

    rows = read(download(desk, "contacts_segment_export", args=[segment.pk]).streaming_content)

    assert [row["name"] for row in rows] == ["Ana"]
    assert "suppressed" not in rows[0]


def test_numbers_are_masked_without_the_permission_and_each_export_is_logged(desk, client):
    person = factories.contact(name="Ana")
    [row] = read(download(desk, query="?q=ana").streaming_content)
    assert row["phone"] == phones.mask(person.phone)
    entry = LogEntry.objects.get()
    assert entry.change_message == "Exported contacts by a search: 1 contact, numbers masked."

    client.force_login(factories.staff(*MAY, "contacts.view_full_phone"))
    [row] = read(download(client).streaming_content)
    assert row["phone"] == person.phone
    assert "in full" in LogEntry.objects.latest("pk").change_message


@pytest.mark.parametrize("missing", MAY)
def test_each_permission_is_needed(client, missing):
    segment = keeping.add(
        name="All", rule={"match": "all", "conditions": [{"kind": "held", "operator": "is_not"}]}, by=None
    )
    client.force_login(factories.staff(*(one for one in MAY if one != missing)))
    for method in (client.get, client.post):
        assert method(reverse("admin:contacts_segment_export", args=[segment.pk])).status_code == 403
    if missing != "contacts.view_segment":
        assert download(client).status_code == 403


def test_the_page_says_how_many_and_offers_the_columns(desk):
    factories.contact(attributes={"city": "Boston"})
    page = desk.get(reverse("admin:contacts_contact_export_all")).content.decode()
    assert "<strong>1</strong> contact" in page
    assert 'value="city"' in page


def test_wrong_columns_and_wrong_filters_get_an_answer(desk):
    factories.contact()
    page = download(desk, attributes="a b,=cmd()")
    assert page.status_code == 200
    assert not page.streaming
    assert download(desk, query="?lists__id__exact=x").status_code == 302
    assert read(download(desk, query="?lists__id__exact=999").streaming_content) == []
    assert not LogEntry.objects.exclude(object_repr="0 contacts").exists()


# --- Over the API -----------------------------------------------------------------------------------------

URL = "/api/v1/contacts/export/"


def test_the_api_streams_what_filters_and_a_segment_fit():
    ana, _ = factories.contact(name="Ana", attributes={"city": "Bonn"}), factories.contact(name="Bob")
    rule = {"match": "any", "conditions": [{"kind": "name", "operator": "begins_with", "value": "a"}]}
    segment = keeping.add(name="As", rule=rule, by=None)
    api = factories.api()

    answer = api.get(URL, {"segment": segment.ref, "parts": "tags", "attributes": "city"})
    [row] = read(answer.streaming_content)

    assert answer["Content-Type"].startswith("text/csv")
    assert (row["id"], row["attributes.city"]) == (ana.ref, "Bonn")
    assert "lists" not in row
    assert row["phone"] == phones.mask(ana.phone)
    assert len(read(api.get(URL).streaming_content)) == 2


@pytest.mark.parametrize(
    "query",
    [
        {"segment": "seg_" + "0" * 32},
        {"segment": "x"},
        {"parts": "money"},
        {"attributes": "a b"},
        {"colour": "red"},
    ],
)
def test_a_wrong_question_is_a_400_that_says_so(query):
    answer = factories.api().get(URL, query)
    assert answer.status_code == 400, answer.content
    assert not LogEntry.objects.exists()


def test_the_export_needs_a_scope_of_its_own():
    _, key = factories.api_key(scopes=[Scope.CONTACTS_READ])
    assert factories.api(key).get(URL).status_code == 403
