"""The ledger's chain: gapless, unforked, and guarded by the database itself."""

import contextlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from contacts import chain, claims, consent, import_batches, importing, ledger_guard, rebuilding
from contacts.models import (
    ConsentEvent,
    ConsentEvidence,
    ConsentSource,
    ConsentState,
    Contact,
    LedgerAnchor,
    LedgerHead,
    Suppression,
)
from smsdesk import phones
from tests import factories
from tests.racing import at_once
from tests.test_importing import ready

NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
needs_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")


def stop(contact, brand):
    return consent.opt_out(contact, brand=brand, source=ConsentSource.TEXT, occurred_at=NOW, now=NOW)


@pytest.fixture
def ledger(db):
    """Five events of five people."""
    brand = factories.brand()
    return [stop(factories.contact(), brand) for _ in range(5)]


def without_guard(statement, parameters=()):
    """What somebody with full power over the database could do."""
    with connection.schema_editor() as editor:
        ledger_guard.remove(editor)
        editor.execute(statement, parameters)
        ledger_guard.install(editor)


def verified(capsys, *arguments):
    call_command("verify_ledger", *arguments)
    return capsys.readouterr().out


def broken(*arguments):
    with pytest.raises(CommandError) as found:
        call_command("verify_ledger", *arguments)
    return str(found.value)


# --- order and content ----------------------------------------------------------------------------------


def test_events_are_numbered_without_gap_and_each_follows_the_one_before(ledger, capsys):
    rows = list(ConsentEvent.objects.order_by("seq"))
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert [row.prev_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]
    assert f"anchor 5:{rows[-1].hash}" in verified(capsys)


def series_of(keys, *, brand, values, shared):
    pattern = ConsentEvent(
        brand=brand, purposes=["marketing"], kind="import", basis="express", occurred_at=NOW, recorded_at=NOW,
        source="import", actor='imp_1 "quoted"', is_proven=True,
    )  # fmt: skip
    with transaction.atomic():
        series = chain.Series(pattern, keys, seen=chain.anchor()[0])
        series.keep_evidence(shared, name="phone", values=values)
        series.append()
    return list(ConsentEvent.objects.filter(pk__in=series.ids).select_related("evidence").order_by("seq"))


def test_a_series_is_chained_and_committed_as_single_events_are(ledger):
    keys, values = [f"1key{n}" for n in range(3)], ["+12125550100", 'a "b" \\ é', ""]
    shared = {"wording": 'I agree, "truly" \\u0000 {phone}', "act": "form", "source": "été"}

    events = series_of(keys, brand=factories.brand(), values=values, shared=shared)

    stop(factories.contact(), None)
    assert [event.subscriber_key for event in events] == keys
    assert [event.seq for event in events] == [6, 7, 8]
    assert [event.evidence.document for event in events] == [shared | {"phone": value} for value in values]
    assert len({event.evidence.salt for event in events}) == 3
    assert chain.first_break() is None


def test_changing_or_erasing_the_evidence_of_one_in_a_series_concerns_that_one_alone(ledger):
    first, second, _ = series_of(["a", "b", "c"], brand=None, values=["1", "2", "3"], shared={"act": "form"})

    ConsentEvidence.objects.filter(event=first).delete()
    assert chain.first_break() is None

    ConsentEvidence.objects.filter(event=second).update(document={"act": "form", "phone": "9"})
    assert chain.first_break() == chain.Break(second.seq, "its evidence was changed")


def test_a_series_without_a_transaction_is_refused(transactional_db):
    with pytest.raises(transaction.TransactionManagementError):
        chain.Series(ConsentEvent(), [], seen=0).append()


def test_an_empty_ledger_holds(db, capsys):
    assert "0 events" in verified(capsys)


def test_append_without_a_transaction_is_refused(transactional_db):
    with pytest.raises(transaction.TransactionManagementError):
        chain.append([])


@pytest.mark.django_db(transaction=True)
def test_a_changed_event_is_named():
    brand = factories.brand()
    events = [stop(factories.contact(), brand) for _ in range(4)]
    without_guard("UPDATE contacts_consentevent SET actor = 'x' WHERE id = %s", [events[2].pk])
    assert "at seq 3: its content" in broken()


