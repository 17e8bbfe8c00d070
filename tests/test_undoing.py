"""What an import made can be taken back for a day, and nothing that happened since."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone
from django_q.models import OrmQ

from contacts import (
    chain,
    consent,
    import_batches,
    importing,
    legal_hold,
    people,
    rebuilding,
    settling,
    tagging,
    tasks,
    undoing,
)
from contacts.models import (
    Basis,
    ConsentEvent,
    ConsentEvidence,
    ConsentSource,
    ConsentState,
    Contact,
    ContactImport,
    ContactList,
    ImportState,
    ListMembership,
    Purpose,
    Suppression,
    Tagging,
    UnitedPhone,
)
from smsdesk.errors import WrongState
from tests import factories
from tests.test_importing import CLAIM, done, ready

pytestmark = pytest.mark.django_db

TWO = "phone,name\n+12125550101,Ann\n+12125550102,Bo\n"
PROOF = consent.Proof(wording="Yes, texts please", method="web_form", act="ticked the box", source="shop.example")


def undone(made: ContactImport) -> ContactImport:
    undoing.start(made, now=timezone.now())
    undoing.run(made.pk)
    made.refresh_from_db()
    return made


def ann() -> Contact:
    return Contact.objects.get(phone="+12125550101")


def opts_in(person: Contact, made: ContactImport, *, at) -> None:
    assert made.brand is not None
    consent.opt_in(
        person, brand=made.brand, purposes=[Purpose.MARKETING], basis=Basis.EXPRESS, source=ConsentSource.WEB_FORM,
        proof=PROOF, occurred_at=at, now=timezone.now(),
    )  # fmt: skip


def test_people_places_and_consent_of_an_import_are_taken_back():
    members = ContactList.objects.create(name="Spring")
    made = undone(done(TWO, contact_list=members, claim=CLAIM))

    assert made.state == ImportState.UNDONE
    assert made.undo_done == {"consent": 2, "places": 2, "people": 2}
    assert made.undo_left == {}
    assert not Contact.objects.exists()
    assert not ListMembership.objects.exists()
    assert not ConsentState.objects.filter(is_active=True).exists()


def test_the_ledger_keeps_every_event_and_holds():
    made = undone(done(TWO, claim=CLAIM))

    assert [event.kind for event in ConsentEvent.objects.order_by("seq")] == [
        "import",
        "import",
        "retract",
        "retract",
    ]
    assert set(ConsentEvent.objects.values_list("actor", flat=True)) == {made.ref}
    assert chain.first_break() is None
    assert rebuilding.first_difference() is None


def test_the_evidence_of_people_who_go_names_nobody_any_more():
    undone(done(TWO, claim=CLAIM))

    assert not ConsentEvidence.objects.exists()
    assert chain.first_break() is None


def test_people_who_were_there_before_stay_and_lose_only_what_the_import_gave():
    known = factories.contact("+12125550101", name="Old Ann")
    members = ContactList.objects.create(name="Spring")
    by_hand = ListMembership.objects.create(list=members, contact=known)

    made = undone(done(TWO, contact_list=members, claim=CLAIM))

    assert list(Contact.objects.all()) == [known]
    assert list(ListMembership.objects.all()) == [by_hand]
    assert not ConsentState.objects.filter(is_active=True).exists()
    assert made.undo_done == {"consent": 2, "places": 1, "people": 1}


def edit(person, made):
    people.change(person, fields={"name": "Anna"})


def opt_out(person, made):
    consent.opt_out(person, brand=None, source=ConsentSource.TEXT, occurred_at=timezone.now(), now=timezone.now())


def put_on_a_list(person, made):
    factories.contact_list(person)


def tag(person, made):
    Tagging.objects.create(tag=tagging.named("vip"), contact=person, added_at=timezone.now())


def unite(person, made):
    UnitedPhone.objects.create(contact=person, subscriber_key="1x", phone="+12025550109", united_at=timezone.now())


def hold_legally(person, made):
    legal_hold.place(person, reason="a dispute", by=factories.user())


def message(person, made):
    factories.outbound(factories.campaign(), person, created_at=timezone.now())


def import_again(person, made):
    done("phone\n+12125550101\n", brand=made.brand)


def hold(person, made):
    now = timezone.now()
    consent.hold(person, brand=None, inbound_id=None, said_at=now, now=now)


def write(person, made):
    Contact.objects.filter(pk=person.pk).update(last_inbound_at=timezone.now())


def die(person, made):
    Contact.objects.filter(pk=person.pk).update(dead_since=timezone.now())


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (edit, "they were changed"),
        (opt_out, "consent or an opt-out was recorded"),
        (put_on_a_list, "they were put on a list"),
        (tag, "they were given a tag"),
        (unite, "another contact was merged into them"),
        (hold_legally, "they are under a legal hold"),
        (message, "a message was made for them"),
        (import_again, "another import completed them"),
        (hold, "consent or an opt-out was recorded"),
        (write, "they wrote to us"),
        (die, "the carrier reported their number as gone"),
    ],
)
def test_a_person_somebody_had_to_do_with_since_is_left_and_the_report_says_why(happens, why):
    made = done(TWO)
    happens(ann(), made)

    undone(made)

    assert list(Contact.objects.values_list("phone", flat=True)) == ["+12125550101"]
    assert made.undo_done["people"] == 1
    assert made.undo_left == {f"Person: {why}": 1}


def test_of_a_person_under_a_legal_hold_nothing_goes():
    made = done(TWO, contact_list=ContactList.objects.create(name="Spring"), claim=CLAIM)
    hold_legally(ann(), made)

    undone(made)

    assert ListMembership.objects.get().contact == ann()
    assert ConsentEvidence.objects.count() == 1
    assert made.undo_left == {undoing.UNDER_HOLD: 1, "Person: they are under a legal hold": 1}


def test_what_happened_before_the_import_keeps_nobody():
    """An erased person's opt-out outlives them; imported by mistake, they go again, and it stays."""
    brand = factories.brand()
    gone = factories.contact("+12125550101")
    before = factories.NOW - timedelta(days=9)
    consent.opt_out(gone, brand=brand, source=ConsentSource.TEXT, occurred_at=before, now=before)
    gone.delete()

    undone(done(TWO, brand=brand, claim=CLAIM))

    assert not Contact.objects.exists()
    assert Suppression.objects.get().lifted_by is None


