"""The tables of the current state say what the ledger says, or it is found and written anew."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from contacts import consent, rebuilding
from contacts.models import Basis, ConsentSource, ConsentState, Purpose, Suppression
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def differing() -> str:
    with pytest.raises(CommandError) as found:
        call_command("rebuild_consent", "--check")
    return str(found.value)


@pytest.fixture
def people(monkeypatch):
    """Seven people, three of whom said STOP; read two at a time."""
    monkeypatch.setattr(rebuilding, "_AT_ONCE", 2)
    brand = factories.brand()
    made = [factories.opted_in(brand) for _ in range(7)]
    for person in made[:3]:
        later = NOW + timedelta(hours=1)
        consent.opt_out(person, brand=brand, source=ConsentSource.TEXT, occurred_at=later, now=later)
    return made


def rows():
    states = ConsentState.objects.order_by("subscriber_key").values_list(
        "subscriber_key", "brand", "purpose", "is_active", "basis", "event", "is_proven"
    )
    suppressions = Suppression.objects.filter(lifted_by=None).order_by("subscriber_key")
    return list(states), list(suppressions.values_list("subscriber_key", "brand", "purpose", "source", "event"))


def test_tables_written_by_the_verbs_agree_with_the_ledger(people):
    call_command("rebuild_consent", "--check")


def test_everything_lost_is_rebuilt_from_the_ledger(people):
    before = rows()
    ConsentState.objects.all().delete()
    Suppression.objects.all().delete()
    call_command("rebuild_consent")
    assert rows() == before
    call_command("rebuild_consent", "--check")


def test_a_state_switched_on_by_hand_is_named_and_put_right(people):
    person = people[0]
    ConsentState.objects.filter(subscriber_key=person.subscriber_key).update(is_active=True)
    said = differing()
    assert person.subscriber_key in said
    assert "the ledger says False" in said
    assert rebuilding.rebuild().written == 1
    call_command("rebuild_consent", "--check")


def test_a_suppression_taken_out_by_hand_is_named_and_stands_again(people):
    Suppression.objects.filter(subscriber_key=people[1].subscriber_key).delete()
    assert "the table nothing" in differing()
    call_command("rebuild_consent")
    assert Suppression.objects.filter(subscriber_key=people[1].subscriber_key, lifted_by=None).exists()


def test_a_suppression_the_ledger_does_not_explain_is_named_and_kept(people, capsys):
    stray = people[5]
    event = consent.history(stray.subscriber_key)[0]
    Suppression.objects.create(
        subscriber_key=stray.subscriber_key, brand=event.brand, source="admin", since=NOW, event=event
    )
    assert "the ledger says nothing" in differing()
    call_command("rebuild_consent")
    assert "1 suppressions stand" in capsys.readouterr().out
    assert Suppression.objects.filter(subscriber_key=stray.subscriber_key, lifted_by=None).exists()


def test_a_state_of_a_phone_the_ledger_does_not_know_is_named_and_removed(people):
    event = consent.history(people[0].subscriber_key)[0]
    ConsentState.objects.create(
        subscriber_key="1" + "x" * 43, brand=event.brand, purpose=Purpose.MARKETING, is_active=True,
        basis=Basis.EXPRESS, occurred_at=NOW, event=event,
    )  # fmt: skip
    assert "does not know" in differing()
    call_command("rebuild_consent")
    call_command("rebuild_consent", "--check")
