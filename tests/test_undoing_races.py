"""Undos that die, and undos beside a STOP, on a database that other processes can reach."""

import os
import random
import signal
import time

import pytest
from django.db import connection, connections
from django.utils import timezone

from contacts import chain, consent, import_batches, importing, rebuilding, undoing
from contacts.models import (
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    ImportState,
    LedgerHead,
    ListMembership,
    Suppression,
)
from tests.test_importing_crashes import in_threads, running

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a database other processes can reach"),
]


@pytest.fixture(autouse=True)
def ledger(monkeypatch):
    monkeypatch.setattr(undoing, "BATCH", 20)
    monkeypatch.setattr(import_batches, "BATCH", 200)
    LedgerHead.objects.get_or_create(id=1)


def being_undone(people: int) -> ContactImport:
    made = running(people)
    importing.run(made.pk)
    made.refresh_from_db()
    undoing.start(made, now=timezone.now())
    return made


def in_another_process(import_id: int, *, killed_after: float) -> None:
    connections.close_all()
    child = os.fork()
    if child == 0:
        undoing.run(import_id)
        os._exit(0)
    time.sleep(killed_after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_undos_killed_at_random_moments_take_everything_back_once():
    made = being_undone(400)
    moments = random.Random(7)

    kills = 0
    while ContactImport.objects.get(pk=made.pk).state == ImportState.UNDOING:
        in_another_process(made.pk, killed_after=moments.uniform(0.02, 0.5))
        ContactImport.objects.filter(pk=made.pk).update(lease_until=importing.clock.database_now())
        kills += 1

    made.refresh_from_db()
    assert kills > 2
    assert made.undo_done == {"consent": 400, "places": 400, "people": 400}
    assert not Contact.objects.exists()
    assert not ListMembership.objects.exists()
    assert ConsentEvent.objects.filter(kind="retract").count() == 400
    assert chain.first_break() is None


def test_several_workers_woken_for_one_undo_do_it_once():
    made = being_undone(200)

    in_threads([lambda: undoing.run(made.pk)] * 4)

    made.refresh_from_db()
    assert made.state == ImportState.UNDONE
    assert made.undo_done == {"consent": 200, "places": 200, "people": 200}


def test_a_stop_beside_an_undo_always_ends_suppressed():
    made = being_undone(120)
    people = list(Contact.objects.order_by("pk"))

    def stop(some) -> None:
        for person in some:
            at = timezone.now()
            consent.opt_out(person, brand=made.brand, source=ConsentSource.TEXT, occurred_at=at, now=at)

    in_threads([lambda: undoing.run(made.pk), lambda: stop(people[::2]), lambda: stop(people[1::2])])
    while undoing.run(made.pk):  # one that lost its patience with a lock is taken up again
        pass

    assert Suppression.objects.filter(lifted_by=None).count() == 120
    assert not ConsentState.objects.filter(is_active=True).exists()
    assert chain.first_break() is None
    assert rebuilding.first_difference() is None
