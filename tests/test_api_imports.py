"""Imports over the API: the same verbs as the pages, with one status URL."""

import io

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile

from contacts import dry_run, importing, undoing, uploads
from contacts.models import Contact, ContactImport, ContactList, ImportState
from smsdesk.models import Scope
from tests import factories
from tests.test_importing import done
from tests.test_workbooks import workbook

pytestmark = pytest.mark.django_db
URL = "/api/v1/imports/"
FILE = "Mobile,Full name,Town\n(212) 555-0101,Ann,Rome\nhello,Bo,\n+12125550101,Again,\n+12125550103,Cy,\n"
CONSENT = {
    "purpose": "marketing",
    "basis": "express_written",
    "obtained_at": "2026-01-02T10:00:00Z",
    "method": "web_form",
    "wording": "I agree to texts from Acme",
    "source": "Sign-up form",
}


@pytest.fixture
def api():
    return factories.api()


def send(api, content: str | bytes = FILE, name: str = "people.csv", **headers):
    raw = content.encode() if isinstance(content, str) else content
    return api.post(URL, {"file": SimpleUploadedFile(name, raw)}, headers=headers)


def put(api, ref: str, body):
    return api.put(f"{URL}{ref}/settings/", body, content_type="application/json")


def post(api, ref: str, verb: str, body=None, **headers):
    return api.post(f"{URL}{ref}/{verb}/", body or {}, content_type="application/json", headers=headers)


def settings(**over):
    columns = {"Mobile": "phone", "Full name": "name", "Town": "attributes.city"}
    brand = over.pop("brand", None) or factories.brand().slug
    return {"columns": columns, "brand": brand, "list": "Spring", "default_country": "US", **over}


def test_a_file_goes_from_upload_to_undo(api):
    made = send(api)
    assert made.status_code == 201, made.json()
    ref = made.json()["id"]
    assert made.json()["columns"] == {"Mobile": "phone", "Full name": "name", "Town": "attributes.city"}
    assert made.json()["state"] == "uploaded"

    told = put(api, ref, settings(consent=CONSENT))
    assert told.status_code == 202, told.json()
    forecast = told.json()["forecast"]
    assert forecast.pop("checked_at")
    assert forecast == {
        "created": 2, "updated": 0, "duplicate": 1, "invalid": 1, "suppressed": 0, "consents": 2, "remarks": 2,
    }  # fmt: skip
    assert told.json()["consent"] == CONSENT
    assert not Contact.objects.exists()

    assert post(api, ref, "start").status_code == 202
    importing.run(ContactImport.objects.get().pk)
    report = api.get(f"{URL}{ref}/").json()
    assert (report["state"], report["percent"]) == ("finished", 100)
    assert report["counts"] == {
        "created": 2, "updated": 0, "duplicate": 1, "invalid": 1, "suppressed": 0, "consents": 2,
    }  # fmt: skip
    problems = api.get(f"{URL}{ref}/problems/").json()
    assert [(one["line"], one["column"]) for one in problems["data"]] == [(3, "Mobile"), (4, "Mobile")]
    assert ContactList.objects.get(name="Spring").contacts.count() == 2

    assert post(api, ref, "undo").status_code == 202
    undoing.run(ContactImport.objects.get().pk)
    undo = api.get(f"{URL}{ref}/").json()["undo"]
    assert (undo["people"], undo["places"], undo["consents"], undo["left"]) == (2, 2, 2, {})
    assert not Contact.objects.exists()


def test_a_workbook_says_which_sheet_is_read(api):
    made = send(api, workbook(["phone"], ["+12125550101"]), name="fair.xlsx").json()

    assert (made["sheet"], made["columns"]) == ("People", {"phone": "phone"})


def test_the_same_upload_under_one_key_is_one_import(api):
    first = send(api, **{"Idempotency-Key": "a"})
    again = send(api, **{"Idempotency-Key": "a"})  # its parts are divided by another line
    other = send(api, FILE + "+12125550104,Di,\n", **{"Idempotency-Key": "a"})

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert ContactImport.objects.count() == 1


