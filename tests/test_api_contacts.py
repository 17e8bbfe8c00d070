from datetime import timedelta

import pytest
from django.utils import timezone

from contacts.models import ConsentState, Contact, ContactList, ListMembership
from smsdesk.models import Scope
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/v1/contacts/"


@pytest.fixture
def api():
    return factories.api()


def post(api, body, url=URL, **headers):
    return api.post(url, body, content_type="application/json", headers=headers)


def test_a_contact_is_added_and_read_back(api):
    answer = post(
        api, {"phone": "+12125550123", "name": "Ann", "external_id": "A 1", "attributes": {"city": "NYC"}}
    )
    assert answer.status_code == 201, answer.json()
    made = answer.json()
    assert made["id"].startswith("con_")
    assert made["country"] == "US"
    read = api.get(f"{URL}{made['id']}/").json()
    assert read["attributes"] == {"city": "NYC"}
    assert read["consents"] == read["suppressions"] == []
    assert not ConsentState.objects.exists()


def test_a_phone_that_is_known_is_a_conflict(api):
    known = factories.contact()
    answer = post(api, {"phone": known.phone})
    assert answer.status_code == 409
    assert answer.json()["errors"][0] == {
        "pointer": "/phone",
        "code": "phone_taken",
        "detail": answer.json()["errors"][0]["detail"],
    }


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/phone"),
        ({"phone": "hello"}, "/phone"),
        ({"phone": 12125550123}, "/phone"),
        ({"phone": "1.2e10"}, "/phone"),
        ({"phone": "2125550123"}, "/phone"),
        ({"phone": None}, "/phone"),
        ({"phone": "+12125550123", "time_zone": "Mars/Base"}, "/time_zone"),
        ({"phone": "+12125550123", "attributes": []}, "/attributes"),
        ({"phone": "+12125550123", "attributes": {"x": {}}}, "/attributes/x"),
        ({"phone": "+12125550123", "attributes": {"x": None}}, "/attributes/x"),
        ({"phone": "+12125550123", "name": "x" * 121}, "/name"),
        ({"phone": "+12125550123", "name": "a\x00b"}, "/name"),
        ({"phone": "+12125550123", "subscriber_key": "x"}, "/subscriber_key"),
        ({"phone": "+12125550123", "is_dead": True}, "/is_dead"),
        ([], ""),
        ("text", ""),
        ("null", ""),
    ],
)
def test_a_bad_body_is_a_400_that_names_the_place(api, body, pointer):
    answer = post(api, body)
    assert answer.status_code == 400
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert not Contact.objects.exists()


def test_another_content_type_is_415(api):
    answer = api.post(URL, {"phone": "+12125550123"})
    assert answer.status_code == 415


def test_a_patch_changes_what_it_names_and_nothing_else(api):
    contact = factories.contact(name="Ann", attributes={"city": "NYC", "shoe": "42"})
    url = f"{URL}{contact.ref}/"
    answer = api.patch(url, {"attributes": {"shoe": ""}}, content_type="application/json")
    assert answer.json()["attributes"] == {"city": "NYC"}
    assert answer.json()["name"] == "Ann"
    refused = api.patch(url, {"phone": "+12125550199"}, content_type="application/json")
    assert refused.json()["errors"][0]["code"] == "unknown_field"


def test_an_upsert_adds_once_and_then_changes(api):
    url = f"{URL}by-external-id/shop/7/"
    body = {"phone": "+12125550123", "name": "Ann"}
    assert api.put(url, body, content_type="application/json").status_code == 201
    answer = api.put(url, {**body, "name": "Anna"}, content_type="application/json")
    assert answer.status_code == 200
    assert Contact.objects.get().name == "Anna"
    assert Contact.objects.get().external_id == "shop/7"


def test_what_is_not_there_is_404_with_the_reason(api):
    for ref in ("con_" + "0" * 32, "msg_" + "0" * 32, "7", "con_x"):
        answer = api.get(f"{URL}{ref}/")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"


def test_a_key_without_the_scope_is_refused_by_name():
    _, text = factories.api_key(scopes=[Scope.CONTACTS_READ])
    answer = post(factories.api(text), {"phone": "+12125550123"})
    assert answer.status_code == 403
    assert answer.json()["code"] == "missing_scope"
    assert "contacts:write" in answer.json()["detail"]


def test_pages_follow_each_other_even_where_all_rows_have_one_time(api):
    rows = [factories.contact() for _ in range(7)]
    Contact.objects.update(created_at=timezone.now())
    seen, url = [], f"{URL}?limit=3"
    while url:
        page = api.get(url).json()
        seen.append([row["id"] for row in page["data"]])
        url, back = page["next"], page["previous"]
    assert [ref for refs in seen for ref in refs] == [row.ref for row in rows]
    before = api.get(back).json()
    assert [row["id"] for row in before["data"]] == seen[1]
    assert [row["id"] for row in api.get(before["previous"]).json()["data"]] == seen[0]
    assert api.get(before["previous"]).json()["previous"] is None
    assert [row["id"] for row in api.get(before["next"]).json()["data"]] == seen[2]


def test_newest_first_pages_backwards_through_time(api):
    rows = [factories.contact() for _ in range(5)]
    first = api.get(f"{URL}?limit=3&ordering=-created_at").json()
    second = api.get(first["next"]).json()
    found = [row["id"] for page in (first, second) for row in page["data"]]
    assert found == [row.ref for row in reversed(rows)]
    assert second["next"] is None


def test_filters_narrow_the_list(api):
    other, ann = factories.contact(), factories.contact("+5491123456789", external_id="7")
    vip = ContactList.objects.create(name="VIP")
    ListMembership.objects.create(list=vip, contact=ann)
    soon = (timezone.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for query in ("phone=%2B541123456789", "phone=+5491123456789", "external_id=7", "list=VIP"):
        assert [row["id"] for row in api.get(f"{URL}?{query}").json()["data"]] == [ann.ref], query
    assert len(api.get(f"{URL}?created_before={soon}").json()["data"]) == 2
    assert api.get(f"{URL}?created_after={soon}").json()["data"] == []
    assert api.get(f"{URL}?updated_after={soon}").json()["data"] == []
    assert other.ref in [row["id"] for row in api.get(URL).json()["data"]]


@pytest.mark.parametrize(
    "query",
    [
        "phon=1",
        "phone=abc",
        "created_after=yesterday",
        "created_after=2026-01-01",
        "created_after=0001-01-01T00:00:00%2B14:00",
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1e2",
        "ordering=phone",
        "cursor=%FF",
        "cursor=e30",
        "cursor=WzEsMiwzXQ",
        "cursor=" + "W" * 2000,
    ],
)
def test_a_parameter_that_is_not_understood_is_refused_by_name(api, query):
    answer = api.get(f"{URL}?{query}")
    assert answer.status_code == 400, answer.json()
    name = query.partition("=")[0]
    assert answer.json()["errors"][0]["pointer"] == f"?{name}"


def test_a_list_takes_the_same_queries_for_few_and_many(api, django_assert_max_num_queries):
    vip = ContactList.objects.create(name="VIP")
    for _ in range(20):
        ListMembership.objects.create(list=vip, contact=factories.contact())
    with django_assert_max_num_queries(6):  # key, last use, allowance, contacts, lists, tags
        assert len(api.get(URL).json()["data"]) == 20
