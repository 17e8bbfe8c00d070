"""The timeline of a contact: complete, in order, a fixed number of queries, and nothing a reader may not see."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import OutboundState
from contacts import audit, belonging, consent, notes, timeline
from contacts.models import ConsentSource, ContactNote
from inbound import receiving
from smsdesk.errors import Invalid
from smsdesk.gateways.contract import InboundText
from smsdesk.models import Scope
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
CANARY = "Is table 7731 free on Monday?"  # nothing that reads like a request to stop
EVERYTHING = (
    "contacts.view_contact",
    "contacts.view_contactnote",
    "contacts.add_contactnote",
    "campaigns.view_outboundmessage",
    "campaigns.view_message_body",
    "inbound.view_conversation",
)


def busy_person(*, size: int = 1):
    """Somebody to whom everything happened `size` times, much of it at the same instant."""
    campaign_brand = factories.brand()
    sender = factories.sender(brand=campaign_brand)
    person = factories.opted_in(campaign_brand, name="Ann")
    user = factories.user()
    for number in range(size):
        at = NOW + timedelta(hours=number // 3)
        factories.outbound(
            factories.campaign(sender=sender), person, state=OutboundState.DELIVERED, body=CANARY, created_at=at
        )
        said = InboundText(
            event_key=uuid4().hex, gateway_id="", phone=person.phone, sender=sender.value, text=CANARY, at=at
        )
        receiving.receive(sender.account, said, now=at)
        consent.opt_out(person, brand=campaign_brand, source=ConsentSource.ADMIN, occurred_at=at, now=at)
        held = consent.hold(person, brand=None, inbound_id=None, said_at=at, now=at)
        consent.release(held, contact=person, by="ann", now=at)
        notes.add(person, text=f"note {number}", author=user, now=at)
        audit.note(person, "Looked.", by=user)
    return person


def read(person, *, may=lambda permission: True, **more):
    return timeline.read(person, keys=belonging.keys_of(person), may=may, **more)


def walk(person, *, limit: int, **more):
    page = read(person, limit=limit, **more)
    found = list(page.entries)
    while page.older:
        page = read(person, limit=limit, cursor=page.older, **more)
        assert page.entries, "a cursor leads to something"
        found += page.entries
    return found


def test_everything_that_happened_is_there_once_and_newest_first():
    person = busy_person(size=5)

    whole = read(person, limit=100).entries

    counts = {kind: sum(entry.kind == kind for entry in whole) for kind in timeline.KINDS}
    assert counts["messages"] == 5
    assert counts["notes"] == 5
    assert counts["holds"] == 10  # opened and decided
    assert counts["consent"] == 6
    assert counts["texts"] == 6  # five texts, one conversation that opened
    assert counts["edits"] == 10  # the note and the look, each time
    assert counts["imports"] == 1
    assert [entry.at for entry in whole] == sorted((entry.at for entry in whole), reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_of_any_size_show_each_entry_once_even_at_the_same_instant(limit):
    person = busy_person(size=4)

    assert walk(person, limit=limit) == list(read(person, limit=100).entries)


def test_what_happens_meanwhile_does_not_move_the_older_pages():
    person = busy_person(size=3)
    before = list(read(person, limit=100).entries)
    first = read(person, limit=5)
    notes.add(person, text="just now", author=factories.user(), now=before[0].at + timedelta(days=9))

    assert list(read(person, limit=100, cursor=first.older).entries) == before[5:]


def test_a_long_history_costs_no_more_queries_than_a_short_one():
    short, long = busy_person(size=1), busy_person(size=25)
    read(short)  # content types are known now

    costs = []
    for person in (short, long):
        with CaptureQueriesContext(connection) as captured:
            page = read(person)
        costs.append(len(captured))
    assert page.older
    assert costs[0] == costs[1] <= 10


def test_filters_keep_their_kind_page_after_page():
    person = busy_person(size=5)

    assert {entry.kind for entry in walk(person, limit=2, kinds=["notes", "holds"])} == {"notes", "holds"}
    assert len(walk(person, limit=2, kinds=["notes"])) == 5


@pytest.mark.parametrize("cursor", ["x", "e30", "WzEsMiwzXQ", "é", "W" * 3000, "\x00"])
def test_a_place_that_is_no_place_is_refused(cursor):
    with pytest.raises(Invalid) as refused:
        read(factories.contact(), cursor=cursor)
    assert refused.value.field == "cursor"


# --- The page ---------------------------------------------------------------------------------------------


def page_of(client, person) -> str:
    return client.get(reverse("admin:contacts_contact_change", args=[person.pk])).content.decode()


def test_older_entries_are_reached_by_plain_links_alone(client):
    person = busy_person(size=12)
    client.force_login(factories.staff(*EVERYTHING))
    shown = page_of(client, person)
    texts = [shown]
    while 'class="timeline-more"' in shown:
        address = shown.partition('<li class="timeline-more">')[2].partition('href="')[2].partition('"')[0]
        answer = client.get(address.replace("&amp;", "&"))
        shown = answer.content.decode()
        assert "<html" in shown
        texts.append(shown)
    everything = "".join(texts[1:])
    assert everything.count(">note ") + texts[0].count('<div dir="auto">note ') == 12


def test_with_htmx_only_the_entries_come(client):
    person = busy_person(size=12)
    client.force_login(factories.staff(*EVERYTHING))
    address = reverse("admin:contacts_contact_timeline", args=[person.pk])

    answer = client.get(address, {"kind": "notes"}, headers={"HX-Request": "true"}).content.decode()

    assert "<html" not in answer
    assert "note 11" in answer
    assert "Looked." not in answer


def test_texts_and_notes_are_shown_only_to_those_who_may_read_them(client):
    person = busy_person()
    client.force_login(factories.staff("contacts.view_contact", "campaigns.view_outboundmessage"))

    shown = page_of(client, person)

    assert "Delivered" in shown
    assert CANARY not in shown
    assert "note 0" not in shown
    assert person.phone not in shown


@pytest.mark.parametrize("permission", ["campaigns.view_message_body", "inbound.view_conversation"])
def test_each_right_opens_its_own_texts(permission):
    person = busy_person()
    given = {"contacts.view_contact", "campaigns.view_outboundmessage", "inbound.view_inboundmessage", permission}

    details = [entry.kind for entry in read(person, may=given.__contains__).entries if CANARY in entry.detail]

    assert "texts" in details
    assert ("messages" in details) == (permission == "campaigns.view_message_body")


def test_a_contact_one_may_not_see_has_no_timeline(client):
    client.force_login(factories.staff())
    assert client.get(reverse("admin:contacts_contact_timeline", args=[factories.contact().pk])).status_code == 403


# --- Notes ------------------------------------------------------------------------------------------------


def test_a_note_is_written_read_and_deleted_and_the_log_does_not_repeat_it(client):
    person = factories.contact()
    user = factories.staff(*EVERYTHING, "contacts.delete_contactnote")
    client.force_login(user)
    address = reverse("admin:contacts_contact_notes", args=[person.pk])

    assert client.post(address, {"text": "  Likes <b>tea</b>\r\nand cake "}).status_code == 302
    note = ContactNote.objects.get()
    assert (note.text, note.author) == ("Likes <b>tea</b>\nand cake", user)
    assert "Likes &lt;b&gt;tea&lt;/b&gt;<br>and cake" in page_of(client, person)
    assert client.post(address, {"delete": note.pk}).status_code == 302

    assert not ContactNote.objects.exists()
    titles = [entry.title for entry in read(person, kinds=["edits"]).entries]
    assert titles[0].startswith("Deleted a note of 20")
    assert titles[1] == "Wrote a note."


@pytest.mark.parametrize("text", ["", " \n", "\x00", "x" * 4001])
def test_a_note_that_is_none_is_refused_and_what_was_typed_stays(client, text):
    person = factories.contact()
    client.force_login(factories.staff(*EVERYTHING))
    address = reverse("admin:contacts_contact_notes", args=[person.pk])

    answer = client.post(address, {"text": text}, headers={"HX-Request": "true"})

    assert "1 to 4,000 characters" in answer.content.decode()
    assert not ContactNote.objects.exists()
    assert client.post(address, {"text": text}).status_code == 302


def test_notes_are_refused_without_their_rights(client):
    person = factories.contact()
    note = notes.add(person, text="secret", author=factories.user(), now=NOW)
    client.force_login(factories.staff("contacts.view_contact"))
    address = reverse("admin:contacts_contact_notes", args=[person.pk])

    for given in ({"text": "x"}, {"delete": note.pk}):
        assert client.post(address, given).status_code == 403
    assert "secret" not in page_of(client, person)
    client.force_login(factories.staff(*EVERYTHING, "contacts.delete_contactnote"))
    other = reverse("admin:contacts_contact_notes", args=[factories.contact().pk])
    assert client.post(other, {"delete": note.pk}).status_code == 404
    assert client.post(other, {"delete": "²"}).status_code == 404


# --- What waits -------------------------------------------------------------------------------------------


def waiting(client, person) -> str:
    return client.get(reverse("admin:campaigns_contact_messages", args=[person.pk])).content.decode()


def test_a_waiting_message_is_taken_back_once(client):
    person = factories.contact()
    message = factories.outbound(factories.campaign(), person)
    address = reverse("admin:campaigns_message_cancel", args=[message.pk])
    client.force_login(factories.staff("campaigns.view_outboundmessage", "contacts.view_contact"))
    assert client.post(address).status_code == 403
    assert "Cancel</button>" not in waiting(client, person)
    client.force_login(factories.staff("campaigns.view_outboundmessage", "campaigns.pause_campaign"))
    assert "Cancel</button>" in waiting(client, person)

    assert client.post(address, headers={"HX-Request": "true"}).status_code == 200

    message.refresh_from_db()
    assert (message.state, message.code) == ("cancelled", "TAKEN_BACK")
    assert "Nothing waits" in waiting(client, person)
    assert "does not wait any more" in client.post(address, headers={"HX-Request": "true"}).content.decode()


@pytest.mark.parametrize(
    ("over", "state"),
    [
        ({"outcome_open": True}, "parked"),
        ({"purpose": "compliance"}, "queued"),
        ({"state": "submitting", "token": uuid4(), "submitted_at": NOW}, "submitting"),
    ],
)
def test_what_may_have_left_or_must_leave_is_not_called_cancelled(client, over, state):
    message = factories.outbound(factories.campaign(), factories.contact(), **over)
    client.force_login(factories.staff("campaigns.view_outboundmessage", "campaigns.pause_campaign"))

    client.post(reverse("admin:campaigns_message_cancel", args=[message.pk]), headers={"HX-Request": "true"})

    message.refresh_from_db()
    assert message.state == state


# --- API --------------------------------------------------------------------------------------------------


def test_the_api_pages_and_filters_and_shows_what_its_scopes_open():
    person = busy_person(size=3)
    address = f"/api/v1/contacts/{person.ref}/timeline/"

    whole = factories.api().get(f"{address}?limit=100").json()
    assert whole["next"] is None
    found, url = [], f"{address}?limit=4"
    while url:
        page = factories.api().get(url).json()
        found += page["data"]
        url = page["next"]
    assert found == whole["data"]
    assert CANARY in str(whole)

    narrow = factories.api(factories.api_key(scopes=[Scope.CONTACTS_READ])[1])
    kinds = {entry["kind"] for entry in narrow.get(f"{address}?limit=100").json()["data"]}
    assert kinds == {"consent", "holds", "notes", "edits", "imports"}
    only = narrow.get(f"{address}?kind=notes&kind=holds").json()["data"]
    assert {entry["kind"] for entry in only} == {"notes", "holds"}


@pytest.mark.parametrize("query", ["kind=x", "limit=0", "limit=101", "limit=x", "cursor=x", "page=2"])
def test_a_parameter_the_api_does_not_understand_is_named(query):
    answer = factories.api().get(f"/api/v1/contacts/{factories.contact().ref}/timeline/?{query}")
    assert answer.status_code == 400


def test_notes_over_the_api():
    api, person = factories.api(), factories.contact()
    address = f"/api/v1/contacts/{person.ref}/notes/"

    made = api.post(address, {"text": "Likes tea"}, content_type="application/json")

    assert made.status_code == 201
    assert api.get(address).json()["data"] == [made.json()]
    assert api.post(address, {"text": " "}, content_type="application/json").status_code == 400
    assert api.post(address, {"text": 1}, content_type="application/json").status_code == 400


def test_a_form_asks_for_as_much_as_the_rule_allows(client):
    """Numbers on pages are written with commas for people; a browser reads 4,000 as 4."""
    client.force_login(factories.staff(*EVERYTHING, "contacts.delete_contactnote"))
    person = factories.contact()
    note = ContactNote.objects.create(pk=12345, contact=person, author=factories.user(), text="x", created_at=NOW)

    shown = page_of(client, person)

    assert 'maxlength="4000"' in shown
    assert f'name="delete" value="{note.pk}"' in shown