def test_consent_the_person_gave_elsewhere_survives():
    made = done(TWO, claim=CLAIM)
    opts_in(ann(), made, at=timezone.now())

    undone(made)

    state = ConsentState.objects.get(subscriber_key=ann().subscriber_key)
    assert (state.is_active, state.basis) == (True, Basis.EXPRESS)


def test_consent_from_before_the_import_counts_again():
    brand = factories.brand()
    made = ready(TWO, brand=brand, claim=CLAIM)
    opts_in(factories.contact("+12125550101"), made, at=CLAIM.obtained_at - timedelta(days=300))
    importing.start(made, now=timezone.now())
    importing.run(made.pk)
    assert ConsentState.objects.get(subscriber_key=ann().subscriber_key).basis == Basis.EXPRESS_WRITTEN

    made.refresh_from_db()
    undone(made)

    state = ConsentState.objects.get(subscriber_key=ann().subscriber_key)
    assert (state.is_active, state.basis) == (True, Basis.EXPRESS)


def test_a_stop_after_the_import_stays():
    made = done(TWO, claim=CLAIM)
    opt_out(ann(), made)

    undone(made)

    assert Suppression.objects.get().lifted_by is None
    assert not ConsentState.objects.filter(is_active=True).exists()


def test_a_claim_the_person_confirmed_is_left():
    made = done(TWO, claim=CLAIM)
    consent.confirm(
        ann(), brand=made.brand, purposes=[Purpose.MARKETING], source=ConsentSource.TEXT, proof=PROOF,
        occurred_at=timezone.now(), now=timezone.now(),
    )  # fmt: skip

    undone(made)

    [state] = ConsentState.objects.filter(is_active=True)
    assert state.subscriber_key == ann().subscriber_key
    assert made.undo_left[undoing.CONFIRMED] == 1


def test_the_claim_of_another_import_stands():
    made = done(TWO, claim=CLAIM)
    done("phone\n+12125550101\n", brand=made.brand, claim=CLAIM_OF_MAY)

    undone(made)

    assert ConsentState.objects.get(is_active=True).subscriber_key == ann().subscriber_key


CLAIM_OF_MAY = replace(CLAIM, basis="express", method="paper", obtained_at=CLAIM.obtained_at - timedelta(days=30))