def test_a_start_under_one_key_starts_once(api):
    ref = send(api).json()["id"]
    put(api, ref, settings())

    answers = [post(api, ref, "start", **{"Idempotency-Key": "s"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert post(api, ref, "start").json()["code"] == "wrong_import_state"


@pytest.mark.parametrize(
    ("over", "pointer"),
    [
        ({"columns": {"Mobile": "phone", "Nothing": "name"}}, "/columns"),
        ({"columns": {"Full name": "name"}}, "/columns"),
        ({"columns": {"Mobile": "salary"}}, "/columns"),
        ({"brand": "nobody"}, "/brand"),
        ({"default_country": "U1"}, "/default_country"),
        ({"consent": {**CONSENT, "obtained_at": "2099-01-01T00:00:00Z"}}, "/consent/obtained_at"),
        ({"consent": {**CONSENT, "wording": " "}}, "/consent/wording"),
        ({"consent": {"purpose": "marketing"}}, "/consent/basis"),
        ({"lists": ["x"]}, "/lists"),
    ],
)
def test_what_is_wrong_with_the_settings_is_pointed_at_and_changes_nothing(api, over, pointer):
    ref = send(api).json()["id"]

    refused = put(api, ref, settings(**over))

    assert refused.status_code == 400, refused.json()
    assert pointer in [fault["pointer"] for fault in refused.json()["errors"]]
    assert ContactImport.objects.get().state == ImportState.UPLOADED


@pytest.mark.parametrize(
    ("content", "code"),
    [("", "file_is_empty"), (b"%PDF-1.4", "file_is_not_csv"), (b"PK\x03\x04", "workbook_unreadable")],
)
def test_a_file_that_cannot_be_read_is_a_problem_with_its_cure(api, content, code):
    refused = send(api, content)

    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert refused.json()["errors"][0]["pointer"] == "/file"
    assert not ContactImport.objects.exists()


def test_a_body_without_a_file_or_of_another_kind_is_refused(api):
    assert api.post(URL, {"note": "x"}).status_code == 400
    assert api.post(URL, {"file": "x"}, content_type="application/json").status_code == 415
    assert api.generic("POST", URL, b"--x", content_type="multipart/form-data").status_code == 400
    assert api.generic("POST", URL, b"--x", content_type="multipart/form-data; boundary=y").status_code == 400


def test_a_file_that_is_too_large_is_refused_unread(api):
    huge = str(uploads.MAX_BYTES + 2**20)

    refused = api.generic(
        "POST", URL, io.BytesIO(b"x").read(), content_type="multipart/form-data; boundary=y", CONTENT_LENGTH=huge
    )

    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")


def test_a_large_file_is_tried_by_the_worker_and_may_be_cancelled(api):
    ref = send(api, "phone\n" + "+12125550101\n" * 6_000).json()["id"]

    told = put(api, ref, settings(columns={"phone": "phone"})).json()

    assert (told["state"], told["percent"], told["forecast"]["checked_at"]) == ("checking", 0, None)
    while dry_run.run(ContactImport.objects.get().pk):
        pass
    assert api.get(f"{URL}{ref}/").json()["forecast"]["duplicate"] == 5_999
    assert post(api, ref, "dry-run").json()["state"] == "checking"
    assert post(api, ref, "cancel").json()["state"] == "cancelled"
    assert post(api, ref, "resume").status_code == 409


def test_remarks_come_in_pages(api, monkeypatch):
    monkeypatch.setattr("contacts.api.imports._PAGE", 2)
    made = done("phone\n" + "bad\n" * 5)
    lines, url = [], f"{URL}{made.ref}/problems/"

    while url:
        page = api.get(url).json()
        lines += [one["line"] for one in page["data"]]
        url = page["next"]

    assert lines == [2, 3, 4, 5, 6]
    for query in ({"cursor": "x"}, {"cursor": "9" * 40}, {"cursor": "0"}, {"page": "2"}):
        assert api.get(f"{URL}{made.ref}/problems/", query).status_code == 400


def test_imports_are_listed_by_state(api):
    ready_one, finished = send(api).json()["id"], done("phone\n+12125550101\n").ref

    assert [one["id"] for one in api.get(URL).json()["data"]] == [finished, ready_one]
    assert [one["id"] for one in api.get(URL, {"state": "finished"}).json()["data"]] == [finished]
    assert api.get(URL, {"state": "x"}).status_code == 400


def test_reading_and_importing_are_two_scopes():
    made = done("phone\n+12125550101\n")
    reads = factories.api(factories.api_key(scopes=[Scope.IMPORTS_READ])[1])
    writes = factories.api(factories.api_key(scopes=[Scope.IMPORTS_WRITE])[1])
    neither = factories.api(factories.api_key(scopes=[Scope.CONTACTS_WRITE, Scope.CONTACTS_READ])[1])

    assert reads.get(f"{URL}{made.ref}/").status_code == 200
    assert reads.get(f"{URL}{made.ref}/problems/").status_code == 200
    assert writes.get(f"{URL}{made.ref}/").status_code == 403
    assert send(reads).status_code == 403
    assert send(writes).status_code == 201
    for verb in ("dry-run", "start", "cancel", "resume", "undo"):
        assert post(reads, made.ref, verb).status_code == 403
        assert post(neither, made.ref, verb).status_code == 403
    assert put(reads, made.ref, settings()).status_code == 403


def test_who_did_it_with_which_key_stands_in_the_log():
    key, text = factories.api_key()
    api = factories.api(text)
    ref = send(api).json()["id"]
    put(api, ref, settings())

    post(api, ref, "start")

    said = [entry.change_message for entry in LogEntry.objects.filter(user=key.owner).order_by("pk")]
    assert said == [f"Uploaded with the API key {key.prefix}.", f"Import started with the API key {key.prefix}."]
