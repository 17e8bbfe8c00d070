"""The page behind a link, attacked: other people's links, old ones, copied ones, and pages that are sent again."""

import threading
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import preference_links
from campaigns.models import OutboundMessage
from contacts import belonging, consent, personal_export, timeline, uniting
from contacts.models import ConsentEvent, ConsentSource, Contact, Suppression
from inbound import form_pages, preferences, receiving
from inbound.models import InboundMessage
from smsdesk.gateways.contract import InboundText
from tests import factories
from tests.test_preferences import _readers_are_quick, form, handed_out, join, on, person, texted
from tests.test_receiving import in_threads

__all__ = ["_readers_are_quick", "form", "person"]

pytestmark = pytest.mark.django_db


def token(url: str) -> str:
    return url.rpartition("/")[2]


def stands(person) -> bool:
    return Suppression.objects.filter(subscriber_key=person.subscriber_key, lifted_by=None).exists()


# --- keys and owners --------------------------------------------------------------------------------------


def test_a_link_goes_on_working_when_the_secret_key_is_changed_and_the_former_one_is_kept(person, form, settings):
    links = [texted(person, form), handed_out(person)]
    settings.SECRET_KEY, former = "another" * 10, settings.SECRET_KEY
    assert {Client().get(url).status_code for url in links} == {404}
    settings.SECRET_KEY_FALLBACKS = [former]
    assert {Client().get(url).status_code for url in links} == {200}


def test_the_links_of_a_number_s_former_owner_open_nothing(person, form):
    links = [texted(person, form), handed_out(person)]
    consent.reassign(person, source=ConsentSource.ADMIN, now=timezone.now())
    for url in links:
        assert Client().get(url).status_code == 404
        assert Client().post(url, {"do": "stop"}).status_code == 404
        assert join(url, form).status_code == 404
    assert on(person) == []
    assert not stands(person)
    assert Client().get(handed_out(person)).status_code == 200
    assert Client().get(texted(person, form)).status_code == 200


def test_a_link_of_a_contact_survives_a_merge_and_stops_both_phones(person, form):
    kept, url = factories.contact(), handed_out(person)
    uniting.unite(kept, person, by=factories.user(), actor="ann", now=timezone.now())
    assert Client().post(url, {"do": "stop"}).status_code == 200
    assert stands(kept)
    assert stands(person)


def test_a_link_to_a_phone_that_was_merged_and_is_a_contact_again_opens_that_contact(person, form):
    kept, url = factories.contact(), texted(person, form)
    uniting.unite(kept, person, by=factories.user(), actor="ann", now=timezone.now())
    again = factories.contact(person.phone)
    opened = preference_links.read(token(url), now=timezone.now())
    assert (opened.contact, opened.was_texted) == (again, True)


def test_a_link_of_a_text_that_never_left_brings_nobody_back(person, form):
    url = texted(person, form)
    OutboundMessage.objects.update(state="cancelled")
    Client().post(url, {"do": "stop"})
    assert join(url, form).status_code == 400
    assert stands(person)


# --- who else could read the link ---------------------------------------------------------------------------


def shown_to_others(person, sender, url):
    """Everywhere the desk shows texts, as somebody with every right reads them."""
    staff = factories.staff(
        "campaigns.view_outboundmessage", "campaigns.view_message_body", "contacts.view_contact",
        "inbound.view_conversation", "inbound.view_inboundmessage",
    )  # fmt: skip
    desk, api = Client(), factories.api()
    desk.force_login(staff)
    message = OutboundMessage.objects.get(kind="api")
    said = InboundMessage.objects.get()
    yield desk.get(reverse("admin:campaigns_outboundmessage_change", args=[message.pk])).content.decode()
    yield desk.get(reverse("admin:contacts_contact_change", args=[person.pk])).content.decode()
    yield desk.get(reverse("admin:inbound_inboundmessage_changelist")).content.decode()
    yield desk.get(reverse("inbox_thread", args=[said.conversation.ref])).content.decode()
    yield api.get("/api/v1/messages/").content.decode()
    yield api.get(f"/api/v1/conversations/{said.conversation.ref}/").content.decode()
    yield api.get(f"/api/v1/contacts/{person.ref}/timeline/").content.decode()
    keys = belonging.keys_of(person)
    yield str(timeline.read(person, keys=keys, may=lambda _: True).entries)
    yield str(personal_export.gather(person, now=timezone.now()))


