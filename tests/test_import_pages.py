"""The pages of an import, as somebody in the desk uses them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from contacts import dry_run, undoing
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


PEOPLE = "Mobile,Full name,Town\n(212) 555-0101,Ann,Rome\nhello,Bo,\n+12125550101,Again,\n+12125550103,Cy,\n"


def upload(client, content: str = PEOPLE) -> ContactImport:
    file = SimpleUploadedFile("people.csv", content.encode())
    client.post(reverse("admin:contacts_contactimport_add"), {"file": file})
    return ContactImport.objects.latest("pk")


def settings(brand, **over) -> dict[str, object]:
    return {
        "column_0": "phone", "column_1": "name", "column_2": "attribute", "attribute_2": "city",
        "brand": brand.pk, "new_list": "Spring", "default_country": "us", **over,
    }  # fmt: skip


CLAIMED = {
    "purpose": "marketing",
    "basis": "express_written",
    "obtained_at": "2026-01-02T10:00",
    "method": "web_form",
    "wording": "I agree to texts from Acme",
    "source": "Sign-up form",
}


def test_the_dry_run_of_a_small_file_is_there_when_the_page_opens(marketer):
    made = upload(marketer)
    page = text(marketer.post(address("columns", made), settings(factories.brand(), **CLAIMED), follow=True))

    assert "4 rows, tried" in page
    for word, number in (("New", 2), ("Duplicate", 1), ("Not imported", 1)):
        assert f"{word}</span></dt><dd>{number} of 4</dd>" in page
    assert "Consent recorded</span></dt><dd>2</dd>" in page
    assert "Letters are not accepted" in page
    assert "hx-get" not in page
    assert not Contact.objects.exists()


def test_the_dry_run_of_a_large_file_is_followed_and_can_be_stopped_and_begun_again(marketer):
    made = upload(marketer, "phone,name,town\n" + "+12125550101,,\n" * 5_000)
    page = text(marketer.post(address("columns", made), settings(factories.brand()), follow=True))
    assert 'hx-trigger="every 2s"' in page
    assert "Stop the dry run" in text(marketer.get(address("forecast", made)))

    page = text(marketer.post(address("stop_check", made), follow=True))
    assert "Stopped after 0 rows" in page
    marketer.post(address("check", made))
    while dry_run.run(made.pk):
        pass

    page = text(marketer.get(address("forecast", made)))
    assert "Duplicate</span></dt><dd>4,999 of 5,000</dd>" in page
    assert "Consent not recorded</span></dt><dd>1: none is claimed</dd>" in page
    assert "hx-get" not in page


def test_what_was_said_of_the_last_file_like_it_is_filled_in(marketer):
    brand = factories.brand()
    first = upload(marketer)
    marketer.post(address("columns", first), settings(brand, default_country="gb", **CLAIMED))
    marketer.post(address("start", first))

    page = text(marketer.get(address("columns", upload(marketer, "Mobile,Full name,Town\n+12125550109,Di,Bonn\n"))))

    assert "A file with these columns was imported on" in page
    assert '<option value="attribute" selected>' in page
    assert 'value="city"' in page
    assert 'value="gb"' in page.lower()
    assert "I agree to texts from Acme" in page
    assert "2026-01-02" not in page.partition("What they agreed to")[2]


def test_a_file_with_other_columns_is_offered_nothing(marketer):
    first = upload(marketer)
    marketer.post(address("columns", first), settings(factories.brand()))
    marketer.post(address("start", first))

    assert "A file with these columns" not in text(
        marketer.get(address("columns", upload(marketer, "phone,b\n1,2\n")))
    )


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


@pytest.mark.parametrize("name", ["undo", "check", "stop_check", "start", "cancel", "resume"])
def test_nobody_without_the_right_to_import_gets_anywhere(client, name):
    made = finished_now("phone\n+12125550101\n")
    client.force_login(factories.staff("contacts.view_contact"))

    assert client.post(address(name, made)).status_code == 403
    made.refresh_from_db()
    assert made.state == ImportState.FINISHED
