"""Numbers are masked for everybody until one is asked for, and the log knows who asked."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from contacts import belonging, timeline
from tests import attacked_desk, factories

pytestmark = pytest.mark.django_db
PHONE = "+12125550142"
# Where those who may see numbers see them: conversations they answer, and what they were asked to look up.
SEEN_IN = {"inbox", "inbox_thread", "inbox_holds"}


def plain(response) -> str:
    raw = b"".join(response.streaming_content) if response.streaming else response.content
    return raw.decode("utf-8", "replace").replace("-", "").replace(" ", "")


def address(person) -> str:
    return reverse("admin:contacts_contact_reveal", args=[person.pk])


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_number_is_shown_once_when_asked_for_and_the_log_says_who_looked(client, headers):
    person = factories.contact(PHONE, name="")
    user = factories.staff("contacts.view_contact", "contacts.view_full_phone")
    client.force_login(user)
    page = reverse("admin:contacts_contact_change", args=[person.pk])
    assert "5550142" not in plain(client.get(page))

    assert "2125550142" in plain(client.post(address(person), headers=headers, follow=True))

    assert "5550142" not in plain(client.get(page))
    for _ in range(2):
        client.post(address(person), headers={"HX-Request": "true"})
    looks = LogEntry.objects.filter(user=user, object_id=str(person.pk))
    assert [look.get_change_message() for look in looks] == ["Looked at the full number."] * 3
    told = timeline.read(person, keys=belonging.keys_of(person), may=lambda permission: True, kinds=["edits"])
    assert [entry.who for entry in told.entries] == [user.get_username()] * 3


def test_without_the_right_there_is_no_button_and_no_number(client):
    person = factories.contact(PHONE)
    client.force_login(factories.staff("contacts.view_contact", "contacts.change_contact"))

    assert (
        "Show number" not in client.get(reverse("admin:contacts_contact_change", args=[person.pk])).content.decode()
    )
    answer = client.post(address(person))

    assert answer.status_code == 403
    assert client.get(address(person)).status_code == 405
    assert not LogEntry.objects.exists()


def test_no_list_and_no_page_shows_a_number_unasked_even_to_those_who_may_see_it():
    desk = attacked_desk.build()
    client = attacked_desk.signed_in(attacked_desk.superuser())
    shown = []
    for name, path in attacked_desk.admin_addresses(desk).items():
        answer = client.get(path)
        is_page = answer.get("Content-Type", "").startswith("text/html")
        if is_page and name not in SEEN_IN and attacked_desk.LOCAL in plain(answer):
            shown.append(name)
    assert shown == []
