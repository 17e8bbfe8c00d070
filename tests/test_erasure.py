"""Erasing a person takes everything personal and leaves the opt-out; handing it out gives all of it."""

import csv
import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.urls import reverse

from campaigns import eligibility
from campaigns.models import DeliveryEvent, OutboundMessage, OutboundState
from contacts import (
    chain,
    consent,
    erasure,
    facts,
    gathering,
    legal_hold,
    permission,
    personal_export,
    rebuilding,
    suppressing,
    uniting,
)
from contacts.models import Basis, ConsentEvidence, ConsentSource, ConsentState, Contact, Purpose, Suppression
from inbound.models import Conversation, InboundMessage, Note, SignUp
from smsdesk import phones
from smsdesk.errors import Conflict, Invalid, WrongState
from tests import factories
from tests.factories import NOW
from tests.racing import at_once

pytestmark = pytest.mark.django_db
PHONE = "+12125550142"
OTHER = "+442079460142"
SECRETS = (PHONE, "2125550142", "Ann Berg", "192.0.2.17", "meet me at", "10 % off for", "rather difficult")
PROOF = consent.Proof(wording="Offers for Ann Berg", method="web_form", act="ticked the box", ip="192.0.2.17")


@pytest.fixture
def sender():
    return factories.sender(value="+12025550199")


@pytest.fixture
def person(sender):
    """Somebody of whom every part of the desk holds something."""
    made = factories.opted_in(sender.brand, phone=PHONE, name="Ann Berg", attributes={"city": "meet me at"})
    opt_in(made, sender.brand, at=NOW)
    factories.contact_list(made)
    sent = factories.outbound(
        factories.campaign(sender=sender), made, state="delivered", body="10 % off for Ann Berg", submit_no=1,
        submitted_at=NOW, verdict={"outcome": "allowed", "code": "OK", "at": NOW.isoformat(), "phone": PHONE},
    )  # fmt: skip
    DeliveryEvent.objects.create(
        account=sender.account, event_key="r1", message=sent, word="DELIVERED", received_at=NOW, raw={"to": PHONE}
    )
    thread = Conversation.objects.create(contact=made, sender=sender, last_activity_at=NOW, created_at=NOW)
    InboundMessage.objects.create(
        account=sender.account, event_key="1", phone=PHONE, subscriber_key=made.subscriber_key, contact=made,
        sender=sender, conversation=thread, text="meet me at noon", rule="meet me at",
        occurred_at=NOW, received_at=NOW,
        raw={"from": PHONE},
    )  # fmt: skip
    Note.objects.create(conversation=thread, author=factories.user(), text="rather difficult", created_at=NOW)
    consent.hold(made, brand=sender.brand, inbound_id=None, said_at=NOW, now=NOW)
    form = factories.opt_in_form(sender=sender)
    SignUp.objects.create(
        form=form, brand=sender.brand, wording=form.wording(), nonce="n", phone=PHONE, ip="192.0.2.17",
        user_agent="Ann Berg's browser", subscriber_key=made.subscriber_key, state="joined", created_at=NOW,
    )  # fmt: skip
    return made


def opt_in(person, brand, *, at, source=ConsentSource.WEB_FORM):
    return consent.opt_in(
        person, brand=brand, purposes=[Purpose.MARKETING], basis=Basis.EXPRESS_WRITTEN, source=source, proof=PROOF,
        occurred_at=at, now=at,
    )  # fmt: skip


def erase(person, *, at=NOW):
    return erasure.erase(person, by=factories.user(), actor="ivana", reason="asked by mail", now=at)


def may_i(person, brand):
    context = facts.Context(purpose=Purpose.MARKETING, brand_id=brand.pk, brand_name=brand.name)
    at = NOW + timedelta(days=3)
    return permission.judge(gathering.facts_about(person, context=context, at=at), at).code


def everything_stored() -> str:
    """Every row of every table of ours, and of the log, as text."""
    models = [
        m
        for app in ("smsdesk", "contacts", "campaigns", "inbound", "admin")
        for m in apps.get_app_config(app).get_models()
    ]
    return repr([list(model._base_manager.values()) for model in models])


# --- erased ---------------------------------------------------------------------------------------------


def test_nothing_personal_is_left_in_any_table(person):
    before = everything_stored()
    assert all(secret in before for secret in SECRETS if secret != "2125550142")
    erase(person)
    after = everything_stored()
    assert [secret for secret in SECRETS if secret in after] == []
    assert person.subscriber_key in after


