from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts import consent, importing, rule_book
from contacts.models import (
    Basis,
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    ContactList,
    ImportState,
    Purpose,
    QuietHoursRule,
    Suppression,
)
from tests import factories

pytestmark = pytest.mark.django_db

EVERYTHING = (
    "contacts.view_contact",
    "contacts.add_contact",
    "contacts.change_contact",
    "contacts.import_contact",
    "contacts.view_full_phone",
    "contacts.opt_out_contact",
    "contacts.view_suppression",
    "contacts.view_consentevent",
    "contacts.change_quiethoursrule",
    "contacts.view_quiethoursrule",
    "contacts.view_contactlist",
    "contacts.view_brand",
)


@pytest.fixture
def desk(client):
    client.force_login(factories.staff(*EVERYTHING))
    return client


@pytest.fixture
def marketer(client):
    client.force_login(factories.staff("contacts.view_contact", "contacts.import_contact"))
    return client


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def contacts_page(client, query: str = "") -> str:
    return text(client.get(reverse("admin:contacts_contact_changelist"), {"q": query} if query else {}))


# --- list ---------------------------------------------------------------------------------------------


def test_an_empty_list_teaches(desk):
    page = contacts_page(desk)

    assert "No contacts yet" in page
    assert reverse("admin:contacts_contactimport_add") in page


@pytest.mark.parametrize(
    "query", ["+12125550142", "(212) 555-0142", "212.555.0142", "Anna Ber", "anna", "c-77", "+1212555014"]
)
def test_a_contact_is_found_by_phone_in_any_format_name_or_external_id(desk, query):
    factories.brand(default_country="US")
    factories.contact("+12125550142", name="Anna Berg", external_id="c-77")
    factories.contact("+13125550143", name="Zed")

    page = contacts_page(desk, query)

    assert "Anna Berg" in page
    assert "Zed" not in page


def test_numbers_are_masked_without_the_permission(marketer):
    contact = factories.contact("+12125550142", name="")

    for page in (contacts_page(marketer), page_of(marketer, contact)):
        assert "+1212***0142" in page
        assert "5550142" not in page
    assert "+1212***0142" in contacts_page(marketer, "+12125550142")
    assert "+1212***0142" not in contacts_page(marketer, "+1212555")


def test_a_list_of_fifty_costs_no_more_queries_than_one_of_two(desk, django_assert_max_num_queries):
    for _ in range(50):
        factories.contact(name="Ann")

    with django_assert_max_num_queries(11):
        contacts_page(desk)


@pytest.mark.parametrize("query", ["%00", "%ED%A0%80", "%F0%9F%8E%89", "'%22<b>", "1" * 500, "=1%2b1"])
def test_no_search_breaks_the_list(desk, query):
    response = desk.get(f"{reverse('admin:contacts_contact_changelist')}?q={query}")

    assert response.status_code in (200, 400)


# --- adding and editing -------------------------------------------------------------------------------


def test_a_contact_is_added_once(desk):
    address = reverse("admin:contacts_contact_add")
    values = {"phone": "+1 (212) 555-0142", "name": "Ann", "attributes": '{"city": "Rome"}'}

    assert desk.post(address, values).status_code == 302
    again = text(desk.post(address, values))

    contact = Contact.objects.get()
    assert (contact.phone, contact.name, contact.attributes) == ("+12125550142", "Ann", {"city": "Rome"})
    assert "There is a contact with this phone already" in again
    assert 'value="Ann"' in again


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("phone", "hello", "Letters are not accepted"),
        ("phone", "+1\ud800".encode("utf-8", "surrogatepass"), ""),
        ("language", "english", "not a language code"),
        ("time_zone", "Mars/Base", "Use a name like America/Chicago"),
        ("region", "Texas", "at most 2 characters"),
        ("attributes", "[1]", "pairs of a name"),
        ("attributes", '{"a": {}}', "plain value"),
        ("attributes", "{nope", "valid JSON"),
        ("attributes", '{"a\\u0000": "x"}', "not a name for an attribute"),
        ("name", "A\x00", "Null characters"),
    ],
)
def test_a_bad_value_is_named_and_what_was_typed_stays(desk, field, value, says):
    given = {"phone": "+12125550142", "name": "Ann Typed", field: value}

    page = text(desk.post(reverse("admin:contacts_contact_add"), given))

    assert says in page
    assert field == "name" or "Ann Typed" in page
    assert not Contact.objects.exists()


