"""What has run out goes, exactly that, and never an opt-out; a legal hold keeps all of a person."""

from datetime import timedelta

import pytest
from django_q.models import Schedule

from campaigns.models import DeliveryEvent, OutboundMessage
from contacts import chain, consent, erasure, legal_hold, retention, tasks
from contacts.models import (
    ConsentEvent,
    ConsentEvidence,
    ConsentSource,
    ContactImport,
    ImportProblem,
    LedgerAnchor,
    Suppression,
)
from inbound.models import Conversation, InboundMessage, Note
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
YEAR, MONTH = timedelta(days=366), timedelta(days=31)


def run(at=NOW):
    return retention.run(now=at, is_over=lambda: False)


def message(sender, person, *, age, **over):
    values = {"state": "delivered", "body": "Hello", "created_at": NOW - age, **over}
    return factories.outbound(factories.campaign(sender=sender), person, **values)


def inbound(sender, person, *, age):
    at = NOW - age
    return InboundMessage.objects.create(
        account=sender.account, event_key=str(age), phone=person.phone, subscriber_key=person.subscriber_key,
        contact=person, sender=sender, text="Hi", occurred_at=at, received_at=at, raw={"from": person.phone},
    )  # fmt: skip


@pytest.fixture
def sender():
    return factories.sender()


def stopped(sender, *, age):
    person, at = factories.contact(), NOW - age
    consent.opt_out(person, brand=sender.brand, source=ConsentSource.TEXT, occurred_at=at, now=at)
    return person


def test_texts_of_people_go_after_thirteen_months(sender):
    person = factories.contact()
    old, young = inbound(sender, person, age=14 * MONTH), inbound(sender, person, age=12 * MONTH)
    assert run()
    kept = {row.pk: (row.text, row.phone, row.raw) for row in InboundMessage.objects.all()}
    assert kept == {old.pk: ("", "", {}), young.pk: ("Hi", person.phone, {"from": person.phone})}


def test_what_a_text_was_held_for_goes_with_it(sender):
    person = factories.contact()
    old = inbound(sender, person, age=14 * MONTH)
    InboundMessage.objects.filter(pk=old.pk).update(rule="reads like a request to stop: i moved away")
    thread = Conversation.objects.create(contact=person, sender=sender, last_activity_at=NOW, created_at=NOW)
    event = thread.events.create(kind="held", detail="i moved away", created_at=NOW - 14 * MONTH)

    run()

    old.refresh_from_db()
    event.refresh_from_db()
    assert (old.rule, event.detail) == ("", "")


def test_messages_go_five_years_after_the_last_one_to_that_phone(sender):
    done, written_to = factories.contact(), factories.contact()
    old, first = message(sender, done, age=6 * YEAR), message(sender, written_to, age=6 * YEAR)
    message(sender, written_to, age=YEAR)
    run()
    bodies = dict(OutboundMessage.objects.values_list("pk", "body"))
    assert (bodies[old.pk], bodies[first.pk]) == ("", "Hello")
    assert OutboundMessage.objects.get(pk=old.pk).phone == ""


def test_a_message_that_is_not_settled_keeps_what_it_needs(sender):
    row = message(sender, factories.contact(), age=6 * YEAR, state="unknown")
    run()
    assert OutboundMessage.objects.get(pk=row.pk).body == "Hello"


def test_evidence_goes_after_five_years_but_not_what_a_standing_agreement_rests_on(sender):
    ended, at = stopped(sender, age=6 * YEAR), NOW - 6 * YEAR
    agreed, proof = factories.contact(), consent.Proof(wording="Yes", method="paper", act="signed")
    consent.opt_in(
        agreed, brand=sender.brand, purposes=["marketing"], basis="express_written", source=ConsentSource.PAPER,
        proof=proof, occurred_at=at, now=at,
    )  # fmt: skip
    run()
    left = set(ConsentEvidence.objects.values_list("event__subscriber_key", flat=True))
    assert left == {agreed.subscriber_key}
    assert ConsentEvent.objects.filter(subscriber_key=ended.subscriber_key).exists()
    assert chain.first_break() is None


def test_suppressions_never_run_out(sender):
    person = stopped(sender, age=60 * YEAR)
    run(NOW + 60 * YEAR)
    assert Suppression.objects.filter(subscriber_key=person.subscriber_key, lifted_by=None).exists()


def test_a_person_under_legal_hold_keeps_everything(sender):
    person = stopped(sender, age=6 * YEAR)
    legal_hold.place(person, reason="Berg v. Acme", by=factories.user())
    message(sender, person, age=6 * YEAR)
    inbound(sender, person, age=6 * YEAR)
    run()
    assert OutboundMessage.objects.get().body == "Hello"
    assert InboundMessage.objects.get().text == "Hi"
    assert ConsentEvidence.objects.count() == 1


def test_receipts_notes_and_import_reports_go_in_their_time(sender):
    person = factories.contact()
    thread = Conversation.objects.create(contact=person, sender=sender, last_activity_at=NOW, created_at=NOW)
    for age in (MONTH, 14 * MONTH):
        Note.objects.create(conversation=thread, author=factories.user(), text="x", created_at=NOW - age)
        DeliveryEvent.objects.create(
            account=sender.account, event_key=str(age), word="SENT", received_at=NOW - age, raw={"to": person.phone}
        )
        report = ContactImport.objects.create(filename="a.csv", sha256="", size=1)
        ContactImport.objects.filter(pk=report.pk).update(created_at=NOW - 4 * age)
        ImportProblem.objects.create(contact_import=report, line=1, value="+1212", reason="x")
    run()
    assert Note.objects.count() == 1
    assert [event.raw for event in DeliveryEvent.objects.order_by("received_at")] == [{}, {"to": person.phone}]
    assert ImportProblem.objects.count() == 0


def test_zero_days_keep_for_ever(sender, settings):
    settings.RETENTION_DAYS = dict.fromkeys(settings.RETENTION_DAYS, 0)
    inbound(sender, factories.contact(), age=50 * YEAR)
    run()
    assert InboundMessage.objects.get().text == "Hi"


def test_a_round_out_of_time_goes_on_where_it_stopped(sender, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    person = factories.contact()
    for days in range(5):
        inbound(sender, person, age=14 * MONTH + timedelta(days=days))
    turns = iter([False] * 6 + [True] * 9)
    assert not retention.run(now=NOW, is_over=lambda: next(turns))
    assert run()
    assert not InboundMessage.objects.exclude(text="").exists()
    assert run()


def test_a_row_a_snapshot_left_behind_for_an_erased_person_is_cleared(sender):
    person = factories.contact()
    erasure.erase(person, by=factories.user(), actor="x", reason="x", now=NOW)
    person.pk = None
    stray = message(sender, person, age=timedelta(0), state="queued", contact=None)
    run()
    row = OutboundMessage.objects.get(pk=stray.pk)
    assert (row.state, row.code, row.phone, row.body) == ("cancelled", "ERASED", "", "")


def test_the_daily_round_is_scheduled_and_hands_the_head_over_once(sender, settings, tmp_path):
    settings.LEDGER_ANCHOR_FILE = str(tmp_path / "heads.txt")
    stopped(sender, age=MONTH)
    assert Schedule.objects.get(func=tasks.DAILY).schedule_type == Schedule.DAILY
    tasks.daily()
    tasks.daily()
    assert len((tmp_path / "heads.txt").read_text().splitlines()) == 1
    assert LedgerAnchor.objects.count() == 1