def test_the_chain_still_holds_and_the_tables_agree_with_it(person):
    event = erase(person)
    assert chain.first_break() is None
    assert rebuilding.first_difference() is None
    assert (event.kind, event.source, event.actor, event.evidence_commitment) == ("erase", "erasure", "ivana", "")


def test_who_never_opted_out_is_suppressed_by_the_erasure_for_every_brand(person):
    erase(person)
    [row] = Suppression.objects.filter(subscriber_key=person.subscriber_key, lifted_by=None)
    assert (row.brand, row.purpose, row.source) == (None, "*", "erasure")


@pytest.mark.parametrize("stopped_before", [True, False])
def test_erased_imported_again_with_consent_and_still_suppressed(person, sender, stopped_before):
    if stopped_before:
        consent.opt_out(person, brand=sender.brand, source=ConsentSource.TEXT, occurred_at=NOW, now=NOW)
    erase(person, at=NOW + timedelta(hours=1))
    again = factories.contact(PHONE)
    later = NOW + timedelta(days=1)
    opt_in(again, sender.brand, at=later, source=ConsentSource.IMPORT)
    assert may_i(again, sender.brand).startswith(("SUPPRESSED", "ERASED"))


def test_the_persons_own_opt_in_afterwards_is_allowed(person, sender):
    erase(person)
    again = factories.contact(PHONE)
    opt_in(again, sender.brand, at=NOW + timedelta(days=1), source=ConsentSource.TEXT)
    assert may_i(again, sender.brand) == "OK"


def test_start_after_an_erasure_revives_no_consent_whose_proof_is_gone(person, sender):
    erase(person)
    again = factories.contact(PHONE)
    later = NOW + timedelta(days=1)
    consent.resume(again, brand=sender.brand, proof=PROOF, occurred_at=later, now=later)
    assert not ConsentState.objects.filter(subscriber_key=again.subscriber_key, is_active=True).exists()
    assert may_i(again, sender.brand) not in ("OK", "SUPPRESSED")


def test_a_complaint_stays_what_it_was(person, sender):
    consent.opt_out(person, brand=None, source=ConsentSource.COMPLAINT, occurred_at=NOW, now=NOW)
    erase(person, at=NOW + timedelta(hours=1))
    again = factories.contact(PHONE)
    opt_in(again, sender.brand, at=NOW + timedelta(days=1))
    assert may_i(again, sender.brand) == "SUPPRESSED"


def test_what_waits_of_a_running_campaign_is_cancelled(person, sender):
    waiting = factories.outbound(factories.campaign(sender=sender, state="sending"), person)
    confirmation = factories.outbound(factories.campaign(sender=sender), person, purpose="compliance")
    unsure = factories.outbound(factories.campaign(sender=sender), person, state="unknown", submit_no=1)
    erase(person)
    states = dict(OutboundMessage.objects.values_list("pk", "state"))
    assert states[waiting.pk] == states[confirmation.pk] == OutboundState.CANCELLED
    assert states[unsure.pk] == OutboundState.PARKED
    assert OutboundMessage.objects.get(pk=waiting.pk).code == "ERASED"


def test_while_a_message_is_leaving_nothing_is_erased(person, sender):
    factories.outbound(
        factories.campaign(sender=sender), person, state="submitting", submitted_at=NOW,
        token="00000000-0000-0000-0000-000000000001",
    )  # fmt: skip
    with pytest.raises(Conflict):
        erase(person)
    assert Contact.objects.filter(pk=person.pk, name="Ann Berg").exists()
    assert ConsentEvidence.objects.exists()


def test_twice_is_told(person):
    erase(person)
    with pytest.raises(WrongState):
        erase(person)


def test_others_keep_everything(person, sender):
    other = factories.opted_in(sender.brand, name="Zed")
    factories.outbound(factories.campaign(sender=sender), other, state="delivered", body="for Zed")
    erase(person)
    assert Contact.objects.get().name == "Zed"
    assert OutboundMessage.objects.filter(body="for Zed", phone=other.phone).exists()
    assert may_i(other, sender.brand) == "OK"


# --- legal hold -----------------------------------------------------------------------------------------


def test_a_legal_hold_forbids_it_until_it_is_ended(person):
    clerk = factories.user()
    legal_hold.place(person, reason="Berg v. Acme", by=clerk)
    with pytest.raises(WrongState, match="Berg v"):
        erase(person)
    legal_hold.end(person, by=clerk)
    erase(person)


def test_a_hold_without_a_reason_is_refused(person):
    with pytest.raises(Invalid):
        legal_hold.place(person, reason=" \x00 ", by=factories.user())


# --- handed out -----------------------------------------------------------------------------------------


