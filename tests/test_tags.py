"""Tags: one name whatever its case, on one person or on all who match."""

import threading

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.urls import reverse

from contacts import erasure, personal_export, tagging, timeline
from contacts.models import Contact, Segment, Tag, Tagging
from contacts.segments import keeping, rules
from smsdesk.errors import Conflict, DomainError, Invalid
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk():
    return factories.staff("contacts.view_contact", "contacts.tag_contact")


@pytest.fixture
def desk(client, clerk):
    client.force_login(clerk)
    return client


def tagged(*people: Contact, name: str = "vip") -> Tag:
    for person in people:
        tagging.put(person, [name], by=factories.user(), now=NOW)
    return tagging.named(name)


def names(contact: Contact) -> list[str]:
    return [tag.name for tag in contact.tags.order_by("folded_name")]


def page_of(client, contact) -> str:
    return client.get(reverse("admin:contacts_contact_change", args=[contact.pk])).content.decode()


# --- Names ------------------------------------------------------------------------------------------------


def test_a_name_is_one_tag_in_either_case_on_every_database():
    contact = factories.contact()
    tagging.put(contact, ["Été", " ÉTÉ ", "été"], by=factories.user(), now=NOW)

    assert names(contact) == ["Été"]
    assert Tag.objects.count() == 1


@pytest.mark.parametrize("name", ["", "  ", "\x00", "\u200b\n", "a,b", "x" * 51])
def test_a_name_that_is_none_is_refused_with_a_cure(name):
    with pytest.raises(Invalid) as refused:
        tagging.put(factories.contact(), [name], by=factories.user(), now=NOW)

    assert refused.value.cure
    assert not Tag.objects.exists()


def test_a_name_taken_in_other_letters_is_a_conflict():
    tagged(factories.contact(), name="vip")

    with pytest.raises(Conflict, match="Another tag"):
        tagging.rename(tagging.named("trial"), name="VIP")


# --- One person -------------------------------------------------------------------------------------------


def test_tags_go_on_and_off_and_the_log_says_who(desk, clerk):
    contact = factories.contact()
    address = reverse("admin:contacts_contact_tags", args=[contact.pk])

    assert desk.post(address, {"tags": "vip, Trial"}).status_code == 302
    assert desk.post(address, {"tags": "VIP"}).status_code == 302  # twice is once
    assert names(contact) == ["Trial", "vip"]
    assert desk.post(address, {"remove": "trial"}).status_code == 302

    assert names(contact) == ["vip"]
    said = LogEntry.objects.filter(user=clerk).order_by("pk")
    assert [entry.get_change_message() for entry in said] == ["Tagged: vip, Trial.", "Tags taken off: Trial."]
    assert "Take off vip" in page_of(desk, contact)


def test_with_htmx_only_the_tags_are_answered_and_a_fault_keeps_what_was_typed(desk):
    contact = factories.contact()
    address = reverse("admin:contacts_contact_tags", args=[contact.pk])

    answer = desk.post(address, {"tags": "x" * 51}, headers={"HX-Request": "true"}).content.decode()

    assert "too long" in answer
    assert f'value="{"x" * 51}"' in answer
    assert "<html" not in answer


def test_who_may_not_tag_sees_tags_and_changes_none(client):
    contact = factories.contact()
    tagged(contact)
    client.force_login(factories.staff("contacts.view_contact"))

    assert "Take off vip" not in page_of(client, contact)
    assert "vip" in page_of(client, contact)
    assert client.post(reverse("admin:contacts_contact_tags", args=[contact.pk]), {"tags": "x"}).status_code == 403
    chosen = {"action": "tag_people", "_selected_action": contact.pk, "confirmed": 1, "what": "put", "tag": "x"}
    client.post(reverse("admin:contacts_contact_changelist"), chosen)
    assert names(contact) == ["vip"]


def test_erasing_a_person_takes_their_tags_and_an_export_names_them():
    contact, other = factories.contact(), factories.contact()
    tagged(contact, other)

    assert personal_export.gather(contact, now=NOW)["parts"]["contact"][0]["tags"] == ["vip"]
    erasure.erase(contact, by=factories.user(), actor="x", reason="asked", now=NOW)

    assert list(Tagging.objects.values_list("contact", flat=True)) == [other.pk]


