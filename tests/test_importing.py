import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from contacts import (
    chain,
    claims,
    consent,
    import_batches,
    import_hands,
    import_lease,
    importing,
    reading,
    rebuilding,
    tasks,
    uploads,
)
from contacts.models import (
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    ContactList,
    ImportChunk,
    ImportState,
    ListMembership,
    Suppression,
    ZoneSource,
)
from smsdesk import phones
from smsdesk.errors import Invalid, WrongState
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def upload(content: bytes | str, *, piece: int = 65_536) -> ContactImport:
    raw = content.encode() if isinstance(content, str) else content
    pieces = (raw[i : i + piece] for i in range(0, len(raw), piece))
    return uploads.store(pieces, filename="people.csv", by_id=None)


def ready(content: bytes | str, **over) -> ContactImport:
    made = upload(content)
    options = {
        "columns": importing.mapping.guess(made.header),
        "brand": over.pop("brand", None) or factories.brand(),
        "contact_list": None,
        "default_country": "US",
        "claim": None,
        "now": NOW,
    }
    importing.configure(made, **(options | over))
    return made


def done(content: bytes | str, **over) -> ContactImport:
    made = ready(content, **over)
    importing.start(made, now=NOW)
    importing.run(made.pk)
    made.refresh_from_db()
    return made


def counts(made: ContactImport) -> tuple[int, int, int, int, int]:
    return (made.created, made.updated, made.duplicate, made.invalid, made.suppressed)


def reasons(made: ContactImport) -> list[tuple[int, str, str]]:
    return [(p.line, p.column, p.reason) for p in made.problems.order_by("line", "column")]


def test_people_are_imported_with_their_fields():
    made = done("Phone,Full name,Customer ID,City,Notes\n(212) 555-0101,Ann,c1,Rome,x\n+442079460101,Bo,,,\n")

    ann = Contact.objects.get(external_id="c1")
    assert (made.state, counts(made)) == (ImportState.FINISHED, (2, 0, 0, 0, 0))
    assert (ann.phone, ann.name, ann.country, ann.attributes) == ("+12125550101", "Ann", "US", {"city": "Rome"})
    assert Contact.objects.get(name="Bo").country == "GB"
    assert not ImportChunk.objects.exists()


def test_a_column_with_the_country_reads_the_numbers_of_its_row():
    done("phone,country\n020 7946 0101,GB\n")

    assert Contact.objects.get().phone == "+442079460101"


def test_everybody_joins_the_list_once():
    members = ContactList.objects.create(name="Spring")
    for _ in range(2):
        done("phone\n+12125550101\n+12125550102\n", contact_list=members)

    assert members.contacts.count() == ListMembership.objects.count() == 2


def test_who_was_added_and_who_was_put_on_the_list_by_which_import_is_known():
    members = ContactList.objects.create(name="Spring")
    known = factories.contact("+12125550101")
    ListMembership.objects.create(list=members, contact=known)

    first = done("phone\n+12125550101\n+12125550102\n", contact_list=members)
    done("phone\n+12125550101\n+12125550102\n", contact_list=members)

    assert [c.created_import for c in Contact.objects.order_by("phone")] == [None, first.pk]
    places = members.memberships.order_by("contact__phone")
    assert [place.added_import for place in places] == [None, first.pk]


def test_existing_contacts_are_completed_but_nothing_is_emptied():
    known = factories.contact("+12125550101", name="Ann", language="en", attributes={"city": "Rome", "tier": "1"})

    made = done("phone,name,language,attributes.tier\n+12125550101,,fr,\n", columns=TIER)

    known.refresh_from_db()
    assert counts(made) == (0, 1, 0, 0, 0)
    assert (known.name, known.language, known.attributes) == ("Ann", "fr", {"city": "Rome", "tier": "1"})


TIER = {"phone": "phone", "name": "name", "language": "language", "attributes.tier": "attributes.tier"}


def test_a_time_zone_the_person_stated_is_kept():
    known = factories.contact("+12125550101", time_zone="America/Denver", time_zone_source=ZoneSource.STATED)

    done("phone,timezone\n+12125550101,America/New_York\n+12125550102,America/Chicago\n")

    known.refresh_from_db()
    assert known.time_zone == "America/Denver"
    assert Contact.objects.get(phone="+12125550102").time_zone_source == ZoneSource.IMPORT