def test_the_export_holds_every_part_and_nobody_elses(person, sender):
    factories.opted_in(sender.brand, name="Zed")
    made = personal_export.gather(person, now=NOW)
    text = json.dumps(made)
    assert all(secret in text for secret in SECRETS if secret != "2125550142")
    assert "Zed" not in text
    assert set(made["parts"]) == {
        "contact", "consent_events", "suppressions", "holds", "notes", "log", "messages", "inbound_texts",
        "conversations", "sign_ups",
    }  # fmt: skip


def test_the_zip_has_the_same_in_csv_without_formulas(person):
    Contact.objects.filter(pk=person.pk).update(name="=1+1")
    person.refresh_from_db()
    archive = zipfile.ZipFile(io.BytesIO(personal_export.as_zip(person, now=NOW)))
    [row] = csv.DictReader(io.StringIO(archive.read("contact.csv").decode()))
    assert row["name"] == "'=1+1"
    assert row["phone"] == f"'{PHONE}"
    assert json.loads(archive.read("person.json"))["parts"]["contact"][0]["name"] == "=1+1"
    assert "Texts this person sent (1)" in archive.read("README.txt").decode()


# --- who may --------------------------------------------------------------------------------------------


def page(person, name="erase"):
    return reverse(f"admin:contacts_contact_{name}", args=[person.pk])


def test_the_page_tells_what_goes_and_asks_for_the_last_digits(client, person):
    client.force_login(factories.staff("contacts.view_contact", "contacts.erase_contact"))
    shown = client.get(page(person)).content.decode()
    assert "Texts this person sent" in shown
    assert PHONE not in shown
    wrong = client.post(page(person), {"last_digits": "9999", "reason": "asked"})
    assert "not the last four digits" in wrong.content.decode()
    assert Contact.objects.filter(pk=person.pk).exists()
    done = client.post(page(person), {"last_digits": PHONE[-4:], "reason": "asked"})
    assert done.status_code == 302
    assert not Contact.objects.filter(pk=person.pk).exists()
    entry = LogEntry.objects.get(change_message__startswith="Erased")
    assert entry.object_repr == person.ref
    assert client.post(page(person), {"last_digits": PHONE[-4:], "reason": "asked"}).status_code == 404


@pytest.mark.parametrize("name", ["erase", "export", "hold"])
def test_without_the_permission_nothing_is_shown_or_done(client, person, name):
    client.force_login(factories.staff("contacts.view_contact"))
    answer = client.post(page(person, name)) if name == "hold" else client.get(page(person, name))
    assert answer.status_code == 403


def test_the_contact_page_places_and_ends_a_hold(client, person):
    client.force_login(factories.staff("contacts.view_contact", "contacts.hold_contact", "contacts.erase_contact"))
    client.post(page(person, "hold"), {"reason": "Berg v. Acme"})
    shown = client.get(reverse("admin:contacts_contact_change", args=[person.pk])).content.decode()
    assert "Legal hold: Berg v. Acme" in shown
    assert "Erase for good" not in client.get(page(person)).content.decode()
    client.post(page(person, "hold"), {"end": "1"})
    assert Contact.objects.get(pk=person.pk).legal_hold == ""


def test_the_api_exports_and_erases_with_its_own_scopes(person):
    address, key = f"/api/v1/contacts/{person.ref}/", factories.api()
    reader = factories.api(factories.api_key(scopes=["contacts:read", "contacts:write"])[1])
    body = {"phone": PHONE, "reason": "asked by mail"}
    assert reader.get(f"{address}export/").status_code == 403
    assert reader.post(f"{address}erasure/", body, content_type="application/json").status_code == 403
    assert key.get(f"{address}export/").json()["parts"]["contact"][0]["phone"] == PHONE
    wrong = {**body, "phone": "+12125550143"}
    assert key.post(f"{address}erasure/", wrong, content_type="application/json").status_code == 409
    done = key.post(f"{address}erasure/", body, content_type="application/json")
    assert done.status_code == 200, done.json()
    assert key.get(address).status_code == 404


def test_a_row_that_strays_in_after_the_erasure_says_so(person, sender):
    erase(person)
    decision = eligibility._gone(person.subscriber_key, NOW)
    assert (decision.may_leave, decision.code) == (False, "ERASED")
    assert eligibility._gone("a key nobody has", NOW).code == "CONTACT_GONE"