def test_an_import_that_was_cancelled_half_way_can_be_undone(monkeypatch):
    monkeypatch.setattr(import_batches, "BATCH", 1)
    made = ready(TWO)
    importing.start(made, now=timezone.now())
    importing.run(made.pk, seconds=0)
    ContactImport.objects.filter(pk=made.pk).update(lease_until=timezone.now() + timedelta(seconds=50))
    importing.cancel(made, now=timezone.now())  # under a worker, whose lease is still good for a while

    undone(made)

    assert not Contact.objects.exists()


def test_after_a_day_it_is_too_late():
    made = done(TWO)

    with pytest.raises(WrongState) as refused:
        undoing.start(made, now=timezone.now() + timedelta(days=1, seconds=1))

    assert refused.value.code == "too_late_to_undo"
    assert not undoing.is_possible(made, now=timezone.now() + timedelta(days=1, seconds=1))
    assert undoing.is_possible(made, now=timezone.now())


def test_only_an_import_that_was_started_and_has_ended_can_be_undone():
    never_started = ready(TWO)
    importing.cancel(never_started, now=timezone.now())
    running = ready(TWO)
    importing.start(running, now=timezone.now())

    for made in (never_started, running):
        with pytest.raises(WrongState) as refused:
            undoing.start(made, now=timezone.now())
        assert refused.value.cure


def test_undone_twice_is_undone_once():
    made = undone(done(TWO, claim=CLAIM))

    with pytest.raises(WrongState):
        undoing.start(made, now=timezone.now())
    assert not undoing.run(made.pk)
    assert ConsentEvent.objects.filter(kind="retract").count() == 2


def test_a_run_that_ends_early_is_continued_where_it_stopped(monkeypatch):
    monkeypatch.setattr(undoing, "BATCH", 2)
    members = ContactList.objects.create(name="Spring")
    rows = "".join(f"+1212555{n:04}\n" for n in range(100, 107))
    made = done(f"phone\n{rows}", contact_list=members, claim=CLAIM)
    undoing.start(made, now=timezone.now())
    OrmQ.objects.all().delete()

    runs = 0
    while undoing.run(made.pk, seconds=0):
        runs += 1

    made.refresh_from_db()
    assert runs >= 9
    assert (made.state, made.undo_done) == (ImportState.UNDONE, {"consent": 7, "places": 7, "people": 7})
    assert not Contact.objects.exists()


def test_a_batch_that_fails_leaves_nothing_and_is_taken_again(monkeypatch):
    made = done(TWO, claim=CLAIM)
    undoing.start(made, now=timezone.now())
    append = chain.append
    monkeypatch.setattr(chain, "append", broken)
    with pytest.raises(RuntimeError):
        undoing.run(made.pk)
    assert ConsentState.objects.filter(is_active=True).count() == 2

    monkeypatch.setattr(chain, "append", append)
    ContactImport.objects.filter(pk=made.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    OrmQ.objects.all().delete()
    tasks.tend_imports()
    assert OrmQ.objects.count() == 1
    undoing.run(made.pk)

    made.refresh_from_db()
    assert made.undo_done == {"consent": 2, "places": 0, "people": 2}


def broken(events):
    raise RuntimeError("the machine stops here")


def test_the_file_can_be_imported_again_after_its_undo():
    made = undone(done(TWO, claim=CLAIM))

    again = done(TWO, brand=made.brand, claim=CLAIM)

    assert again.created == 2
    assert ConsentState.objects.filter(is_active=True).count() == 2


def test_every_table_that_points_to_a_person_is_asked(django_assert_max_num_queries):
    """A new table that names people must say in its app's `holdings` whether a row of it binds them."""
    said_otherwise = {
        "contacts_contact",
        "contacts_consentstate", "contacts_suppression",  # copies of what the events say
        "inbound_automaticreply",  # answers a text, which binds
        "campaigns_takenmessage",  # stands beside a message, which binds
    }  # fmt: skip
    made = done(TWO)
    with django_assert_max_num_queries(1) as asked:
        undoing._bound([1], contact_import=made)
    statement = asked.captured_queries[0]["sql"]
    naming = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if field.concrete
        and not field.many_to_many  # its table is a model of its own
        and (field.name == "subscriber_key" or getattr(field, "related_model", None) is Contact)
    }

    assert {table for table in naming - said_otherwise if f'"{table}"' not in statement} == set()


def test_the_standing_is_that_of_the_ledger_after_an_undo():
    made = done(TWO, claim=CLAIM)
    key = ann().subscriber_key
    undone(made)

    settling.settle(settling.events_of([key]))

    assert not ConsentState.objects.filter(is_active=True).exists()
