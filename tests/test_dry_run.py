"""The dry run says what the import will do, and writes none of it."""

import uuid
from datetime import timedelta

import pytest
from django_q.models import OrmQ
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from contacts import consent, dry_run, import_batches, import_lease, importing, remembering, tasks, undoing
from contacts.models import (
    ConsentEvent,
    ConsentSource,
    Contact,
    ContactImport,
    ContactList,
    ImportMark,
    ImportState,
    ListMembership,
)
from smsdesk.errors import WrongState
from tests import factories
from tests.factories import NOW
from tests.test_importing import CLAIM, done, ready, reasons

pytestmark = pytest.mark.django_db


def tried(content, **over) -> ContactImport:
    made = ready(content, **over)
    dry_run.start(made)
    while dry_run.run(made.pk, seconds=0):
        pass
    made.refresh_from_db()
    return made


def started(made: ContactImport) -> ContactImport:
    importing.start(made, now=NOW)
    importing.run(made.pk)
    made.refresh_from_db()
    return made


FILE = (
    "phone,name,external id\n"
    "+12125550101,Ann,c1\n"
    "+12125550102,Bo,\n"
    "bad,Cy,\n"
    "+12125550101,Again,\n"
    "+12125550103,Di,c1\n"
    "+12125550104,El,taken\n"
    "+12125550105,Fay,\n"
)


def test_every_outcome_is_counted_over_the_whole_file_and_nothing_is_written(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 2)
    brand = factories.brand()
    factories.contact("+12125550102", name="Old Bo")
    factories.contact("+12125550109", external_id="taken")
    consent.opt_out(
        factories.contact("+12125550105"), brand=brand, source=ConsentSource.TEXT, occurred_at=NOW, now=NOW
    )
    before = list(Contact.objects.values())

    made = tried(FILE, brand=brand, contact_list=ContactList.objects.create(name="Spring"), claim=CLAIM)

    assert made.state == ImportState.READY
    assert made.checked_at
    assert made.forecast == {
        "created": 1, "updated": 2, "duplicate": 1, "invalid": 3, "suppressed": 1, "consents": 3, "remarks": 5,
    }  # fmt: skip
    assert [line for line, _, _ in reasons(made)] == [4, 5, 6, 7, 8]
    assert list(Contact.objects.values()) == before
    assert not ListMembership.objects.exists()
    assert ConsentEvent.objects.count() == 1


def test_the_import_then_does_what_was_foreseen_and_says_it_once(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 2)
    factories.contact("+12125550102", name="Old Bo")
    factories.contact("+12125550109", external_id="taken")
    made = tried(FILE)
    foreseen = reasons(made)

    started(made)

    assert (made.created, made.updated, made.duplicate, made.invalid) == (2, 1, 1, 3)
    assert {name: made.forecast[name] for name in ("created", "updated", "duplicate", "invalid")} == {
        "created": 2, "updated": 1, "duplicate": 1, "invalid": 3,
    }  # fmt: skip
    assert reasons(made) == foreseen


def test_consent_that_is_on_record_is_not_counted_as_recorded():
    brand = factories.brand()
    done("phone\n+12125550101\n", brand=brand, claim=CLAIM)

    made = tried("phone\n+12125550101\n+12125550102\n", brand=brand, claim=CLAIM)

    assert (made.forecast["updated"], made.forecast["created"], made.forecast["consents"]) == (1, 1, 1)


def test_a_small_file_is_tried_while_somebody_waits_and_a_large_one_by_the_worker():
    small, large = ready("phone\n+12125550101\n"), ready("phone\n" + "+12125550101\n" * 6_000)

    dry_run.start_and_wait(small)
    dry_run.start_and_wait(large)

    assert (small.state, small.forecast["created"]) == (ImportState.READY, 1)
    assert (large.state, large.forecast) == (ImportState.CHECKING, {})


def test_a_dry_run_that_ends_early_is_continued_behind_its_last_batch(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 3)
    made = ready("phone\n" + "".join(f"+1212555{n:04}\n" for n in range(100, 110)))
    dry_run.start(made)

    assert dry_run.run(made.pk, seconds=0)

    made.refresh_from_db()
    assert (made.forecast["created"], made.check_line, made.token) == (3, 4, None)
    OrmQ.objects.all().delete()
    tasks.tend_imports()
    assert OrmQ.objects.count() == 1
    while dry_run.run(made.pk, seconds=0):
        pass
    made.refresh_from_db()
    assert (made.state, made.forecast["created"]) == (ImportState.READY, 10)


def test_a_worker_that_lost_its_lease_counts_nothing():
    made = ready("phone\n+12125550101\n")
    dry_run.start(made)
    batch = next(import_batches.batches(made, offset=made.offset, line=made.line))

    with pytest.raises(import_lease.Lost):
        dry_run._count(made, batch, token=uuid.uuid4())

    made.refresh_from_db()
    assert made.forecast == {}