# --- All who match ----------------------------------------------------------------------------------------


def act(client, what: str, tag: str, *, query: str = "", **more):
    address = f"{reverse('admin:contacts_contact_changelist')}{query}"
    return client.post(address, {"action": "tag_people", "what": what, "tag": tag, **more})


def test_the_action_asks_first_and_says_how_many_it_is_about(desk):
    first, *_ = [factories.contact(name="Ann") for _ in range(3)]

    page = act(desk, "", "", _selected_action=first.pk, select_across="1").content.decode()

    assert "<strong>3</strong> contacts" in page
    assert "everybody the list and its filters fit" in page
    assert not Tagging.objects.exists()


def test_everybody_a_filtered_list_fits_is_tagged_and_nobody_else(desk):
    people = [factories.contact(name=f"Ann {number}") for number in range(60)]  # more than a page
    other = factories.contact(name="Bo")
    chosen = {"_selected_action": people[0].pk, "select_across": "1", "confirmed": "1"}

    answer = act(desk, "put", "Spring", query="?q=ann", **chosen)

    assert answer.status_code == 302
    assert Tagging.objects.filter(tag__name="Spring").count() == 60
    assert names(other) == []
    act(desk, "take", "spring", query="?q=Ann+1", **chosen)
    assert Tagging.objects.count() == 60 - 11  # Ann 1, Ann 10 to Ann 19


def test_a_list_filtered_by_the_tag_that_is_taken_off_loses_all_of_them(desk, monkeypatch):
    monkeypatch.setattr(tagging, "_PAGE", 2)
    people = [factories.contact() for _ in range(5)]
    tag = tagged(*people)

    chosen = {"_selected_action": people[0].pk, "select_across": "1", "confirmed": "1"}
    act(desk, "take", "vip", query=f"?tags__id__exact={tag.pk}", **chosen)

    assert not Tagging.objects.exists()


def test_without_all_only_the_chosen_rows_are_tagged(desk):
    one, other = factories.contact(), factories.contact()

    act(desk, "put", "vip", _selected_action=one.pk, select_across="0", confirmed="1")

    assert (names(one), names(other)) == (["vip"], [])


def test_tagging_many_is_told_on_each_of_those_it_changed(desk, clerk):
    had, hadnt = factories.contact(name="Ann"), factories.contact()
    tagging.put(had, ["vip"], by=clerk, now=NOW)
    tag, everybody = tagging.named("vip"), Contact.objects.all()
    tagging.put_on_all(everybody, tag=tag, by=clerk, now=NOW)
    tagging.take_off_all(everybody, tag=tag, by=clerk)
    for person in (had, hadnt):
        told = timeline.read(person, keys=[person.subscriber_key], may=lambda _: True, kinds=["edits"]).entries
        assert [(one.title, one.who) for one in told] == [
            ("Tags taken off: vip.", clerk.get_username()), ("Tagged: vip.", clerk.get_username()),
        ]  # fmt: skip


def test_a_tag_nobody_has_cannot_be_taken_off(desk):
    one = factories.contact()

    page = act(desk, "take", "nobody", _selected_action=one.pk, confirmed="1").content.decode()

    assert "There is no tag of this name" in page