def test_the_number_cannot_be_edited(desk):
    contact = factories.contact("+12125550142", name="Ann", attributes={"city": "Rome", "tier": "1"})
    address = reverse("admin:contacts_contact_edit", args=[contact.pk])

    assert 'name="phone"' not in text(desk.get(address))
    given = {"phone": "+12125550199", "name": "Anna", "attributes": '{"tier": "2"}'}
    assert desk.post(address, given).status_code == 302

    contact.refresh_from_db()
    assert (contact.phone, contact.name, contact.attributes) == ("+12125550142", "Anna", {"tier": "2"})


# --- the page of a contact ----------------------------------------------------------------------------


def opted_in(contact, brand):
    now = timezone.now()
    return consent.opt_in(
        contact,
        brand=brand,
        purposes=[Purpose.MARKETING],
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.WEB_FORM,
        proof=consent.Proof(wording="I agree to Acme texts", method="web_form", act="ticked the box"),
        occurred_at=now - timedelta(days=1),
        now=now,
    )


def page_of(client, contact, **query) -> str:
    return text(client.get(reverse("admin:contacts_contact_change", args=[contact.pk]), query))


def test_the_page_says_what_may_be_sent_and_why(desk):
    contact, brand = factories.contact("+12125550142", name="Ann"), factories.brand()
    opted_in(contact, brand)

    noon = page_of(desk, contact, at="2026-11-24T17:00")
    night = page_of(desk, contact, at="2026-11-24T05:00")

    assert "May be sent: consent of" in noon
    assert "Waiting until" in night
    assert "I agree to Acme texts" in noon
    assert "America/New_York" in noon


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("yesterday\x01", "Enter a valid date/time"),
        ("0001-01-01T00:00", "within a year"),
        ("9999-12-31T23:59", "within a year"),
    ],
)
def test_a_moment_nobody_can_answer_for_is_answered_with_now(desk, at, says):
    contact = factories.contact()
    factories.brand()

    page = page_of(desk, contact, at=at)

    assert says in page
    assert "never gave consent" in page


def test_the_page_of_somebody_without_history_teaches(desk):
    page = page_of(desk, factories.contact())

    assert "Nothing recorded yet" in page
    assert "No brand yet" in page


def test_an_opt_out_needs_a_note_and_stands_at_once(desk):
    contact, brand = factories.contact(), factories.brand()
    opted_in(contact, brand)
    address = reverse("admin:contacts_contact_opt_out", args=[contact.pk])

    assert "This field is required" in text(desk.post(address, {"note": ""}))
    assert not Suppression.objects.exists()
    assert desk.post(address, {"note": "told me on the phone"}).status_code == 302

    page = page_of(desk, contact)
    assert "Opted out of every brand" in page
    assert "told me on the phone" in page
    assert not ConsentState.objects.filter(is_active=True).exists()


def test_an_opt_in_needs_its_proof(desk):
    contact, brand = factories.contact(), factories.brand()
    address = reverse("admin:contacts_contact_opt_in", args=[contact.pk])
    given = {
        "brand": brand.pk,
        "purpose": "marketing",
        "basis": "express_written",
        "source": "paper",
        "occurred_at": "2026-01-02T10:00",
        "wording": "I agree to texts from Acme",
        "act": "signed",
        "document": "folder 7",
    }

    for name in given:
        assert desk.post(address, {**given, name: ""}).status_code == 200
    assert desk.post(address, {**given, "occurred_at": "2126-01-02T10:00"}).status_code == 200
    assert not ConsentEvent.objects.exists()
    assert desk.post(address, given).status_code == 302

    state = ConsentState.objects.get()
    assert (state.is_active, state.is_proven) == (True, True)
    assert state.event.actor.startswith("staff")
    assert "folder 7" in page_of(desk, contact)


def test_an_opt_in_on_paper_does_not_lift_an_opt_out(desk):
    contact, brand = factories.contact(), factories.brand()
    now = timezone.now()
    consent.opt_out(contact, brand=brand, source=ConsentSource.TEXT, occurred_at=now, now=now)
    given = {
        "brand": brand.pk,
        "purpose": "marketing",
        "basis": "express_written",
        "source": "paper",
        "occurred_at": timezone.now().strftime("%Y-%m-%dT%H:%M"),
        "wording": "I agree",
        "act": "signed",
        "document": "folder 7",
    }

    answer = desk.post(reverse("admin:contacts_contact_opt_in", args=[contact.pk]), given, follow=True)

    assert "An opt-out still stands" in text(answer)
    assert Suppression.objects.get().lifted_by is None


