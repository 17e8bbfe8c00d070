from datetime import UTC, datetime, timedelta

import pytest

from contacts import consent
from contacts.models import Basis, Brand, ConsentEvent, ConsentSource, ConsentState, Contact, Purpose, Suppression
from smsdesk import phones

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
PROOF = consent.Proof(wording="Acme: text JOIN to get offers", method="keyword", act="texted JOIN")


def brand(name: str = "Acme") -> Brand:
    return Brand.objects.get_or_create(name=name, defaults={"slug": name.lower()})[0]


def person(number: str = "+12125550123") -> Contact:
    return consent.get_or_add(phones.parse(number, default_region="US"), now=NOW)


def opt_in(
    contact, *, at=NOW, basis=Basis.EXPRESS_WRITTEN, source=ConsentSource.TEXT, purposes=(Purpose.MARKETING,)
):
    return consent.opt_in(
        contact, brand=brand(), purposes=purposes, basis=basis, source=source, proof=PROOF, occurred_at=at, now=NOW
    )


def opt_out(contact, *, at=NOW, source=ConsentSource.TEXT):
    return consent.opt_out(contact, brand=brand(), source=source, occurred_at=at, now=NOW)


def is_active(contact, purpose=Purpose.MARKETING):
    return ConsentState.objects.filter(
        subscriber_key=contact.subscriber_key, purpose=purpose, is_active=True
    ).exists()


def is_suppressed(contact):
    return Suppression.objects.filter(subscriber_key=contact.subscriber_key, lifted_by=None).exists()


def test_opt_in_makes_consent_active_and_proven():
    event = opt_in(person())
    state = ConsentState.objects.get()
    assert (state.is_active, state.is_proven, state.event_id, event.seq) == (True, True, event.pk, 1)


def test_stop_ends_consent_and_suppresses():
    contact = person()
    opt_in(contact, at=NOW - timedelta(days=1))
    opt_out(contact)
    assert is_suppressed(contact)
    assert not is_active(contact)


def test_stop_twice_is_two_events_and_one_suppression():
    contact = person()
    opt_out(contact)
    opt_out(contact)
    assert ConsentEvent.objects.count() == 2
    assert Suppression.objects.count() == 1