def test_tagging_many_takes_a_fixed_number_of_queries_a_page(django_assert_max_num_queries):
    for _ in range(40):
        factories.contact()
    tag = tagging.named("vip")

    with django_assert_max_num_queries(9):
        tagging.put_on_all(Contact.objects.all(), tag=tag, by=factories.user(), now=NOW)

    assert Tagging.objects.count() == 40


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
def test_tagging_all_while_people_are_erased_leaves_no_tag_of_nobody():
    people = [factories.contact() for _ in range(60)]
    user, tag = factories.user(), tagging.named("vip")
    failed = []

    def run(work) -> None:
        try:
            work()
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    def erase() -> None:
        for person in people[::2]:
            erasure.erase(person, by=user, actor="x", reason="asked", now=NOW)

    def tag_all() -> None:
        for _ in range(20):
            tagging.put_on_all(Contact.objects.all(), tag=tag, by=user, now=NOW)

    threads = [threading.Thread(target=run, args=[work]) for work in (erase, tag_all)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert set(Tagging.objects.values_list("contact", flat=True)) == {person.pk for person in people[1::2]}


# --- Tags themselves, segments ----------------------------------------------------------------------------


def test_a_tag_is_renamed_and_counted_in_the_admin(client):
    client.force_login(factories.staff("contacts.view_tag", "contacts.change_tag", "contacts.view_contact"))
    tag = tagged(factories.contact(), factories.contact())
    tagging.named("trial")
    address = reverse("admin:contacts_tag_change", args=[tag.pk])

    assert "There is a tag of this name already" in client.post(address, {"name": "TRIAL"}).content.decode()
    assert client.post(address, {"name": "Very important"}).status_code == 302

    tag.refresh_from_db()
    assert (tag.name, tag.folded_name) == ("Very important", "very important")
    assert ">2</a>" in client.get(reverse("admin:contacts_tag_changelist")).content.decode()


def test_a_tag_that_a_segment_names_is_not_deleted_under_it(client):
    contact = factories.contact()
    tag = tagged(contact)
    rule = {"match": "all", "conditions": [{"kind": "tag", "operator": "has_any_of", "tags": [tag.pk]}]}
    segment = keeping.add(name="VIPs", rule=rule, by=None)
    client.force_login(factories.staff("contacts.view_tag", "contacts.delete_tag"))
    address = reverse("admin:contacts_tag_delete", args=[tag.pk])

    assert list(rules.people(segment.rule, at=NOW)) == [contact]
    assert client.post(address, {"post": "yes"}).status_code == 403
    Segment.objects.all().delete()
    assert client.post(address, {"post": "yes"}).status_code == 302
    assert not Tagging.objects.exists()


def test_a_rule_that_names_a_tag_that_is_gone_is_refused():
    rule = {"match": "all", "conditions": [{"kind": "tag", "operator": "has_none_of", "tags": [999]}]}

    with pytest.raises(DomainError, match="is not there"):
        keeping.add(name="X", rule=rule, by=None)


# --- API --------------------------------------------------------------------------------------------------


def test_the_api_tags_filters_and_lists():
    api, contact, other = factories.api(), factories.contact(), factories.contact()
    address = f"/api/v1/contacts/{contact.ref}/tags/"

    assert api.post(address, {"add": ["VIP", "trial"]}, content_type="application/json").json()["tags"] == [
        "trial",
        "VIP",
    ]
    answer = api.post(address, {"add": ["new"], "remove": ["Trial"]}, content_type="application/json")

    assert answer.json()["tags"] == ["new", "VIP"]
    found = api.get("/api/v1/contacts/?tag=vip").json()["data"]
    assert [row["id"] for row in found] == [contact.ref]
    assert api.get(f"/api/v1/contacts/{other.ref}/").json()["tags"] == []
    assert [row["name"] for row in api.get("/api/v1/tags/").json()["data"]] == ["VIP", "trial", "new"]


@pytest.mark.parametrize(
    "body", [{"add": [""]}, {"add": "vip"}, {"add": [1]}, {"add": ["x"] * 51}, {"tags": ["x"]}, {"add": ["a\x00"]}]
)
def test_the_api_refuses_what_is_no_tag(body):
    answer = factories.api().post(
        f"/api/v1/contacts/{factories.contact().ref}/tags/", body, content_type="application/json"
    )
    assert answer.status_code == 400
    assert not Tag.objects.exists()


def test_a_segment_names_tags_by_name_in_the_api():
    api = factories.api()
    tagged(factories.contact())
    condition = {"kind": "tag", "operator": "has_any_of", "tags": ["VIP"]}
    body = {"name": "VIPs", "rule": {"match": "all", "conditions": [condition]}}

    made = api.post("/api/v1/segments/", body, content_type="application/json")

    assert made.status_code == 201, made.json()
    assert made.json()["rule"]["conditions"] == [{**condition, "tags": ["vip"]}]
    assert api.get(f"/api/v1/segments/{made.json()['id']}/estimate/").json()["count"] == 1