def test_the_same_handset_twice_is_one_contact_and_the_first_line_wins():
    made = done("phone,name\n+5491123456789,Ann\n+541123456789,Bo\n+54 9 11 2345-6789,Cy\n")

    assert counts(made) == (1, 0, 2, 0, 0)
    assert Contact.objects.get().name == "Ann"
    assert [line for line, _, _ in reasons(made)] == [3, 4]


def test_a_duplicate_far_behind_its_first_line_is_known(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 1)
    made = done("phone,name\n+12125550101,Ann\n+12125550102,Bo\n+12125550101,Cy\n")

    assert counts(made) == (2, 0, 1, 0, 0)
    assert Contact.objects.get(phone="+12125550101").name == "Ann"


def test_an_external_id_of_somebody_else_is_refused():
    factories.contact("+12125550109", external_id="c1")

    made = done("phone,external id\n+12125550101,c1\n+12125550102,c2\n+12125550103,c2\n")

    assert counts(made) == (1, 0, 0, 2, 0)
    assert [(line, column) for line, column, _ in reasons(made)] == [(2, "external id"), (4, "external id")]


def test_a_suppressed_person_stays_suppressed_and_the_report_says_so():
    brand = factories.brand()
    factories.suppression("+12125550101", brand=brand, source=ConsentSource.TEXT)
    factories.suppression("+12125550102", brand=factories.brand(), source=ConsentSource.TEXT)

    made = done("phone\n+12125550101\n+12125550102\n", brand=brand)

    assert counts(made) == (2, 0, 0, 0, 1)
    [(line, _, reason)] = reasons(made)
    assert line == 2
    assert "still opted out" in reason


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        ("hello", "phone", "Letters"),
        ("1.65E+10", "phone", "spreadsheet"),
        ("", "phone", "missing"),
        ("+1800555\x000101", "phone", "NUL"),
        ("123", "phone", ""),
        ('"+12125550101', "", "never closed"),
        ('"+12125550101"x', "", "quote"),
        ("+12125550101,Ann,more", "", "3 cells"),
        ("x" * 70_000, "", "70,001 bytes"),
    ],
)
def test_a_bad_row_is_reported_and_the_others_are_taken(row, column, says):
    content = f"phone,name\n+12125550100,Al\n{row},\n" if not row else f"phone,name\n+12125550100,Al\n{row}\n"
    content = content.replace("\n,\n", "\n,Nobody\n") + "+12125550199,Zed\n"

    made = done(content)

    assert counts(made) == (2, 0, 0, 1, 0)
    [(line, named, reason)] = reasons(made)
    assert (line, named) == (3, column)
    assert says in reason


