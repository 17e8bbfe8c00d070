"""What proves consent reads well, holds everything, and can be verified by anybody."""

import hashlib
import io
import json
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from contacts import anchoring, chain, consent, proof_pack, proof_pages, proof_words
from contacts.models import Basis, ConsentEvidence, ConsentSource, Contact, LedgerAnchor, Purpose
from inbound.models import InboundMessage
from smsdesk import printing
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

WORDING = "Ja, ich möchte Angebote. Συμφωνώ. Согласен. 😀 שלום\nReply STOP to cancel."
AGREED, STOPPED = NOW - timedelta(days=30), NOW - timedelta(days=5)


@pytest.fixture
def sender():
    return factories.sender(brand=factories.brand(name="Akmé & <Söhne>"))


@pytest.fixture
def person(sender):
    """Agreed on a form, got a message, said STOP, was kept from a second one."""
    made = factories.contact(name="Žofie Иванова")
    proof = consent.Proof(
        wording=WORDING, method="web_form", act="ticked the box", source="https://shop.example/?a=1&b=<2>",
        ip="192.0.2.17", user_agent="Mozilla/5.0 " + "x" * 300,
    )  # fmt: skip
    consent.opt_in(
        made, brand=sender.brand, purposes=[Purpose.MARKETING], basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.WEB_FORM, proof=proof, occurred_at=AGREED, now=AGREED + timedelta(seconds=2),
    )  # fmt: skip
    verdict = {"outcome": "allowed", "code": "OK", "at": (AGREED + timedelta(days=1)).isoformat(), "rules": "r7"}
    factories.outbound(
        factories.campaign(sender=sender, name="Spring"), made, state="delivered", body="Akmé: 10 % off",
        submitted_at=AGREED + timedelta(days=1), submit_no=1, verdict=verdict,
    )  # fmt: skip
    text = {"text": "STOP", "intent": "opt_out", "confidence": "exact"}
    InboundMessage.objects.create(
        account=sender.account, event_key="1", phone=made.phone, subscriber_key=made.subscriber_key, contact=made,
        sender=sender, occurred_at=STOPPED, received_at=STOPPED, **text,
    )  # fmt: skip
    consent.opt_out(made, brand=sender.brand, source=ConsentSource.TEXT, occurred_at=STOPPED, now=STOPPED)
    blocked = {
        "outcome": "blocked",
        "code": "SUPPRESSED",
        "at": NOW.isoformat(),
        "date": "2026-11-13",
        "how": "text",
    }
    factories.outbound(
        factories.campaign(sender=sender), made, state="skipped", code="SUPPRESSED", verdict=blocked
    )  # fmt: skip
    return made


MAY = (
    "contacts.view_contact",
    "contacts.disclose_contact",
    "contacts.view_full_phone",
    "contacts.view_contactnote",
    "campaigns.view_message_body",
    "inbound.view_conversation",
)


def pack_of(person: Contact) -> proof_pack.Pack:
    return proof_pack.assemble(person, by="ivana", now=NOW)


def as_json(person: Contact):
    return json.loads(json.dumps(proof_pack.as_json(pack_of(person))))


def test_the_pack_holds_the_wording_the_acts_the_decisions_and_the_stop(person):
    made = as_json(person)
    given, stop = made["events"]
    assert given["evidence"]["wording"] == WORDING
    assert given["evidence"]["ip"] == "192.0.2.17"
    assert (stop["kind"], stop["occurred_at"]) == ("opt_out", "2026-11-13T17:00:00Z")
    assert [(one["outcome"], one["code"], one["state"]) for one in made["decisions"]] == [
        ("allowed", "OK", "Delivered"),
        ("blocked", "SUPPRESSED", "Skipped"),
    ]
    assert made["decisions"][1]["reason"] == "Blocked: this person opted out on 2026-11-13 (text)."
    assert [(text["text"], text["read_as"]) for text in made["texts"]] == [("STOP", "opt-out")]
    assert made["opt_outs"][0]["messages_left_meanwhile"] == []
    assert made["suppressions"][0]["source"] == "text"


def test_anybody_can_verify_the_events_with_sha_256_alone(person):
    made = as_json(person)
    for event in made["events"]:
        whole = event["previous_hash"] + event["hashed_text"]
        assert hashlib.sha256(whole.encode()).hexdigest() == event["hash"]
        if event["evidence"]:
            assert hashlib.sha256(event["committed_text"].encode()).hexdigest() == event["evidence_commitment"]
            assert event["evidence_commitment"] in event["hashed_text"]
            assert json.loads(event["committed_text"][32:]) == event["evidence"]
    assert made["chain"]["is_whole"]


def test_a_message_that_left_after_the_stop_is_named(person, sender):
    left = factories.outbound(
        factories.campaign(sender=sender),
        person,
        state="sent",
        submitted_at=STOPPED + timedelta(hours=1),
        submit_no=1,
    )
    assert as_json(person)["opt_outs"][0]["messages_left_meanwhile"] == [left.ref]
    assert "part 3 names them" in " ".join(proof_words.summary(pack_of(person)))


