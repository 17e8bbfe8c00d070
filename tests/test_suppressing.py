"""Suppressing phones by hand, by paste and upload, over the API: with or without a contact, many at once."""

import threading
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import chain, consent, number_lists, rebuilding, suppressing
from contacts.models import ConsentEvent, ConsentSource, Contact, ContactList, Hold, Purpose, Suppression
from smsdesk import phones
from smsdesk.errors import Invalid
from smsdesk.models import Scope
from tests import factories, judging
from tests.factories import NOW

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/contacts/suppression/add/"
API = "/api/v1/suppressions/"


def key(phone: str) -> str:
    return phones.subscriber_key(phone)


def refusal(**over) -> suppressing.Refusal:
    return suppressing.Refusal(**{"brand": None, "source": ConsentSource.COMPLAINT, "note": "letter", **over})


def suppress(*numbers: str, now=NOW, **over) -> suppressing.Suppressed:
    found = {key(number): number for number in numbers}
    return suppressing.suppress(found, refusal=refusal(**over), occurred_at=now, now=now, by="ann")


def ledger_is_sound() -> bool:
    return chain.first_break() is None and rebuilding.first_difference() is None


# --- The verb ---------------------------------------------------------------------------------------------


def test_a_phone_nobody_has_is_suppressed_and_so_is_whoever_comes_with_it_later():
    brand = factories.brand()
    suppress("+12125550142")

    assert not Contact.objects.exists()
    fresh = consent.get_or_add(phones.parse("+12125550142", default_region=""), now=NOW)
    verdict = judging.may_i(fresh, brand=brand, purpose=Purpose.TRANSACTIONAL, at=NOW)
    assert verdict.code == "SUPPRESSED"
    assert ledger_is_sound()


def test_a_contact_is_suppressed_and_their_open_review_is_answered():
    brand = factories.brand()
    person = factories.opted_in(brand)
    consent.hold(person, brand=brand, inbound_id=None, said_at=NOW, now=NOW)

    suppress(person.phone, now=NOW + timedelta(hours=1))

    assert judging.may_i(person, brand=brand, purpose=Purpose.MARKETING, at=NOW).code == "SUPPRESSED"
    assert Hold.objects.get().was_opt_out
    event = ConsentEvent.objects.get(kind="opt_out")
    assert event.evidence.document == {"phone": person.phone, "note": "letter"}
    assert event.actor == "ann"
    assert ledger_is_sound()


def test_twice_writes_once_and_a_heavier_cause_is_written_over_a_lighter_one():
    brand = factories.brand()
    person = factories.contact()
    consent.opt_out(person, brand=None, source=ConsentSource.TEXT, occurred_at=NOW, now=NOW)

    assert suppress(person.phone) == suppressing.Suppressed(new=1, standing=0)  # START no longer lifts it
    assert suppress(person.phone) == suppressing.Suppressed(new=0, standing=1)
    proof = consent.Proof(wording="START", method="keyword", act="texted START")
    later = NOW + timedelta(days=1)
    consent.resume(person, brand=brand, proof=proof, occurred_at=later, now=later)

    assert Suppression.objects.filter(lifted_by=None, brand=None, source="complaint").count() == 1


def test_only_the_brand_and_purposes_that_were_refused_are_suppressed():
    one, two = factories.brand(), factories.brand()
    suppress("+12125550142", brand=one, purposes=("marketing", "transactional"))

    scopes = Suppression.objects.values_list("brand", "purpose")
    assert set(scopes) == {(one.pk, "marketing"), (one.pk, "transactional")}
    assert two.pk not in {brand for brand, _ in scopes}


def test_without_evidence_nothing_is_written():
    with pytest.raises(Invalid) as refused:
        suppress("+12125550142", note=" \x00")
    assert refused.value.field == "note"
    assert not ConsentEvent.objects.exists()