@pytest.mark.parametrize("name", ["opt_out", "opt_in"])
def test_recording_is_refused_without_the_permission_and_by_get(marketer, name):
    address = reverse(f"admin:contacts_contact_{name}", args=[factories.contact().pk])

    assert marketer.post(address, {"note": "x"}).status_code == 403
    assert marketer.get(address).status_code == 405
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize("object_id", ["0", "99999999999999999999999", "abc", "1%00", "²"])
def test_a_contact_that_is_not_there_is_404(desk, object_id):
    assert desk.get(f"/admin/contacts/contact/{object_id}/change/").status_code in (400, 404)


def test_a_name_is_text_and_never_markup(desk):
    contact = factories.contact(name="<script>alert(1)</script>", attributes={"city": "<img src=x>"})

    for page in (contacts_page(desk), page_of(desk, contact)):
        assert "<script>alert" not in page
        assert "<img src=x>" not in page


def test_the_page_costs_a_fixed_number_of_queries(desk):
    contact = factories.contact()
    for _ in range(4):
        opted_in(contact, factories.brand())

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            page_of(desk, contact)
        return len(queries)

    # Some things a process reads once for all or once a few seconds, which may be between any two of these.
    assert min(asked() for _ in range(4)) <= 25


# --- ledgers and rules --------------------------------------------------------------------------------


def test_the_ledgers_are_read_only_and_found_by_number(desk):
    factories.suppression("+12125550142", brand=None, source=ConsentSource.TEXT)
    for name, count in (("suppression", "1 suppression"), ("consentevent", "1 consent event")):
        address = reverse(f"admin:contacts_{name}_changelist")
        assert count in text(desk.get(address, {"q": "+1 212 555 0142"}))
        assert count not in text(desk.get(address, {"q": "+1 212 555 0143"}))
        assert desk.get(reverse(f"admin:contacts_{name}_add")).status_code == 403


def test_a_window_across_midnight_is_refused_and_the_editor_is_recorded(desk):
    rule, _ = QuietHoursRule.objects.get_or_create(code="XX", defaults={"windows": {"Mon": ["08:00", "20:00"]}})
    address = reverse("admin:contacts_quiethoursrule_change", args=[rule.pk])
    given = {"code": "XX", "is_active": "on", "windows": '{"Mon": ["20:00", "02:00"]}'}

    assert "may not cross midnight" in text(desk.post(address, given))
    assert desk.post(address, {**given, "windows": '{"Mon": ["09:00", "20:00"]}'}).status_code == 302

    rule.refresh_from_db()
    assert rule.windows == {"Mon": ["09:00", "20:00"]}
    assert rule.edited_by.startswith("staff")
    rule_book.forget()


# --- imports ------------------------------------------------------------------------------------------

PEOPLE = (
    "Mobile,Full name,Notes\n"
    "(212) 555-0101,Ann,x\n"
    "hello,Bo,\n"
    "+1 212 555 0101,Ann again,\n"
    '+12125550103,"=HYPERLINK(""http://evil"")",\n'
)


def upload(client, content=PEOPLE, name="people.csv"):
    raw = content.encode() if isinstance(content, str) else content
    address = reverse("admin:contacts_contactimport_add")
    return client.post(address, {"file": SimpleUploadedFile(name, raw, content_type="text/csv")})


def step(name: str) -> str:
    return reverse(f"admin:contacts_contactimport_{name}", args=[ContactImport.objects.get().pk])


def settings(**over) -> dict[str, object]:
    chosen = {
        "column_0": "phone",
        "column_1": "name",
        "column_2": "",
        "brand": factories.brand().pk,
        "new_list": "Spring",
        "default_country": "us",
        **over,
    }
    return chosen


CLAIM = {
    "purpose": "marketing",
    "basis": "express_written",
    "obtained_at": "2026-01-02T10:00",
    "method": "web_form",
    "wording": "I agree to texts from Acme",
    "source": "Sign-up form",
}


