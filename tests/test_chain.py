"""The ledger's chain: gapless, unforked, and guarded by the database itself."""

import sqlite3
import threading
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from contacts import chain, consent, ledger_guard
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


def test_erased_evidence_is_no_break_and_changed_evidence_is(ledger):
    ConsentEvidence.objects.filter(event=ledger[0]).delete()
    call_command("verify_ledger")
    ConsentEvidence.objects.filter(event=ledger[3]).update(document={"phone": "+12125550999"})
    assert "at seq 4: its evidence" in broken()


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


# --- many at once ---------------------------------------------------------------------------------------


def at_once(*jobs):
    """Run the jobs in threads that start together; the errors they raised."""
    gate, errors = threading.Barrier(len(jobs)), []

    def run(job):
        try:
            gate.wait(timeout=10)
            job()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return errors


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