# --- at the same moment ---------------------------------------------------------------------------------


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_an_erasure_beside_stops_and_grants_ends_suppressed_with_an_unbroken_chain(sender):
    person, clerk = factories.opted_in(sender.brand, phone=PHONE), factories.user()
    phone = phones.parse(PHONE, default_region="")

    def erases():
        erasure.erase(person, by=clerk, actor="ivana", reason="asked", now=NOW + timedelta(hours=1))

    def stops():
        for _ in range(5):
            known = consent.get_or_add(phone, now=NOW)
            consent.opt_out(known, brand=sender.brand, source=ConsentSource.TEXT, occurred_at=NOW, now=NOW)

    def grants():
        for _ in range(5):
            opt_in(consent.get_or_add(phone, now=NOW), sender.brand, at=NOW, source=ConsentSource.API)

    assert at_once(erases, stops, grants, grants) == []
    assert Suppression.objects.filter(source="erasure", lifted_by=None).exists()
    assert not ConsentState.objects.filter(is_active=True).exists()
    assert chain.first_break() is None
    assert rebuilding.first_difference() is None


# --- coming back after an erasure -------------------------------------------------------------------------


def came_back(brand, *, source=ConsentSource.WEB_FORM):
    """The same phone, as a fresh contact, opts in a day later."""
    fresh = factories.contact(PHONE)
    opt_in(fresh, brand, at=NOW + timedelta(days=1), source=source)
    return may_i(fresh, brand)


def test_who_was_erased_and_never_refused_comes_back_by_a_form(person, sender):
    erase(person)
    assert came_back(sender.brand) == "OK"


@pytest.mark.parametrize("source", [ConsentSource.API, ConsentSource.PAPER, ConsentSource.VERBAL])
def test_nobody_else_brings_back_who_was_erased(person, sender, source):
    erase(person)
    assert came_back(sender.brand, source=source) == "SUPPRESSED"


@pytest.mark.parametrize("brand_of", [lambda brand: brand, lambda brand: None])
@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_stop_around_the_erasure_is_not_lifted_by_a_form(person, sender, brand_of, hours):
    erased_at = NOW + timedelta(hours=2)
    at = erased_at + timedelta(hours=hours)
    if hours > 0:
        erase(person, at=erased_at)
        person = factories.contact(PHONE)
    consent.opt_out(person, brand=brand_of(sender.brand), source=ConsentSource.TEXT, occurred_at=at, now=at)
    if hours <= 0:
        erase(person, at=erased_at)
    else:
        person.delete()
    assert came_back(sender.brand) == "SUPPRESSED"
    assert rebuilding.first_difference() is None


def test_erasing_takes_what_was_merged_into_the_person_with_it(person, sender):
    """Their other phone: sign-ups with address and browser, the external id that was given up in the log."""
    Contact.objects.filter(pk=person.pk).update(external_id="N-secret")
    person.refresh_from_db()
    kept = factories.contact(OTHER, external_id="K-secret")
    Conversation.objects.update(state="resolved")
    uniting.unite(kept, person, by=factories.user(), actor="ann", now=NOW)

    erasure.erase(kept, by=factories.user(), actor="marko", reason="", now=NOW)

    left = everything_stored()
    assert [secret for secret in (*SECRETS, "N-secret", "K-secret") if secret in left] == []


def test_erasing_a_phone_that_is_a_contact_again_leaves_a_tie_without_its_number(person):
    kept = factories.contact(OTHER)
    Conversation.objects.update(state="resolved")
    uniting.unite(kept, person, by=factories.user(), actor="ann", now=NOW)
    again = factories.contact(phone=PHONE)

    erasure.erase(again, by=factories.user(), actor="marko", reason="", now=NOW)

    assert list(kept.united_phones.values_list("subscriber_key", "phone")) == [(again.subscriber_key, "")]


def test_a_refusal_of_every_brand_that_is_reported_after_the_erasure_is_not_lifted_by_a_form(person, sender):
    erase(person)
    refusal = suppressing.Refusal(None, ConsentSource.CARRIER, "told by the carrier")
    at = NOW + timedelta(hours=1)

    suppressing.suppress({person.subscriber_key: PHONE}, refusal=refusal, occurred_at=at, now=at, by="ann")

    assert came_back(sender.brand) == "SUPPRESSED_PROVIDER"


def test_who_refused_on_their_other_phone_is_not_brought_back_by_a_form_after_an_erasure(person, sender):
    other = factories.contact(OTHER)
    consent.opt_out(other, brand=None, source=ConsentSource.TEXT, occurred_at=NOW, now=NOW)
    erase(person)
    again = factories.contact(PHONE)
    uniting.unite(again, other, by=factories.user(), actor="ann", now=NOW)

    opt_in(again, sender.brand, at=NOW + timedelta(days=1))

    assert may_i(again, sender.brand) == "SUPPRESSED"