def test_what_leaves_after_the_person_came_back_breaks_no_stop(person, sender):
    back = STOPPED + timedelta(days=1)
    proof = consent.Proof(wording="x", method="keyword", act="texted START")
    consent.resume(person, brand=sender.brand, proof=proof, occurred_at=back, now=back)
    factories.outbound(
        factories.campaign(sender=sender), person, state="sent", submitted_at=back + timedelta(hours=1), submit_no=1
    )
    [stop] = as_json(person)["opt_outs"]
    assert stop["messages_left_meanwhile"] == []
    assert stop["stands_until"] == "2026-11-14T17:00:00Z"


def test_changed_evidence_is_said_plainly(person):
    ConsentEvidence.objects.filter(event__seq=1).update(document={"wording": "Forged"})
    made = as_json(person)
    assert not made["chain"]["is_whole"]
    assert "FAILED at event 1" in made["chain"]["result"]


def test_a_very_long_ledger_is_verified_around_the_persons_events(person, monkeypatch):
    monkeypatch.setattr(proof_pack, "WALKED", 0)
    assert "Each event of this person" in as_json(person)["chain"]["result"]
    ConsentEvidence.objects.filter(event__seq=1).update(document={"wording": "Forged"})
    assert "FAILED" in as_json(person)["chain"]["result"]


def test_the_head_handed_out_that_covers_the_last_event_is_named(person, tmp_path):
    anchoring.append(tmp_path / "heads.txt", anchoring.head(now=NOW))
    anchor = as_json(person)["chain"]["anchor"]
    assert (anchor["number"], anchor["hash"]) == chain.anchor()
    assert anchor["kept_in"].endswith("heads.txt")


def test_a_ledger_that_differs_from_the_head_handed_out_is_said_to_fail(person, tmp_path):
    anchoring.append(tmp_path / "heads.txt", anchoring.head(now=NOW))
    LedgerAnchor.objects.update(hash="a" * 64)
    made = as_json(person)["chain"]
    assert not made["is_whole"]
    assert "the anchor says otherwise" in made["result"]


# --- pages ----------------------------------------------------------------------------------------------


def said(pdf: bytes) -> bool:
    return pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF")


def test_the_pages_are_made_for_a_full_and_for_an_empty_life(person):
    assert said(proof_pages.as_pdf(pack_of(person)))
    assert said(proof_pages.as_pdf(pack_of(factories.contact())))


def test_erased_evidence_is_said_on_the_pages(person):
    ConsentEvidence.objects.all().delete()
    pack = pack_of(person)
    assert pack.proof.is_whole
    assert all(proof_pack.evidence_of(event) is None for event in pack.events)
    assert said(proof_pages.as_pdf(pack))


@pytest.mark.parametrize(
    "text", ["😀" * 4_000, "a" * 10_000, "\x00\x07<b>&amp;]]>", "line\n" * 3_000, "", "\ud800"]
)
def test_no_text_however_odd_keeps_the_pages_from_being_made(text):
    story = printing.Story()
    story.title(text, below=text)
    story.heading(text, aim=text)
    story.quote(text)
    story.fact("Name", text)
    story.point(text)
    story.table(["A", "B"], [["1", text], ["2", text]], widths=(0.1, 0.9))
    assert said(story.as_pdf(title="t", foot=text, author="a"))


def test_letters_of_three_alphabets_are_printed_and_others_named():
    text = "Žluťoučký Ωμέγα Їжак €"
    assert printing.printable(text) == text
    assert printing.printable("😀中ש") == "[U+1F600][U+4E2D][U+05E9]"


# --- who may --------------------------------------------------------------------------------------------


def test_one_button_gives_the_pages_and_the_log_says_who_took_them(client, person):
    client.force_login(factories.staff(*MAY))
    page = client.get(reverse("admin:contacts_contact_change", args=[person.pk])).content.decode()
    address = reverse("admin:contacts_contact_proof_pdf", args=[person.pk])
    assert address in page
    answer = client.get(address)
    assert answer["Content-Type"] == "application/pdf"
    assert said(answer.content)
    assert client.get(reverse("admin:contacts_contact_proof_json", args=[person.pk])).json()["made_by"]
    assert LogEntry.objects.filter(object_id=str(person.pk), change_message__startswith="Made a proof").count() == 2


@pytest.mark.parametrize("lacking", MAY[1:])
def test_without_one_of_the_permissions_there_is_no_button_and_no_pack(client, person, lacking):
    """Whoever sees numbers masked, or no texts, does not get them this way."""
    client.force_login(factories.staff(*(one for one in MAY if one != lacking)))
    page = client.get(reverse("admin:contacts_contact_change", args=[person.pk])).content.decode()
    assert "Proof pack" not in page
    for name in ("pdf", "json"):
        address = reverse(f"admin:contacts_contact_proof_{name}", args=[person.pk])
        assert client.get(address).status_code == 403
    assert not LogEntry.objects.exists()


def test_the_api_gives_both_forms_to_keys_with_the_scope(person):
    api, address = factories.api(), f"/api/v1/contacts/{person.ref}/proof/"
    assert api.get(address).json()["contact"]["phone"] == person.phone
    pages = api.get(address, {"as": "pdf"})
    assert pages["Content-Type"] == "application/pdf"
    assert said(io.BytesIO(pages.content).read())
    assert api.get(address, {"as": "docx"}).status_code == 400
    assert LogEntry.objects.filter(change_message__contains="sk_live_").count() == 2
    other = factories.api(factories.api_key(scopes=["contacts:read"])[1])
    assert other.get(address).status_code == 403