@pytest.mark.parametrize(
    ("column", "value"),
    [("name", "x" * 121), ("timezone", "Mars/Base"), ("state", "Texas"), ("language", "??"), ("city", "y" * 501)],
)
def test_a_bad_optional_cell_is_left_out_and_said(column, value):
    made = done(f"phone,{column}\n+12125550101,{value}\n")

    assert counts(made) == (1, 0, 0, 0, 0)
    [(line, named, reason)] = reasons(made)
    assert (line, named) == (2, column)
    assert reason.startswith("Imported without this value.")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("phone,name\n+12125550101,Zoë\n".encode("utf-8-sig"), ["Zoë"]),
        ("phone,name\r\n+12125550101,Zoë\r\n".encode("utf-16"), ["Zoë"]),
        ("phone,name\n+12125550101,Zoë\n".encode("utf-16-le"), ["Zoë"]),
        ("phone,name\n+12125550101,Zoë\n".encode("cp1252"), ["Zoë"]),
        ("phone;name\n+12125550101;Zoë\n".encode(), ["Zoë"]),
        (b"phone,name\n+12125550101,Ann\xed\xa0\x80\n" + "+12125550102,Zoë Łu\n".encode(), ["Zoë Łu"]),
        (b"phone,name\n+12125550101,a<script>alert(1)</script>\n", ["a<script>alert(1)</script>"]),
        ("phone,name\n+12125550101,\u202eevil\u200b\n".encode(), ["evil"]),
    ],
)
def test_encodings(content, names):
    done(content)

    assert list(Contact.objects.values_list("name", flat=True)) == names


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_is_empty"),
        (b"\xef\xbb\xbf \r\n", "file_is_empty"),
        (b"PK\x03\x04rest", "workbook_unreadable"),
        ("phone\n".encode("utf-32"), "file_is_not_csv"),
        ("phone\n12".encode("utf-16")[:-1], "file_cut_off"),
        (b"+12125550101\n", "header_missing"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_with_a_cure_and_leaves_nothing(content, code):
    with pytest.raises(Invalid) as refused:
        upload(content)

    assert refused.value.code == code
    assert refused.value.cure
    assert not ContactImport.objects.exists()
    assert not ImportChunk.objects.exists()


def test_a_header_without_rows_finishes_with_nothing():
    made = done("phone,name\n")

    assert (made.state, counts(made)) == (ImportState.FINISHED, (0, 0, 0, 0, 0))


def test_a_file_in_many_pieces_is_the_same_file(monkeypatch):
    monkeypatch.setattr(uploads, "PIECE", 17)
    made = upload("phone,name\n" + "".join(f'+1212555{n:04},"a\nß"\n' for n in range(100, 150)), piece=5)

    rows = list(import_batches.records(made, offset=made.offset, line=made.line))

    assert [row.cells for row in rows] == [[f"+1212555{n:04}", "a\nß"] for n in range(100, 150)]
    assert rows[-1].end == made.size == sum(len(bytes(c.content)) for c in made.chunks.all())


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"name": "name"}, "phone_not_mapped"),
        ({"phone": "phone", "name": "phone"}, "column_mapped_twice"),
        ({"phone": "phone", "name": "salary"}, "unknown_target"),
        ({"phone": "phone", "name": "attributes.First Name"}, "invalid_attribute_name"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(columns, code):
    with pytest.raises(Invalid) as refused:
        ready("phone,name\n+12125550101,Ann\n", columns=columns)

    assert refused.value.code == code


def test_a_run_that_ends_early_is_continued_behind_its_last_batch(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 3)
    made = ready("phone\n" + "".join(f"+1212555{n:04}\n" for n in range(100, 110)))
    importing.start(made, now=NOW)

    goes_on = importing.run(made.pk, seconds=0)

    made.refresh_from_db()
    assert goes_on
    assert (made.created, made.line, made.token) == (3, 4, None)
    while importing.run(made.pk, seconds=0):
        pass
    made.refresh_from_db()
    assert (made.state, counts(made), Contact.objects.count()) == (ImportState.FINISHED, (10, 0, 0, 0, 0), 10)


def test_a_second_worker_finds_the_lease_taken_until_it_lapses():
    made = ready("phone\n+12125550101\n")
    importing.start(made, now=NOW)
    taken = ContactImport.objects.filter(pk=made.pk)
    now = importing.clock.database_now()

    taken.update(token=uuid.uuid4(), lease_until=now + timedelta(seconds=30))
    assert not importing.run(made.pk)
    assert not Contact.objects.exists()
    assert not import_lease.stalled()

    taken.update(lease_until=now - timedelta(seconds=1))
    assert list(import_lease.stalled()) == [made]
    importing.run(made.pk)
    assert Contact.objects.count() == 1


def test_a_worker_that_lost_its_lease_writes_nothing():
    made = ready("phone\n+12125550101\n")
    importing.start(made, now=NOW)
    batch = next(import_batches.batches(made, offset=made.offset, line=made.line))

    with pytest.raises(import_lease.Lost):
        importing._write(made, batch, turn=import_hands.Turn(), token=uuid.uuid4())

    assert not Contact.objects.exists()


def test_a_cancelled_import_stops_and_keeps_what_it_has(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 2)
    made = ready("phone\n" + "".join(f"+1212555{n:04}\n" for n in range(100, 110)))
    importing.start(made, now=NOW)
    importing.run(made.pk, seconds=0)

    importing.cancel(made, now=NOW)

    assert not importing.run(made.pk)
    assert (made.state, Contact.objects.count(), ImportChunk.objects.count()) == (ImportState.CANCELLED, 2, 0)
    with pytest.raises(WrongState):
        importing.start(made, now=NOW)


def test_starting_twice_is_refused_and_wakes_one_worker():
    made = ready("phone\n+12125550101\n")
    importing.start(made, now=NOW)

    with pytest.raises(WrongState) as refused:
        importing.start(made, now=NOW)

    assert refused.value.cure
    assert OrmQ.objects.count() == 1


def test_the_tick_wakes_the_stalled():
    made = ready("phone\n+12125550101\n")
    importing.start(made, now=NOW)
    OrmQ.objects.all().delete()

    tasks.tend_imports()

    assert OrmQ.objects.count() == 1


def test_files_nobody_imports_are_discarded():
    old, fresh, broken = upload("phone\n+12125550101\n"), upload("phone\n1\n"), upload("phone\n2\n")
    ContactImport.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=8))
    ContactImport.objects.filter(pk=broken.pk).update(created_at=timezone.now() - timedelta(days=2), sha256="")

    assert importing.discard_abandoned(now=timezone.now()) == 1

    assert list(ImportChunk.objects.values_list("contact_import", flat=True)) == [fresh.pk]
    assert set(ContactImport.objects.values_list("pk", "state")) == {(old.pk, "cancelled"), (fresh.pk, "uploaded")}