def test_many_cost_no_more_queries_than_few():
    few = [f"+1212555{number:04}" for number in range(100, 103)]
    many = [f"+1213555{number:04}" for number in range(100, 200)]
    costs = []
    for numbers in (few, many):
        with CaptureQueriesContext(connection) as captured:
            suppress(*numbers)
        costs.append(len(captured))
    assert costs[0] == costs[1] <= 20
    assert Suppression.objects.count() == 103


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_the_same_phones_suppressed_at_the_same_moment_are_suppressed_once():
    numbers = [f"+1212555{number:04}" for number in range(100, 140)]
    failed = []

    def work(turn: int) -> None:
        try:
            if turn % 3:
                suppress(*(numbers if turn % 2 else reversed(numbers)))
            else:
                for number in numbers[:20]:
                    person = consent.get_or_add(phones.parse(number, default_region=""), now=NOW)
                    consent.opt_out(person, brand=None, source=ConsentSource.TEXT, occurred_at=NOW, now=NOW)
        except Exception as problem:
            failed.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[turn]) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [problem for problem in failed if "deadlock" in str(problem)] == []
    assert Suppression.objects.filter(lifted_by=None).count() == 40
    assert chain.first_break() is None


# --- What is typed, pasted, uploaded ----------------------------------------------------------------------


def test_numbers_are_found_on_lines_of_any_shape():
    text = (
        "phone;name\r\n"
        "+1 212 555 0142;Ann\n"
        '"Bo", "(212) 555-0143"\n'
        "\n"
        "212.555.0142,again\n"
        "hello\n"
        "1.2E+10\n"
        "+1 900 555 0100\n"
    )

    read = number_lists.read(text, default_region="US")

    assert list(read.found.values()) == ["+12125550142", "+12125550143"]
    assert read.repeated == 1
    assert [(problem.line, problem.reason[:11]) for problem in read.problems] == [
        (6, "Letters are"),
        (7, read.problems[1].reason[:11]),
        (8, read.problems[2].reason[:11]),
    ]
    assert all("555" not in problem.shown[4:] for problem in read.problems)


@pytest.fixture
def desk(client):
    client.force_login(factories.staff("contacts.view_suppression", "contacts.add_suppression"))
    return client


GIVEN = {"numbers": "+12125550142", "source": "complaint", "note": "Letter of 4 May"}


def post(client, **over):
    return client.post(ADDRESS, {**GIVEN, **over}).content.decode()


def test_a_number_is_suppressed_by_hand_and_found_in_the_list(desk):
    brand = factories.brand()
    person = factories.contact("+12125550142")

    page = post(desk, brand=brand.pk, purposes=["marketing"])

    assert "Suppressed: 1. Suppressed like this before: 0." in page
    assert set(Suppression.objects.values_list("brand", "purpose", "source")) == {
        (brand.pk, "marketing", "complaint")
    }
    shown = desk.get(reverse("admin:contacts_suppression_changelist")).content.decode()
    assert phones.mask(person.phone) in shown
    assert person.phone not in shown


def test_thousands_are_pasted_and_each_line_is_accounted_for(desk):
    lines = [f"+1212{exchange}{line:04}" for exchange in (555, 556) for line in range(100, 1100)]
    page = post(desk, numbers="\n".join([*lines, "nonsense", lines[0]]))

    assert "Suppressed: 2,000." in page
    assert "Repeated lines: 1." in page
    assert "Not understood: 1." in page
    assert "Letters are not accepted" in page
    assert Suppression.objects.filter(brand=None, purpose="*").count() == 2_000
    assert "Suppressed like this before: 2,000." in post(desk, numbers="\n".join(lines))