@pytest.mark.django_db(transaction=True)
def test_a_removed_event_is_named():
    brand = factories.brand()
    events = [stop(factories.contact(), brand) for _ in range(4)]
    ConsentEvidence.objects.all().delete()
    Suppression.objects.all().delete()
    without_guard("DELETE FROM contacts_consentevent WHERE id = %s", [events[1].pk])
    assert "at seq 2: event 2 is missing" in broken()


@pytest.mark.django_db(transaction=True)
def test_two_events_that_changed_places_are_named():
    brand = factories.brand()
    first, second = [stop(factories.contact(), brand) for _ in range(2)]
    without_guard("UPDATE contacts_consentevent SET seq = 99 WHERE id = %s", [first.pk])
    without_guard("UPDATE contacts_consentevent SET seq = 1 WHERE id = %s", [second.pk])
    without_guard("UPDATE contacts_consentevent SET seq = 2 WHERE id = %s", [first.pk])
    assert "at seq 1" in broken()


@pytest.mark.django_db(transaction=True)
def test_a_lost_end_is_found_by_the_head_and_with_the_head_by_the_anchor():
    brand = factories.brand()
    events = [stop(factories.contact(), brand) for _ in range(3)]
    ConsentEvidence.objects.all().delete()
    Suppression.objects.all().delete()
    without_guard("DELETE FROM contacts_consentevent WHERE id = %s", [events[2].pk])
    assert "at seq 3: the ledger ends at 2" in broken()
    LedgerHead.objects.update(seq=2, hash=events[1].hash)
    call_command("verify_ledger")
    assert "at seq 3: the anchor" in broken("--anchor", f"3:{events[2].hash}")


def flipped(field, value, *, other_brand):
    """The smallest lie about a value: one bit of one character, one microsecond, yes for no."""
    if field.attname == "brand_id":
        return other_brand.pk
    if isinstance(value, datetime) or field.attname == "expires_at":
        return (value or NOW) + timedelta(microseconds=1)
    if isinstance(value, list):
        return json.dumps(["marketing"])
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1_000
    middle = len(value) // 2
    return value[:middle] + chr(ord(value[middle]) ^ 1) + value[middle + 1 :] if value else "x"


@pytest.mark.django_db(transaction=True)
def test_the_smallest_change_of_any_column_is_found_in_its_row():
    brand, other = factories.brand(), factories.brand()
    events = [stop(factories.contact(), brand) for _ in range(4)]
    number = events[2].seq
    fields = [field for field in ConsentEvent._meta.concrete_fields if not field.primary_key]
    for field in fields:
        row = ConsentEvent.objects.get(pk=events[2].pk)
        kept = field.value_from_object(row)
        change = f"UPDATE contacts_consentevent SET {field.column} = %s WHERE id = %s"
        without_guard(change, [flipped(field, kept, other_brand=other), row.pk])
        assert f"at seq {number}: " in broken(), field.name
        without_guard(change, [json.dumps(kept) if isinstance(kept, list) else kept, row.pk])
        call_command("verify_ledger")
    assert {field.name for field in fields} >= {
        "seq",
        "brand",
        "purposes",
        "expires_at",
        "evidence_commitment",
        "hash",
    }


@pytest.mark.django_db(transaction=True)
def test_of_several_bad_rows_the_first_is_named():
    brand = factories.brand()
    events = [stop(factories.contact(), brand) for _ in range(5)]
    for event in (events[3], events[1]):
        without_guard("UPDATE contacts_consentevent SET source = 'admin' WHERE id = %s", [event.pk])
    assert "at seq 2: " in broken()


@pytest.mark.django_db(transaction=True)
def test_two_events_that_changed_their_content_but_not_their_places_are_named():
    brand = factories.brand()
    first, second = [stop(factories.contact(), brand) for _ in range(2)]
    for event, key in ((first, second.subscriber_key), (second, first.subscriber_key)):
        without_guard("UPDATE contacts_consentevent SET subscriber_key = %s WHERE id = %s", [key, event.pk])
    assert "at seq 1: its content" in broken()


