"""The pages of an import, as somebody in the desk uses them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from contacts import undoing
from contacts.models import Contact, ContactImport, ImportState
from tests import factories
from tests.test_importing import CLAIM, done
from tests.test_workbooks import workbook

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(client):
    client.force_login(factories.staff("contacts.view_contact", "contacts.import_contact"))
    return client


def address(name: str, made: ContactImport) -> str:
    return reverse(f"admin:contacts_contactimport_{name}", args=[made.pk])


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def finished_now(content: str, **over) -> ContactImport:
    made = done(content, **over)
    assert made.state == ImportState.FINISHED
    return made


def test_an_import_is_undone_from_its_report_which_says_what_stayed(marketer):
    made = finished_now("phone\n+12125550101\n+12125550102\n", claim=CLAIM)
    factories.contact_list(Contact.objects.get(phone="+12125550101"))
    assert "Undo this import" in text(marketer.get(address("change", made)))

    page = text(marketer.post(address("undo", made), follow=True))
    assert "Being undone" in page
    assert 'hx-trigger="every 2s"' in page

    undoing.run(made.pk)
    page = text(marketer.get(address("change", made)))
    assert "1 × Person: they were put on a list." in page
    assert "<dt>Consent taken back</dt><dd>2</dd>" in page
    assert "Undo this import" not in page


def test_what_cannot_be_undone_any_more_is_refused_with_its_reason(marketer):
    made = finished_now("phone\n+12125550101\n")
    ContactImport.objects.filter(pk=made.pk).update(finished_at=factories.NOW.replace(year=2020))

    assert "Undo this import" not in text(marketer.get(address("change", made)))
    assert "ended more than a day ago" in text(marketer.post(address("undo", made), follow=True))
    assert Contact.objects.count() == 1


def test_the_page_says_which_sheet_of_a_workbook_is_read(marketer):
    content = workbook(["phone", "name"], ["+12125550101", "Ann"], sheets=[("Notes", [["x"]])])
    file = SimpleUploadedFile("fair.xlsx", content)

    page = text(marketer.post(reverse("admin:contacts_contactimport_add"), {"file": file}, follow=True))

    assert "The sheet “People” is read." in page
    assert "“Notes”" in page


@pytest.mark.parametrize("name", ["undo"])
def test_nobody_without_the_right_to_import_gets_anywhere(client, name):
    made = finished_now("phone\n+12125550101\n")
    client.force_login(factories.staff("contacts.view_contact"))

    assert client.post(address(name, made)).status_code == 403
    made.refresh_from_db()
    assert made.state == ImportState.FINISHED