def test_a_file_goes_from_upload_to_report(marketer):
    assert "never lifts an opt-out" in text(marketer.get(reverse("admin:contacts_contactimport_add")))
    assert upload(marketer, name="..\\..\\etc/people.csv").url == step("columns")
    page = text(marketer.get(step("columns")))
    assert '<option value="phone" selected>' in page

    assert marketer.post(step("columns"), settings(**CLAIM)).url == step("preview")
    preview = text(marketer.get(step("preview")))
    assert "New: 2 of 4" in preview
    assert "Duplicate: 1 of 4" in preview
    assert "Letters are not accepted" in preview
    assert not Contact.objects.exists()

    marketer.post(step("start"))
    assert 'hx-trigger="every 2s"' in text(marketer.get(step("change")))
    importing.run(ContactImport.objects.get().pk)
    report = text(marketer.get(step("progress")))

    made = ContactImport.objects.get()
    assert (made.state, made.created, made.invalid, made.duplicate) == (ImportState.FINISHED, 2, 1, 1)
    assert "hx-trigger" not in report
    assert ContactList.objects.get(name="Spring").contacts.count() == 2
    assert ConsentState.objects.filter(is_active=True, is_proven=True).count() == 2
    assert made.filename == "people.csv"


def test_the_report_can_be_downloaded_without_formulas(marketer):
    upload(marketer, "phone,name\n=1+1,Ann\n@SUM(A1),Bo\n")
    marketer.post(step("columns"), settings(column_2=""))
    marketer.post(step("start"))
    importing.run(ContactImport.objects.get().pk)

    answer = marketer.get(step("errors"))
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()

    assert lines[0] == '"line","column","value","reason"'
    assert lines[1].startswith('"2","phone","\'=1+1",')
    assert lines[2].startswith('"3","phone","\'@SUM(A1)",')
    assert "attachment" in answer["Content-Disposition"]


@pytest.mark.parametrize("part", ["basis", "obtained_at", "method", "wording", "source"])
def test_consent_cannot_be_claimed_without_every_part_of_its_proof(marketer, part):
    upload(marketer)

    page = text(marketer.post(step("columns"), settings(**{**CLAIM, part: ""})))

    assert "this part of the proof is needed" in page
    assert ContactImport.objects.get().state == ImportState.UPLOADED


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"column_0": ""}, "No column is read as the phone number"),
        ({"column_1": "phone"}, "More than one column"),
        ({"column_1": "attribute", "attribute_1": "First Name"}, "not a name for an attribute"),
        ({"column_1": "salary"}, "Select a valid choice"),
        ({"default_country": "zz"}, "No country has this code"),
        ({"brand": ""}, "This field is required"),
        ({**CLAIM, "obtained_at": "2126-01-02T10:00"}, "Consent cannot be given in the future"),
        ({**CLAIM, "obtained_at": "0001-01-02T10:00"}, "Nobody agreed to texts that long ago"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_starts(marketer, over, says):
    upload(marketer)

    assert says in text(marketer.post(step("columns"), settings(**over)))
    assert ContactImport.objects.get().state == ImportState.UPLOADED


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty"),
        (b"PK\x03\x04zip", "The workbook is damaged"),
        (b"+12125550101,Ann\n", "is not a header"),
        (b"x" * 70_000, "the most is"),
    ],
)
def test_a_file_that_cannot_be_read_gets_an_answer(marketer, content, says):
    page = text(upload(marketer, content))

    assert says in page
    assert not ContactImport.objects.exists()


def test_the_same_file_again_is_said(marketer):
    upload(marketer)
    marketer.post(step("columns"), settings())
    marketer.post(step("start"))

    again = marketer.get(upload(marketer).url)

    assert "imported already" in text(again)


def test_an_import_can_be_cancelled_and_not_started_after(marketer):
    upload(marketer)
    marketer.post(step("columns"), settings())
    marketer.post(step("cancel"))

    answer = marketer.post(step("start"), follow=True)

    assert "cannot be started" in text(answer)
    assert ContactImport.objects.get().state == ImportState.CANCELLED


def test_imports_are_for_those_who_may(client):
    client.force_login(factories.staff("contacts.view_contact"))

    assert upload(client).status_code == 403
    assert client.get("/admin/contacts/contactimport/1/columns/").status_code == 403
    assert client.get("/admin/contacts/contactimport/").status_code == 403


def test_no_page_of_ours_has_inline_script_or_style(desk):
    contact = factories.contact()
    opted_in(contact, factories.brand())
    upload(desk)

    for page in (page_of(desk, contact), contacts_page(desk), text(desk.get(step("columns")))):
        assert " style=" not in page
        assert " onclick=" not in page