CLAIM = claims.Claim(
    purpose="marketing",
    basis="express_written",
    obtained_at=NOW - timedelta(days=2),
    method="web_form",
    wording="I agree to get texts from Acme.",
    source="Sign-up form, export of May",
)


def test_consent_is_recorded_once_per_person_with_its_proof():
    brand = factories.brand()
    made = done("phone\n+12125550101\n(212) 555-0101\nbad\n", brand=brand, claim=CLAIM)
    done("phone\n+12125550101\n", brand=brand, claim=CLAIM)

    assert (made.consents, ContactImport.objects.latest("pk").consents) == (1, 0)
    [state] = ConsentState.objects.all()
    [event] = consent.history(phones.subscriber_key("+12125550101"))
    assert (state.purpose, state.basis, state.is_active, state.is_proven) == (
        "marketing",
        "express_written",
        True,
        True,
    )
    assert (event.occurred_at, event.actor) == (CLAIM.obtained_at, made.ref)
    assert event.evidence.document["wording"] == CLAIM.wording


def test_the_ledger_explains_what_an_import_wrote_for_new_and_known_people():
    brand = factories.brand()
    known = factories.contact("+12125550101")
    consent.opt_out(known, brand=brand, source=ConsentSource.TEXT, occurred_at=NOW - timedelta(days=9), now=NOW)
    factories.opted_in(factories.brand(), phone="+12125550102")

    done("phone\n" + "".join(f"+1212555010{n}\n" for n in range(1, 6)), brand=brand, claim=CLAIM)

    assert ConsentState.objects.filter(brand=brand, is_active=True).count() == 4
    assert rebuilding.first_difference() is None
    assert chain.first_break() is None


def test_an_import_without_a_claim_records_no_consent():
    done("phone\n+12125550101\n")

    assert not ConsentEvent.objects.exists()


def test_a_claim_lifts_no_opt_out_whatever_its_date():
    brand = factories.brand()
    contact = factories.contact("+12125550101")
    consent.opt_out(contact, brand=brand, source=ConsentSource.TEXT, occurred_at=NOW - timedelta(days=9), now=NOW)

    made = done("phone\n+12125550101\n", brand=brand, claim=CLAIM)

    assert made.suppressed == 1
    assert Suppression.objects.get().lifted_by is None
    assert not ConsentState.objects.filter(is_active=True).exists()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("purpose", "compliance"),
        ("basis", "unproven"),
        ("method", ""),
        ("wording", " \n"),
        ("source", ""),
        ("obtained_at", NOW + timedelta(minutes=1)),
    ],
)
def test_a_claim_without_full_proof_is_refused(part, value):
    claim = claims.Claim(**({name: getattr(CLAIM, name) for name in CLAIM.__slots__} | {part: value}))

    with pytest.raises(Invalid) as refused:
        ready("phone\n+12125550101\n", claim=claim)

    assert part.split("_")[0] in refused.value.field
    assert refused.value.cure


def test_a_batch_costs_few_queries(django_assert_max_num_queries):
    members = ContactList.objects.create(name="Spring")
    made = ready("phone\n" + "".join(f"+1212555{n:04}\n" for n in range(100, 199)), contact_list=members)
    importing.start(made, now=NOW)

    with django_assert_max_num_queries(24):
        importing.run(made.pk)

    assert connection.vendor in ("sqlite", "postgresql")


def test_an_import_gets_on_within_blank_lines_however_many_there_are():
    blank = "\n" * (3 * reading.BLANK_AT_ONCE)
    made = ready(f"phone\n+12125550101\n{blank}+12125550102\n")
    importing.start(made, now=NOW)
    ends = [batch.end for batch in import_batches.batches(made, offset=made.offset, line=made.line)]
    assert len(ends) == 4
    rounds = 0
    while importing.run(made.pk, seconds=0):
        rounds += 1
    made.refresh_from_db()
    assert rounds >= 3
    assert (made.state, counts(made)) == (ImportState.FINISHED, (2, 0, 0, 0, 0))