def test_a_file_is_read_in_the_country_that_is_given(desk):
    file = SimpleUploadedFile("stop.csv", "Téléphone\n06 12 34 56 78\n".encode("cp1252"), content_type="text/csv")

    page = post(desk, numbers="", file=file, default_country="fr")

    assert "Suppressed: 1." in page
    assert Suppression.objects.get().subscriber_key == key("+33612345678")


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"numbers": ""}, "at least one number"),
        ({"numbers": "\n".join(["1"] * 20_001)}, "at most 20,000"),
        ({"note": ""}, "This field is required"),
        ({"note": "\u200b"}, ""),
        ({"source": "text"}, "Select a valid choice"),
        ({"default_country": "USA"}, "at most 2 characters"),
        ({"default_country": "1!"}, "not a country code"),
        ({"brand": "999"}, "Select a valid choice"),
        ({"purposes": ["compliance"]}, "Select a valid choice"),
        ({"numbers": "2125550142"}, "Not understood: 1"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(desk, over, says):
    assert says in post(desk, **over)
    assert not Suppression.objects.exists() or over == {"note": "\u200b"}


def test_suppressions_are_never_deleted_and_added_only_by_right(client):
    suppress("+12125550142")
    row = Suppression.objects.get()
    client.force_login(factories.staff("contacts.view_suppression", "contacts.delete_suppression"))

    assert client.get(ADDRESS).status_code == 403
    assert client.post(ADDRESS, GIVEN).status_code == 403
    assert (
        client.post(reverse("admin:contacts_suppression_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    )
    assert Suppression.objects.count() == 1


# --- API --------------------------------------------------------------------------------------------------


def call(api, body, url=API):
    return api.post(url, body, content_type="application/json")


def test_the_api_suppresses_and_lists():
    api, brand = factories.api(), factories.brand()
    person = factories.contact("+12125550142")
    body = {"phones": ["+12125550142", "x", "+1 212 555 0143"], "source": "verbal", "note": "said so"}

    made = call(api, {**body, "brand": brand.slug})

    assert made.status_code == 201, made.json()
    assert (made.json()["new"], made.json()["standing"]) == (2, 0)
    assert [one["outcome"] for one in made.json()["phones"]] == ["suppressed", "invalid", "suppressed"]
    rows = api.get(API).json()["data"]
    assert {row["contact"] for row in rows} == {person.ref, None}
    assert {(row["brand"], row["purpose"], row["stands"]) for row in rows} == {(brand.slug, "*", True)}
    assert len(api.get(f"{API}?phone=%2B12125550143&stands=true").json()["data"]) == 1
    assert api.get(f"{API}?stands=false").json()["data"] == []
    assert "55501" not in str(rows)


@pytest.mark.parametrize(
    "over",
    [
        {"phones": []},
        {"phones": ["+1"] * 1001},
        {"phones": "x"},
        {"source": "text"},
        {"source": "admin"},
        {"note": ""},
        {"purposes": ["compliance"]},
        {"brand": "nobody"},
        {"lift": True},
    ],
)
def test_the_api_refuses_what_is_not_understood(over):
    body = {"phones": ["+12125550142"], "source": "complaint", "note": "x", **over}
    assert call(factories.api(), body).status_code == 400
    assert not Suppression.objects.exists()


def test_a_key_that_may_only_read_suppresses_nobody():
    reader = factories.api(factories.api_key(scopes=[Scope.CONTACTS_READ])[1])
    body = {"phones": ["+12125550142"], "source": "complaint", "note": "x"}
    assert call(reader, body).status_code == 403
    assert reader.get(API).status_code == 200


def test_lists_over_the_api():
    api, person = factories.api(), factories.contact()
    factories.contact_list(person, name="Trial")
    url = f"/api/v1/contacts/{person.ref}/lists/"

    assert call(api, {"name": "VIP", "description": "The best"}, "/api/v1/lists/").status_code == 201
    assert call(api, {"name": "VIP"}, "/api/v1/lists/").status_code == 409
    assert call(api, {"name": " "}, "/api/v1/lists/").status_code == 400
    assert [one["name"] for one in api.get("/api/v1/lists/").json()["data"]] == ["Trial", "VIP"]
    assert call(api, {"add": ["VIP"], "remove": ["Trial"]}, url).json()["lists"] == ["VIP"]
    assert call(api, {"add": ["VIP"]}, url).json()["lists"] == ["VIP"]
    assert call(api, {"add": ["Nobody"]}, url).status_code == 400
    assert ContactList.objects.count() == 2