def test_a_dry_run_can_be_stopped_and_begun_again(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 1)
    made = ready("phone\n+12125550101\n+12125550102\n")
    dry_run.start(made)
    dry_run.run(made.pk, seconds=0)

    dry_run.cancel(made)

    assert (made.state, made.checked_at, made.forecast["created"]) == (ImportState.READY, None, 1)
    assert not dry_run.run(made.pk)
    with pytest.raises(WrongState):
        dry_run.cancel(made)

    dry_run.start(made)
    while dry_run.run(made.pk, seconds=0):
        pass
    made.refresh_from_db()
    assert made.forecast["created"] == 2


def test_the_import_may_start_while_it_is_still_being_tried(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 1)
    made = ready("phone\n+12125550101\nbad\n")
    dry_run.start(made)
    dry_run.run(made.pk, seconds=0)

    started(made)

    assert (made.state, made.created, made.invalid) == (ImportState.FINISHED, 1, 1)
    with pytest.raises(WrongState):
        dry_run.start(made)


def test_other_columns_take_the_forecast_away():
    made = tried("phone,name\n+12125550101,Ann\n")

    importing.configure(
        made,
        columns={"phone": "phone"},
        brand=made.brand,
        contact_list=None,
        default_country="US",
        claim=None,
        now=NOW,
    )

    assert (made.forecast, made.checked_at) == ({}, None)


def test_a_file_that_is_discarded_leaves_no_cell_behind():
    made = tried("phone\nbad\n")
    assert made.problems.count() == 1

    importing.cancel(made, now=NOW)

    assert not made.problems.exists()


def test_what_a_dry_run_met_is_forgotten_when_it_is_over(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 1)
    made = ready("phone,external id\n+12125550101,c1\n+12125550102,c2\n")
    dry_run.start(made)
    dry_run.run(made.pk, seconds=0)
    dry_run.forget()
    assert ImportMark.objects.count() == 2

    tasks.check_import(made.pk)

    assert not ImportMark.objects.exists()


def test_only_the_first_remarks_are_kept_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(dry_run, "KEPT_PROBLEMS", 3)
    monkeypatch.setattr(import_batches, "BATCH", 2)

    made = tried("phone\n" + "bad\n" * 9)

    assert made.problems.count() == 3
    assert made.forecast["remarks"] == 9


@pytest.mark.parametrize("batch", [1, 2])
def test_an_id_that_an_earlier_batch_gives_up_is_free_for_a_later_line(monkeypatch, batch):
    monkeypatch.setattr(import_batches, "BATCH", batch)
    factories.contact("+12125550101", external_id="c3")

    made = tried("phone,external id\n+12125550101,c1\n+12125550102,c3\n")
    foreseen = made.forecast["invalid"]
    started(made)

    assert (foreseen, made.invalid) == (batch - 1, batch - 1)


numbers = st.integers(100, 104).map(lambda n: f"+1212555{n:04}") | st.sampled_from(["", "x", "(212) 555-0102"])
rows = st.lists(st.tuples(numbers, st.sampled_from(["", "c1", "c2", "c3"])), max_size=14)


class Forecast(TestCase):
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows=rows, known=st.sets(st.integers(100, 104), max_size=3), batch=st.integers(1, 5))
    def test_the_forecast_comes_true(self, rows, known, batch):
        for number in known:
            factories.contact(f"+1212555{number:04}", external_id="c3" if number == 100 else None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(import_batches, "BATCH", batch)
            made = tried("phone,external id\n" + "".join(f"{phone},{key}\n" for phone, key in rows), claim=CLAIM)
            foreseen = reasons(made)
            started(made)

        told = {name: made.forecast.get(name, 0) for name in ("created", "updated", "duplicate", "invalid")}
        assert told == {name: getattr(made, name) for name in told}
        assert made.forecast.get("consents", 0) == made.consents
        assert made.consents == ConsentEvent.objects.filter(actor=made.ref).count()
        assert reasons(made) == foreseen


# --- what was said of a file like this ------------------------------------------------------------------


def started_by(person, *, days_ago: int, header: str = "phone,town", **over) -> ContactImport:
    made = done(f"{header}\n+12125550101,Rome\n", columns={"phone": "phone", "town": "attributes.city"}, **over)
    at = NOW - timedelta(days=days_ago)
    ContactImport.objects.filter(pk=made.pk).update(created_by=person, started_at=at)
    return made


def test_a_file_with_the_same_columns_is_offered_what_was_said_of_the_last_one():
    ann, bo = factories.user(), factories.user()
    old, newer = started_by(ann, days_ago=9), started_by(bo, days_ago=3)
    started_by(ann, days_ago=1, header="phone,town,x")
    fresh = ready("phone,town\n")

    assert remembering.last_like(fresh, by_id=ann.pk) == old
    assert remembering.last_like(fresh, by_id=bo.pk) == newer
    assert remembering.last_like(fresh, by_id=factories.user().pk) == newer
    assert remembering.last_like(ready("town,phone\n"), by_id=ann.pk) is None


def test_an_import_that_was_never_started_or_was_undone_is_no_example():
    ready("phone,town\n")
    undone = done("phone,town\n+12125550101,Rome\n")
    undoing.start(undone, now=undone.finished_at)

    assert remembering.last_like(ready("phone,town\n"), by_id=None) is None