def test_nobody_at_the_desk_reads_the_link_that_went_into_a_text(person, form):
    url = texted(person, form)
    OutboundMessage.objects.update(body=f"Choose: http://testserver{url}")
    quoted = InboundText(
        event_key=uuid4().hex, gateway_id="", phone=person.phone, sender=form.sender.value,
        text=f"Thanks for http://testserver{url} you two", at=timezone.now(),
    )  # fmt: skip
    receiving.receive(form.sender.account, quoted, now=timezone.now())
    pages = list(shown_to_others(person, form.sender, url))
    assert [token(url) in page for page in pages] == [False] * len(pages)
    assert sum("/p/***" in page for page in pages) >= 7


# --- sent again -------------------------------------------------------------------------------------------


def test_a_page_that_is_sent_again_does_not_undo_an_opt_out_from_since(person, form):
    url = texted(person, form)
    page = form_pages.issue(form.wording(), now=timezone.now())
    Client().post(url, {"do": "stop"})
    assert join(url, form, page=page).status_code == 409
    assert stands(person)
    assert join(url, form).status_code == 200


def test_pressing_for_ever_does_not_fill_the_ledger(person, form):
    url = texted(person, form)
    for _ in range(preferences.MOST_STOPS_A_DAY + 10):
        assert Client().post(url, {"do": "stop"}).status_code == 200
    assert ConsentEvent.objects.filter(kind="opt_out").count() == preferences.MOST_STOPS_A_DAY
    person_again = Contact.objects.get()
    proof = consent.Proof(wording="START", method="keyword", act="texted START")
    now = timezone.now()
    consent.resume(person_again, brand=form.brand, proof=proof, occurred_at=now, now=now)
    assert Client().post(url, {"do": "stop"}).status_code == 200
    assert (None, "*") in set(Suppression.objects.filter(lifted_by=None).values_list("brand", "purpose"))


def test_coming_back_over_and_over_ends_for_the_day_and_the_last_word_is_an_opt_out(person, form):
    url = texted(person, form)
    said = []
    for _ in range(preferences.MOST_RETURNS_A_DAY + 2):
        Client().post(url, {"do": "stop"})
        said.append(join(url, form).status_code)
    assert said == [200] * preferences.MOST_RETURNS_A_DAY + [429] * 2
    assert stands(person)


def test_an_opt_out_by_the_link_counts_for_the_campaign_that_sent_it(person, form):
    url = texted(person, form)
    Client().post(url, {"do": "stop"})
    assert OutboundMessage.objects.exclude(opted_out_at=None).count() == 1


# --- what is sent at all ------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["/p/", "/join/", "/admin/login/"])
def test_a_stranger_s_large_file_is_refused_unread(person, form, where):
    url = {"/p/": texted(person, form), "/join/": f"/join/{form.ref}/"}.get(where, where)
    large = SimpleUploadedFile("x.bin", b"x" * 3_000_000)
    before = ConsentEvent.objects.count()
    assert Client().post(url, {"do": "stop", "x": large}).status_code == 413
    assert ConsentEvent.objects.count() == before


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_a_stop_by_the_link_outwaits_a_worker_that_holds_the_contact(person, form):
    url, is_held = texted(person, form), threading.Event()

    def hold():
        with transaction.atomic():
            consent.lock([person.pk])
            is_held.set()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(3)")

    def stop():
        is_held.wait(10)
        return Client().post(url, {"do": "stop"}).status_code

    assert in_threads(hold, stop)[1] == 200
    assert stands(person)
