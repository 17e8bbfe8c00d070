"""Workers that die or race, on a database that other processes can reach."""

import os
import random
import signal
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from contacts import chain, claims, consent, import_batches, importing, rebuilding, uploads
from contacts.models import (
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    ContactList,
    ImportState,
    LedgerHead,
    Suppression,
)
from smsdesk import phones
from tests import factories
from tests.factories import NOW

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a database other processes can reach"),
]


def running(people: int, *, area: str = "212") -> ContactImport:
    rows = "".join(f"+1{area}{555 + n // 10_000}{n % 10_000:04},Person {n}\n" for n in range(people))
    made = uploads.store([f"phone,name\n{rows}".encode()], filename="people.csv", by_id=None)
    claim = claims.Claim("marketing", "express", NOW - timedelta(days=1), "web_form", "I agree", "form")
    importing.configure(
        made,
        columns={"phone": "phone", "name": "name"},
        brand=factories.brand(),
        contact_list=ContactList.objects.create(name=made.ref),
        default_country="US",
        claim=claim,
        now=NOW,
    )
    importing.start(made, now=NOW)
    return made


def in_another_process(import_id: int, *, killed_after: float) -> None:
    connections.close_all()
    phones.parse("+12125550101", default_region="")  # a fresh process reads the numbering plan before its first row
    child = os.fork()
    if child == 0:
        importing.run(import_id)
        os._exit(0)
    time.sleep(killed_after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.fixture(autouse=True)
def ledger():
    LedgerHead.objects.get_or_create(id=1)


def test_workers_killed_at_random_moments_import_every_row_once(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 100)
    made = running(1_500)
    moments = random.Random(7)

    kills = 0
    while ContactImport.objects.get(pk=made.pk).state == ImportState.RUNNING:
        in_another_process(made.pk, killed_after=moments.uniform(0.02, 0.5) + kills / 50)  # a slow machine ends too
        ContactImport.objects.filter(pk=made.pk).update(lease_until=importing.clock.database_now())
        kills += 1

    made.refresh_from_db()
    assert kills > 2
    assert (made.created, made.updated, made.duplicate, made.invalid) == (1_500, 0, 0, 0)
    assert Contact.objects.count() == made.list.contacts.count() == ConsentEvent.objects.count() == 1_500


def test_two_imports_of_the_same_people_at_once_add_everybody_once(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 50)
    imports = [running(500), running(500)]

    in_threads([lambda made=made: importing.run(made.pk) for made in imports])

    for made in imports:
        made.refresh_from_db()
        assert made.state == ImportState.FINISHED
        assert made.created + made.updated == 500
    assert sum(made.created for made in imports) == Contact.objects.count() == 500


def test_two_workers_woken_for_one_import_do_it_once(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 50)
    made = running(500)

    in_threads([lambda: importing.run(made.pk)] * 4)

    made.refresh_from_db()
    assert (made.state, made.created, made.duplicate) == (ImportState.FINISHED, 500, 0)


def test_a_stop_while_an_import_claims_the_consent_of_the_same_people_always_counts(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 40)
    made = running(600)
    people = [factories.contact(f"+1212555{n:04}") for n in range(0, 600, 25)]
    random.Random(3).shuffle(people)

    def stops():
        for person in people:
            consent.opt_out(
                person, brand=made.brand, source=ConsentSource.TEXT, occurred_at=timezone.now(), now=timezone.now()
            )

    in_threads([lambda: importing.run(made.pk), stops])

    made.refresh_from_db()
    assert (made.state, made.created, made.updated) == (ImportState.FINISHED, 576, 24)
    keys = [person.subscriber_key for person in people]
    assert Suppression.objects.filter(subscriber_key__in=keys, lifted_by=None).count() == 24
    assert set(ConsentState.objects.filter(is_active=False).values_list("subscriber_key", flat=True)) <= set(keys)
    assert not ConsentState.objects.filter(subscriber_key__in=keys, is_active=True).exists()
    assert chain.first_break() is None
    assert rebuilding.first_difference() is None


def in_threads(calls) -> None:
    def run(call) -> None:
        try:
            call()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