@pytest.mark.django_db(transaction=True)
def test_whoever_rewrites_everything_behind_a_change_is_found_by_the_anchor_alone():
    brand = factories.brand()
    events = [stop(factories.contact(), brand) for _ in range(4)]
    last = events[-1].hash
    previous = chain.GENESIS
    for event in ConsentEvent.objects.order_by("seq"):
        event.prev_hash = previous
        event.actor = "nobody" if event.seq == 2 else event.actor
        previous = chain._hash(event.prev_hash, event.seq, chain._body(event))
        without_guard(
            "UPDATE contacts_consentevent SET actor = %s, prev_hash = %s, hash = %s WHERE id = %s",
            [event.actor, event.prev_hash, previous, event.pk],
        )
    LedgerHead.objects.update(hash=previous)
    call_command("verify_ledger")
    assert "at seq 4: the anchor says otherwise" in broken("--anchor", f"4:{last}")


def test_erased_evidence_is_no_break_and_changed_evidence_is(ledger):
    ConsentEvidence.objects.filter(event=ledger[0]).delete()
    call_command("verify_ledger")
    ConsentEvidence.objects.filter(event=ledger[3]).update(document={"phone": "+12125550999"})
    assert "at seq 4: its evidence" in broken()


def test_evidence_of_no_event_is_named(ledger):
    ConsentEvidence.objects.create(event_id=999_999, salt="0" * 32, document={})

    assert "event id 999999" in broken()


@pytest.mark.parametrize("change", ["salt", "document", "place"])
def test_any_change_of_evidence_is_found(ledger, change):
    first, second = (ConsentEvidence.objects.get(event=event) for event in ledger[1:3])
    rows = ConsentEvidence.objects.filter(event=ledger[1])
    if change == "salt":
        rows.update(salt=first.salt[:-1] + chr(ord(first.salt[-1]) ^ 1))
    elif change == "document":
        rows.update(document=first.document | {"name": first.document["name"] + " "})
    else:
        rows.update(salt=second.salt, document=second.document)
    assert "at seq 2: its evidence was changed" in broken()


def test_a_ledger_without_any_evidence_holds(ledger):
    ConsentEvidence.objects.all().delete()
    call_command("verify_ledger")


def test_an_anchor_that_is_none_is_refused_with_its_form(db):
    assert "SEQ:HASH" in broken("--anchor", "yesterday")


# --- the database's own guard ---------------------------------------------------------------------------


def test_an_update_is_refused_by_the_database(ledger):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ConsentEvent.objects.filter(pk=ledger[0].pk).update(actor="x")


@needs_postgresql
def test_a_delete_is_refused_by_the_database(ledger):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM contacts_consentevent WHERE id = %s", [ledger[0].pk])


@needs_postgresql
def test_truncate_is_refused_wherever_the_name_is_not_that_of_a_test_database(ledger):
    definition = ledger_guard.POSTGRESQL.replace("'test\\_%'", "'somewhere\\_else\\_%'")
    assert definition != ledger_guard.POSTGRESQL
    with connection.schema_editor() as editor:
        editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        ledger_guard.remove(editor)
        editor.execute(definition, params=None)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE contacts_consentevent CASCADE")


@pytest.mark.parametrize(("name", "is_test"), [("smsdesk.sqlite3", False), ("test_desk.sqlite3", True)])
def test_sqlite_lets_only_a_test_database_be_emptied(tmp_path, name, is_test):
    file = sqlite3.connect(tmp_path / name)
    file.execute("CREATE TABLE contacts_consentevent (seq integer)")
    file.execute("INSERT INTO contacts_consentevent VALUES (1)")
    for statement in ledger_guard.SQLITE:
        file.execute(statement)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        file.execute("UPDATE contacts_consentevent SET seq = 2")
    if is_test:
        file.execute("DELETE FROM contacts_consentevent")
    else:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            file.execute("DELETE FROM contacts_consentevent")
    file.close()


