"""Two batches of an import at work at once do what one after the other would."""

import contextlib
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from contacts import (
    chain,
    claims,
    consent,
    import_batches,
    import_hands,
    importing,
    merging,
    placing,
    rebuilding,
    suppressing,
    uploads,
)
from contacts.models import (
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    ContactList,
    ImportState,
    ListMembership,
)
from smsdesk import phones
from tests import factories, racing
from tests.factories import NOW
from tests.test_uniting import is_suppressed, start, stop, unite

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite"),
]


@pytest.fixture(autouse=True)
def batches_of_five(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 5)


def started(lines, *, header="phone,external id") -> ContactImport:
    made = uploads.store(["\n".join([header, *lines, ""]).encode()], filename="people.csv", by_id=None)
    importing.configure(
        made,
        columns={"phone": "phone", "external id": "external_id"},
        brand=factories.brand(),
        contact_list=ContactList.objects.create(name=made.ref),
        default_country="US",
        claim=claims.Claim("marketing", "express", NOW - timedelta(days=1), "web_form", "I agree", "form"),
        now=NOW,
    )
    importing.start(made, now=NOW)
    return made


def finished(made):
    while importing.run(made.pk):
        pass
    made.refresh_from_db()
    assert made.state == ImportState.FINISHED, made.failure
    assert chain.first_break() is None
    assert rebuilding.first_difference() is None
    return made


def people(count, *, begin=0):
    return [f"+1212555{begin + n:04}," for n in range(count)]


def test_every_row_is_taken_once_and_in_the_order_of_the_file():
    made = finished(started(people(53)))

    assert (made.created, made.consents, made.offset) == (53, 53, made.size)
    assert Contact.objects.count() == ConsentEvent.objects.count() == made.list.memberships.count() == 53


def test_a_phone_repeated_in_the_next_batch_is_a_duplicate(monkeypatch):
    merge, lines = merging.merge, people(5)

    def merge_slowly(batch, **more):
        merged = merge(batch, **more)
        threading.Event().wait(0.2)
        return merged

    monkeypatch.setattr(importing.merging, "merge", merge_slowly)
    made = finished(started([*lines, *reversed(lines), *people(5, begin=5)]))

    assert (made.created, made.updated, made.duplicate) == (10, 0, 5)
    assert ConsentEvent.objects.count() == 10


def test_an_id_that_the_batch_before_gives_up_is_free():
    factories.contact("+12125550000", external_id="c1")
    lines = ["+12125550000,c2", *people(4, begin=1), "+12125550009,c1", *people(4, begin=10)]

    made = finished(started(lines))

    assert (made.created, made.updated, made.invalid) == (9, 1, 0)


def test_a_batch_that_is_taken_back_is_written_again_before_those_behind_it(monkeypatch):
    made, merge, tries = started(people(20)), merging.merge, []

    def merge_late(batch, **more):
        merged = merge(batch, **more)
        tries.append(batch[0].line)
        if batch[0].line == 2 and tries.count(2) == 1:
            threading.Event().wait(0.3)  # meanwhile the second batch waits for this one
            raise OperationalError("lost")
        return merged

    monkeypatch.setattr(importing.merging, "merge", merge_late)
    finished(made)

    assert tries.count(2) == 2
    assert tries.count(7) == 2  # it had to see what became of the first
    assert made.created == 20


def test_a_batch_that_cannot_be_written_ends_the_import_there(monkeypatch):
    made, merge = started(people(30)), merging.merge

    def refuse(batch, **more):
        if batch[0].line == 12:
            raise OperationalError("no")
        return merge(batch, **more)

    monkeypatch.setattr(importing.merging, "merge", refuse)
    with pytest.raises(OperationalError):
        importing.run(made.pk)
    made.refresh_from_db()
    assert (made.created, Contact.objects.count()) == (10, 10)

    monkeypatch.undo()
    monkeypatch.setattr(import_batches, "BATCH", 5)
    ContactImport.objects.filter(pk=made.pk).update(lease_until=None)
    assert finished(made).created == 30


def test_a_cancelled_import_has_taken_exactly_what_it_says(monkeypatch):
    made, merge, somebodies = started(people(60)), merging.merge, []

    def cancel():
        importing.cancel(ContactImport.objects.get(pk=made.pk), now=NOW)
        connections.close_all()

    def merge_beside_a_cancel(batch, **more):
        if batch[0].line == 22 and not somebodies:
            somebodies.append(threading.Thread(target=cancel))
            somebodies[0].start()
            somebodies[0].join()
        return merge(batch, **more)

    monkeypatch.setattr(importing.merging, "merge", merge_beside_a_cancel)
    assert importing.run(made.pk) is False
    made.refresh_from_db()

    assert made.state == ImportState.CANCELLED
    assert made.created == Contact.objects.count() == ConsentEvent.objects.count() == (made.line - 1)
    assert made.created < 30