@needs_postgresql
def test_a_brand_is_not_removed_wherever_the_name_is_not_that_of_a_test_database(ledger):
    definition = ledger_guard.BRANDS.postgresql.replace("'test\\_%'", "'somewhere\\_else\\_%'")
    assert definition != ledger_guard.BRANDS.postgresql
    with connection.schema_editor() as editor:
        editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        ledger_guard.let_go_of_brands(editor)
        editor.execute(definition, params=None)
    with pytest.raises(DatabaseError, match="it stays"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM contacts_brand")


@pytest.mark.parametrize(("name", "left"), [("smsdesk.sqlite3", 1), ("test_desk.sqlite3", 0)])
def test_sqlite_lets_brands_be_removed_in_a_test_database_only(tmp_path, name, left):
    file = sqlite3.connect(tmp_path / name)
    file.execute("CREATE TABLE contacts_brand (id integer)")
    file.execute("INSERT INTO contacts_brand VALUES (1)")
    file.execute(ledger_guard.BRANDS.sqlite)
    with contextlib.suppress(sqlite3.IntegrityError):
        file.execute("DELETE FROM contacts_brand")
    assert file.execute("SELECT count(*) FROM contacts_brand").fetchone() == (left,)
    file.close()


@pytest.mark.django_db
def test_every_guard_is_still_there_after_the_last_migration():
    is_postgresql = connection.vendor == "postgresql"
    triggers = "SELECT tgname FROM pg_trigger" if is_postgresql else "SELECT name FROM sqlite_master"
    with connection.cursor() as cursor:
        cursor.execute(triggers)
        found = {name for (name,) in cursor.fetchall()}
    ledgers = ("rows", "truncate") if is_postgresql else ("update", "delete", "insert")
    places = ("contacts_places_of_contact", "contacts_places_of_list") if is_postgresql else ()
    owners = ("brand_id_stays", "campaign_id_stays", "sender_id_stays", "lane_id_stays", "api_key_id_stays")
    watched = owners if is_postgresql else ("owners",)
    followers = {f"campaigns_ledger_{one}" for one in ("made", "moved", "gone", *watched)}
    followers |= {f"campaigns_count_{one}" for one in ("made", "moved", "gone")}
    assert {"contacts_brands_rows", *places, *(f"contacts_ledger_{one}" for one in ledgers), *followers} <= found


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has this statement")
@pytest.mark.parametrize("column", ["id", "seq"])
def test_a_row_is_not_replaced_either(ledger, column):
    taken = ConsentEvent.objects.values_list(column, flat=True).get(pk=ledger[0].pk)
    names = [field.column for field in ConsentEvent._meta.concrete_fields]
    copied = ", ".join({column: str(taken), "actor": "'x'"}.get(name, name) for name in names)
    copy = f"SELECT {copied} FROM contacts_consentevent WHERE id = {ledger[-1].pk}"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT OR REPLACE INTO contacts_consentevent ({', '.join(names)}) {copy}")


# --- many at once ---------------------------------------------------------------------------------------


@needs_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_head_lost", [False, True])
def test_eight_at_once_leave_no_fork_and_no_gap(is_head_lost):
    brand = factories.brand()
    contacts = [factories.contact() for _ in range(8)]
    LedgerHead.objects.all().delete() if is_head_lost else LedgerHead.objects.get_or_create(id=1)

    def stops(contact):
        return lambda: [stop(contact, brand) for _ in range(10)]

    assert at_once(*(stops(contact) for contact in contacts)) == []
    assert sorted(ConsentEvent.objects.values_list("seq", flat=True)) == list(range(1, 81))
    assert chain.first_break() is None


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_eight_writers_and_an_import_beside_them_leave_no_fork_and_no_gap(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 5)
    brand = factories.brand()
    contacts = [factories.contact() for _ in range(8)]
    lines = "".join(f"{factories.next_phone()}\n" for _ in range(60))
    claim = claims.Claim(
        purpose="marketing", basis="express_written", obtained_at=NOW, method="paper", wording="yes", source="Fair"
    )
    made = ready("phone\n" + lines, brand=brand, claim=claim, now=NOW)
    importing.start(made, now=NOW)

    def stops(contact):
        return lambda: [stop(contact, brand) for _ in range(10)]

    assert at_once(lambda: importing.run(made.pk), *(stops(contact) for contact in contacts)) == []
    made.refresh_from_db()
    assert (made.state, made.created) == ("finished", 60)
    assert sorted(ConsentEvent.objects.values_list("seq", flat=True)) == list(range(1, 141))
    assert len(set(ConsentEvent.objects.values_list("prev_hash", flat=True))) == 140
    assert chain.first_break() is None
    assert rebuilding.first_difference() is None


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_eight_at_once_for_one_phone_leave_one_contact_and_one_suppression():
    brand = factories.brand()
    phone = phones.parse("+12125550188", default_region="US")
    assert at_once(*([lambda: stop(consent.get_or_add(phone, now=NOW), brand)] * 8)) == []
    assert Contact.objects.count() == 1
    assert Suppression.objects.count() == 1
    assert ConsentEvent.objects.count() == 8


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_stop_beside_opt_ins_of_others_ends_suppressed():
    """The API and an import keep granting while the person says STOP."""
    brand = factories.brand()
    contact = factories.contact()
    proof = consent.Proof(wording="x", method="api", act="x")

    def grants():
        for _ in range(10):
            consent.opt_in(
                contact, brand=brand, purposes=["marketing"], basis="express_written", source=ConsentSource.API,
                proof=proof, occurred_at=NOW, now=NOW,
            )  # fmt: skip

    assert at_once(grants, grants, lambda: stop(contact, brand)) == []
    assert Suppression.objects.filter(lifted_by=None).count() == 1
    assert not ConsentState.objects.get().is_active


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_locks_are_taken_in_id_order_so_nobody_waits_in_a_circle():
    ids = [factories.contact().pk for _ in range(6)]

    def locks(order):
        def run():
            for _ in range(20):
                with transaction.atomic():
                    assert [contact.pk for contact in consent.lock(order)] == ids

        return run

    assert at_once(*[locks(ids), locks(ids[::-1])] * 2) == []


# --- the witness outside --------------------------------------------------------------------------------


def test_the_daily_head_is_appended_and_compared(ledger, tmp_path, capsys):
    file = tmp_path / "heads" / "anchors.txt"
    call_command("anchor_ledger", "--file", str(file))
    stop(factories.contact(), factories.brand())
    call_command("anchor_ledger", "--file", str(file), "--compare")
    first, second = file.read_text().splitlines()
    assert first.split()[1:] == ["5", ledger[-1].hash]
    assert second.split()[1] == "6"
    assert first in capsys.readouterr().out
    assert LedgerAnchor.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_end_that_was_cut_off_with_its_head_is_found_by_the_file(tmp_path):
    brand, file = factories.brand(), tmp_path / "anchors.txt"
    events = [stop(factories.contact(), brand) for _ in range(3)]
    call_command("anchor_ledger", "--file", str(file))
    ConsentEvidence.objects.all().delete()
    Suppression.objects.all().delete()
    without_guard("DELETE FROM contacts_consentevent WHERE id = %s", [events[2].pk])
    LedgerHead.objects.update(seq=2, hash=events[1].hash)
    call_command("verify_ledger")
    with pytest.raises(CommandError, match="at seq 3: the anchor says it existed"):
        call_command("anchor_ledger", "--file", str(file), "--compare")
    with pytest.raises(CommandError, match="at seq 3"):
        call_command("verify_ledger", "--anchors", str(file))
    assert len(file.read_text().splitlines()) == 1


def test_a_head_is_mailed_with_how_to_compare_it(ledger, mailoutbox):
    call_command("anchor_ledger", "--mail", "notary@example.com")
    assert mailoutbox[0].to == ["notary@example.com"]
    assert f"--anchor 5:{ledger[-1].hash}" in mailoutbox[0].body


def test_a_file_that_holds_no_heads_is_refused_with_its_line(ledger, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("2026-11-24T00:00:00Z 5 " + ledger[-1].hash + "\nbuy milk\n")
    with pytest.raises(CommandError, match="Line 2"):
        call_command("anchor_ledger", "--file", str(file), "--compare")


def test_a_file_that_cannot_be_written_is_an_error_and_no_traceback(ledger, tmp_path):
    with pytest.raises(CommandError, match="could not be handed over"):
        call_command("anchor_ledger", "--file", str(tmp_path))


def test_a_long_ledger_is_walked_in_pieces(ledger, monkeypatch):
    monkeypatch.setattr(chain, "_AT_ONCE", 2)
    assert chain.first_break() is None
    assert chain.first_break(after=(3, ledger[2].hash)) is None
    assert chain.first_break(after=(3, ledger[1].hash)) == chain.Break(3, "the anchor says otherwise")


def test_events_appended_during_the_walk_are_no_break(ledger, monkeypatch):
    """Others go on writing while it is verified."""
    appended = iter([True])
    fault = chain._fault

    def slowly(event, *, seq, previous):
        if event.seq == 5 and next(appended, False):
            stop(factories.contact(), factories.brand())
        return fault(event, seq=seq, previous=previous)

    monkeypatch.setattr(chain, "_fault", slowly)
    assert chain.first_break() is None


def test_a_ledger_whose_head_is_gone_is_named(ledger):
    LedgerHead.objects.all().delete()
    assert "its head says 0" in broken()