def test_a_list_that_is_deleted_meanwhile_leaves_no_place_behind(monkeypatch):
    made, merge, somebodies = started(people(30)), merging.merge, []

    def delete():
        # It takes the import's row first and then the list, a batch the other way round: one of them has to yield.
        for _ in range(5):
            with contextlib.suppress(OperationalError):
                ContactList.objects.filter(pk=made.list_id).delete()
                break
        connections.close_all()

    def merge_beside_a_deletion(batch, **more):
        merged = merge(batch, **more)
        if batch[0].line == 12 and not somebodies:
            somebodies.append(threading.Thread(target=delete))
            somebodies[0].start()
            threading.Event().wait(0.3)  # it now waits for us to be done with the list
        return merged

    monkeypatch.setattr(importing.merging, "merge", merge_beside_a_deletion)
    finished(made)
    somebodies[0].join()

    assert made.created == 30
    assert not ContactList.objects.exists()
    assert not ListMembership.objects.exists()


def test_a_contact_that_is_deleted_while_it_is_put_on_a_list_leaves_no_place_behind():
    person, group = factories.contact(), ContactList.objects.create(name="Regulars")

    def delete():
        Contact.objects.get(pk=person.pk).delete()

    def put():
        placing.put(person, ["Regulars"], by=factories.user())

    for _ in range(5):
        assert racing.at_once(put, delete) == []
        assert not ListMembership.objects.filter(list=group).exists()
        person.pk = None
        person.public_id = uuid.uuid4()
        person.save()


def beside(job):
    """Done by somebody else, on a connection of their own, before this returns."""

    def run():
        try:
            job()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def once(job):
    """The job, the first time it is called; nothing after that."""
    jobs = [job]
    return lambda: jobs.pop()() if jobs else None


def listed(phone: str):
    """Suppresses a phone by a list, whether it is a contact or not."""
    number, now = phones.parse(phone, default_region=""), timezone.now()
    refusal = suppressing.Refusal(None, ConsentSource.ADMIN, "list")
    suppressing.suppress({number.subscriber_key: number.e164}, refusal=refusal, occurred_at=now, now=now, by="ann")


def test_a_stop_of_a_phone_that_is_no_contact_yet_outlives_the_import_that_brings_it(monkeypatch):
    kept, other = factories.contact("+12125550900"), factories.contact("+12125550002")
    brand = factories.brand()
    stop(other, brand=brand, at=NOW - timedelta(days=9))
    start(other, brand=brand, at=NOW - timedelta(days=8))
    unite(kept, other)
    monkeypatch.setattr(factories, "brand", lambda: brand)
    made, keep = started(people(5)), chain.Series.keep_evidence
    stop_beside = once(lambda: beside(lambda: stop(kept, brand=brand, at=timezone.now())))

    def keep_beside_a_stop(series, *given, **more):  # the histories of the phones are read by now
        stop_beside()
        return keep(series, *given, **more)

    monkeypatch.setattr(chain.Series, "keep_evidence", keep_beside_a_stop)
    finished(made)

    assert is_suppressed(other.subscriber_key)


def test_a_list_that_suppresses_a_phone_while_an_import_waits_for_its_turn_is_seen(monkeypatch):
    made, wait = started(people(5)), import_hands._Following.wait
    suppress_beside = once(lambda: beside(lambda: listed("+12125550002")))

    def wait_beside_a_list(turn):
        suppress_beside()
        return wait(turn)

    monkeypatch.setattr(import_hands._Following, "wait", wait_beside_a_list)
    finished(made)

    assert not ConsentState.objects.get(subscriber_key=phones.subscriber_key("+12125550002")).is_active


def test_an_import_that_ends_while_a_list_suppresses_one_of_its_phones_is_seen(monkeypatch):
    made, keep = started(people(5)), chain.keep_evidence
    import_beside = once(lambda: beside(lambda: finished(made)))

    def keep_beside_an_import(documents):  # the history of the phone is read by now
        import_beside()
        return keep(documents)

    monkeypatch.setattr(chain, "keep_evidence", keep_beside_an_import)
    listed("+12125550002")

    assert not ConsentState.objects.get(subscriber_key=phones.subscriber_key("+12125550002")).is_active
    assert rebuilding.first_difference() is None


def test_a_batch_waits_for_a_slow_one_however_long_it_takes(monkeypatch):
    monkeypatch.setattr(importing, "ATTEMPTS", 2)
    made, prepare = started(people(20)), consent.prepare_import

    def sleep():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(4.5)")  # a lock is waited for 2 s at most

    sleep_once = once(sleep)

    def prepare_slowly(*given, **more):
        prepared = prepare(*given, **more)
        sleep_once()
        return prepared

    monkeypatch.setattr(consent, "prepare_import", prepare_slowly)

    assert finished(made).created == 20


def test_two_imports_of_the_same_people_in_opposite_order_both_end():
    lines = people(60)
    one, other = started(lines), started(list(reversed(lines)))

    def run(made):
        try:
            while importing.run(made.pk):
                pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[made]) for made in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    for made in (one, other):
        finished(made)
    assert one.created + other.created == Contact.objects.count() == 60
    assert one.updated + other.updated == 60
