"""The page behind a link: less, at once and like STOP; more, only from a link that went to that very phone."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import eligibility, lint, preference_links, rendering, sending
from campaigns.models import MessageKind, OutboundMessage, OutboundState, Priority
from contacts import chain, consent, rebuilding
from contacts.models import (
    Basis,
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    Purpose,
    Suppression,
    UnitedPhone,
)
from inbound import form_pages, signing_up
from inbound.models import SignUp
from smsdesk import observability
from smsdesk.errors import Invalid
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db
PHONE = "+12125550111"


@pytest.fixture
def form():
    return factories.opt_in_form()


@pytest.fixture(autouse=True)
def _readers_are_quick(settings):
    settings.SIGN_UP = {**settings.SIGN_UP, "fastest": 0}


@pytest.fixture
def person(form):
    """Agreed to offers and to texts about orders of the form's brand."""
    made = factories.opted_in(form.brand, phone=PHONE)
    agree(made, form.brand, Purpose.TRANSACTIONAL)
    return made


def agree(person, brand, *purposes):
    proof = consent.Proof(wording="Texts", method="paper", act="signed")
    at = factories.NOW
    consent.opt_in(
        person, brand=brand, purposes=purposes, basis=Basis.EXPRESS_WRITTEN, source=ConsentSource.PAPER,
        proof=proof, occurred_at=at, now=at,
    )  # fmt: skip


def queued(person, form, purpose):
    return sending.queue(
        person, sender=form.sender, text="Hello", purpose=purpose, kind=MessageKind.API,
        priority=Priority.CAMPAIGN, now=timezone.now(),
    )  # fmt: skip


def texted(person, form, *, now=None):
    """The path of a link that went out in a message to this phone."""
    message = queued(person, form, Purpose.TRANSACTIONAL)
    OutboundMessage.objects.filter(pk=message.pk).update(state=OutboundState.DELIVERED, submit_no=1)
    return path(preference_links.of_message(message.public_id, now=now or timezone.now()))


def handed_out(person):
    return path(preference_links.of_contact(person, now=timezone.now()))


def path(url):
    return re.sub(r"^https?://[^/]+", "", url)


def key(form, purpose):
    return f"{form.brand_id}-{purpose}"


def save(url, form, *keep):
    shown = [key(form, purpose) for purpose in ("marketing", "transactional")]
    return Client().post(url, {"do": "save", "shown": shown, "keep": [key(form, one) for one in keep]})


def join(url, form, /, **over):
    page = form_pages.issue(form.wording(), now=timezone.now())
    given = {"do": "join", "form": form.ref, "agree": "on", "page": page, **over}
    return Client().post(url, {name: value for name, value in given.items() if value is not None})


def on(person):
    rows = ConsentState.objects.filter(subscriber_key=person.subscriber_key, is_active=True)
    return sorted(rows.values_list("purpose", flat=True))


def standing():
    return sorted(Suppression.objects.filter(lifted_by=None).values_list("brand", "purpose"), key=str)


# --- the link -------------------------------------------------------------------------------------------


def test_the_page_shows_what_is_sent_and_a_masked_number(person, form):
    answer = Client().get(texted(person, form))
    shown = answer.content.decode()
    assert "Offers and news" in shown
    assert form.brand.name in shown
    assert "+1212***0111" in shown
    assert PHONE not in shown
    assert "no-store" in answer["Cache-Control"]
    assert answer.cookies.keys() <= {"csrftoken"}


def test_a_scanner_that_opens_the_link_changes_nothing(person, form):
    url, before = texted(person, form), ConsentEvent.objects.count()
    client = Client()
    for method in (client.get, client.head):
        assert method(url).status_code == 200
        assert method(f"{url}?do=stop").status_code == 200
    assert ConsentEvent.objects.count() == before
    assert client.put(url).status_code == 405


def test_a_forged_post_without_the_cookie_is_refused(person, form):
    client = Client(enforce_csrf_checks=True)
    assert client.post(texted(person, form), {"do": "stop"}).status_code == 403
    assert standing() == []


def test_the_link_names_nobody_and_works_sixty_days(person, form):
    now = timezone.now()
    url = texted(person, form, now=now)
    assert PHONE[1:] not in url
    assert person.subscriber_key not in url
    token = url.rpartition("/")[2]
    assert preference_links.read(token, now=now + timedelta(days=60)).contact == person
    assert preference_links.read(token, now=preference_links.ends_at(now) - timedelta(seconds=1))
    with pytest.raises(Invalid, match="too old"):
        preference_links.read(token, now=preference_links.ends_at(now))


def test_no_changed_letter_opens_anything(person, form):
    url = handed_out(person)
    token = url.rpartition("/")[2]
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(Invalid):
            preference_links.read(token[:place] + other + token[place + 1 :], now=timezone.now())
    for forged in ("x", "x.y", ".", "é.é", "a" * 5_000, "xxxxxxxxxxxxxxxxxxxxxxxxxx." + token.partition(".")[2]):
        assert Client().get(f"/p/{forged}").status_code == 404


def test_the_link_of_somebody_who_is_gone_opens_nothing(person, form):
    by_message, by_contact = texted(person, form), handed_out(person)
    OutboundMessage.objects.update(contact=None)
    UnitedPhone.objects.all().delete()
    assert Client().get(by_message).status_code == 404
    ConsentState.objects.all().delete()
    Contact.objects.filter(pk=person.pk).delete()
    assert Client().get(by_contact).status_code == 404


def test_a_message_that_was_texted_to_another_phone_opens_nothing(person, form):
    url = texted(person, form)
    other = factories.contact()
    OutboundMessage.objects.update(contact=other)
    assert Client().get(url).status_code == 404


def test_no_log_line_shows_the_link(person):
    line = observability._redacted(None, "", f'{{"event": "GET {handed_out(person)} 200"}}')
    assert line == '{"event": "GET /p/*** 200"}'


def test_a_link_that_went_to_a_phone_of_somebody_who_was_merged_can_stop_and_not_bring_back(person, form):
    url, kept = texted(person, form), factories.contact()
    now = timezone.now()
    UnitedPhone.objects.create(
        contact=kept, subscriber_key=person.subscriber_key, phone=person.phone, united_at=now
    )
    OutboundMessage.objects.update(contact=kept)
    Contact.objects.filter(pk=person.pk).delete()
    assert "can only switch off" in Client().get(url).content.decode()
    assert Client().post(url, {"do": "stop"}).status_code == 200
    stopped = Suppression.objects.filter(lifted_by=None).values_list("subscriber_key", flat=True)
    assert set(stopped) == {kept.subscriber_key, person.subscriber_key}


# --- less -----------------------------------------------------------------------------------------------


def test_taking_out_a_tick_ends_that_purpose_alone_and_cancels_what_waits(person, form):
    offer, order = queued(person, form, Purpose.MARKETING), queued(person, form, Purpose.TRANSACTIONAL)
    answer = save(texted(person, form), form, "transactional")
    assert "1 pending message was cancelled" in answer.content.decode()
    offer.refresh_from_db()
    order.refresh_from_db()
    assert (offer.state, offer.code, order.state) == ("cancelled", "OPTED_OUT", "queued")
    assert standing() == [(form.brand_id, "marketing")]
    assert on(person) == ["transactional"]
    event = ConsentEvent.objects.latest("seq")
    assert (event.kind, event.source, event.purposes) == ("opt_out", "link", ["marketing"])
    assert event.evidence.document["act"] == "switched off: Offers and news"


def test_saving_what_is_there_changes_nothing(person, form):
    url, before = texted(person, form), ConsentEvent.objects.count()
    assert "No message was waiting" in save(url, form, "marketing", "transactional").content.decode()
    assert ConsentEvent.objects.count() == before


def test_a_purpose_the_page_did_not_show_is_not_ended(person, form):
    Client().post(texted(person, form), {"do": "save", "shown": [key(form, "marketing")]})
    assert on(person) == ["transactional"]


def test_stop_all_ends_every_brand_and_cancels_everything(person, form):
    other = factories.sender(account=form.sender.account)
    agree(person, other.brand, Purpose.MARKETING)
    for _ in range(2):
        queued(person, form, Purpose.MARKETING)
    answer = Client().post(texted(person, form), {"do": "stop"})
    assert "2 pending messages were cancelled" in answer.content.decode()
    assert "Nothing: no offers" in answer.content.decode()
    assert standing() == [(None, "*")]
    assert on(person) == []
    assert rebuilding.first_difference() is None
    assert chain.first_break() is None


def test_twice_is_once(person, form):
    url = texted(person, form)
    for _ in range(2):
        assert Client().post(url, {"do": "stop"}).status_code == 200
    assert standing() == [(None, "*")]


def test_an_open_sign_up_ends_with_an_opt_out(form):
    person = factories.contact(PHONE)
    now = timezone.now()
    SignUp.objects.create(
        form=form, brand=form.brand, wording=form.wording(), nonce="n", phone=PHONE,
        subscriber_key=person.subscriber_key, state="asked", created_at=now, asked_at=now,
        ends_at=now + timedelta(days=1),
    )  # fmt: skip
    Client().post(handed_out(person), {"do": "stop"})
    assert signing_up.awaited(person, brand=form.brand, at=timezone.now()) is None


def test_a_link_that_was_handed_out_can_stop_too(person, form):
    Client().post(handed_out(person), {"do": "stop"})
    assert standing() == [(None, "*")]
    assert ConsentEvent.objects.latest("seq").source == "web_form"


@pytest.mark.parametrize("wish", [{}, {"do": "x"}, {"do": ""}, {"do": "save", "shown": ["9-x", "x", "\ud800"]}])
def test_nonsense_changes_nothing(person, form, wish):
    url, before = texted(person, form), ConsentEvent.objects.count()
    wish = {name: [str(v).encode("utf-8", "replace").decode() for v in vs] for name, vs in wish.items()}
    assert Client().post(url, wish).status_code in (200, 400)
    assert ConsentEvent.objects.count() == before


# --- more -----------------------------------------------------------------------------------------------


def test_coming_back_by_a_texted_link_needs_the_words_and_the_tick_and_is_the_persons_own_act(person, form):
    url = texted(person, form)
    Client().post(url, {"do": "stop"})
    shown = Client().get(url).content.decode()
    assert form.wording().text.replace("&", "&amp;") in shown
    assert "checked" not in shown
    answer = join(url, form)
    assert "Welcome back" in answer.content.decode()
    opted_in, confirmed = ConsentEvent.objects.order_by("-seq")[:2][::-1]
    assert (opted_in.kind, opted_in.source, confirmed.kind) == ("opt_in", "link", "confirm")
    assert opted_in.evidence.document["wording"] == form.wording().shown
    assert on(person) == ["marketing"]
    assert OutboundMessage.objects.latest("pk").compliance_kind == "optin_confirm"


@pytest.mark.parametrize("fault", [{"agree": None}, {"page": "forged"}, {"page": None}, {"form": "frm_x"}])
def test_coming_back_without_tick_words_or_form_is_refused(person, form, fault):
    url = texted(person, form)
    Client().post(url, {"do": "stop"})
    events = ConsentEvent.objects.count()
    assert join(url, form, **fault).status_code == 400
    assert ConsentEvent.objects.count() == events
    assert on(person) == []


def test_a_link_that_was_handed_out_frees_nobody(person, form):
    url = handed_out(person)
    Client().post(url, {"do": "stop"})
    assert "can only switch off" in Client().get(url).content.decode()
    assert join(url, form).status_code == 400
    assert standing() == [(None, "*")]


def test_a_complaint_is_not_lifted_and_the_page_says_that_it_stands(person, form):
    now = timezone.now()
    consent.opt_out(person, brand=form.brand, source=ConsentSource.COMPLAINT, occurred_at=now, now=now)
    answer = join(texted(person, form), form)
    assert "still stands" in answer.content.decode()
    assert on(person) == []
    assert not OutboundMessage.objects.filter(compliance_kind="optin_confirm").exists()


def test_a_brand_this_phone_has_nothing_to_do_with_is_not_offered(person, form):
    stranger = factories.opt_in_form(sender=factories.sender(account=form.sender.account))
    url = texted(person, form)
    assert stranger.wording().text.replace("&", "&amp;") not in Client().get(url).content.decode()
    assert join(url, stranger).status_code == 400


# --- in campaigns and over the API ------------------------------------------------------------------------


def test_a_text_carries_the_link_of_its_own_message(settings):
    made = sending_rig.campaign(people=1, body="{{ brand }}: change what you get: {{ preference_link }}")
    _, work, _ = sending_rig.submit(made.sender)
    [row] = work.rows
    url = re.search(r"https?://\S+", row.body)[0]
    assert len(url) == len(preference_links.example())
    opened = preference_links.read(url.rpartition("/")[2], now=timezone.now())
    assert (opened.contact.pk, opened.brand_id, opened.was_texted) == (row.contact_id, row.brand_id, True)


def test_a_text_without_the_field_makes_no_link():
    assert (
        rendering.fields_of({"attributes": {"optout_link": "https://evil.example"}}, brand="Acme").get(
            "optout_link"
        )
        is None
    )
    assert not rendering.compile("Hi {{ first_name }}").may_link_out


@pytest.mark.parametrize(
    ("body", "is_allowed"),
    [
        ("{{ brand }}: 10 % off. Stop: {{ optout_link }}", True),
        ("{{ brand }}: 10 % off. {% if country == 'DE' %}{{ optout_link }}{% endif %}", False),
        ("{{ brand }}: 10 % off.", False),
    ],
)
def test_a_sender_nobody_can_answer_may_advertise_with_the_link_in_every_text(body, is_allowed):
    sender = factories.sender(value="ACME", kind="alphanumeric", country="DE")
    person = factories.opted_in(sender.brand, phone="+4915123456789")
    made = factories.campaign(factories.contact_list(person), sender=sender, body=body)
    context = eligibility.context_of(sender, purpose="marketing", campaign=made)
    assert context.has_optout_link is is_allowed
    blocking = [one.code for one in lint.check(made, body=body) if one.is_blocking]
    assert ("NO_OPTOUT_PATH" not in blocking) is is_allowed


def test_the_api_makes_a_link_that_can_only_switch_off(person, form):
    answer = factories.api().post(f"/api/v1/contacts/{person.ref}/preference-link/", {}, "application/json")
    assert answer.status_code == 201
    opened = preference_links.read(answer.json()["url"].rpartition("/")[2], now=timezone.now())
    assert (opened.contact, opened.was_texted) == (person, False)
    assert (
        factories.api(factories.api_key(scopes=["contacts:read"])[1])
        .post(f"/api/v1/contacts/{person.ref}/preference-link/", {}, "application/json")
        .status_code
        == 403
    )
    assert (
        factories.api()
        .post(f"/api/v1/contacts/con_{uuid4().hex}/preference-link/", {}, "application/json")
        .status_code
        == 404
    )


def test_the_api_lists_forms_with_their_words_and_changes_none(form):
    api = factories.api()
    [one] = api.get("/api/v1/opt-in-forms/").json()["data"]
    assert (one["id"], one["brand"], one["wording"]["version"]) == (form.ref, form.brand.slug, 1)
    assert one["wording"]["sha256"] == form.wording().sha256
    assert one["url"].endswith(f"/join/{form.ref}/")
    assert api.get(f"/api/v1/opt-in-forms/{form.ref}/").json() == one
    assert api.post("/api/v1/opt-in-forms/", {}, "application/json").status_code == 405


GERMAN = "+4915123456789"


@pytest.fixture
def named():
    """A sender nobody can answer, in a country where names may send."""
    return factories.sender(value="ACME", kind="alphanumeric", country="DE")


def advertise(sender, person, text):
    given = {"contact": person.ref, "purpose": "marketing", "text": text, "sender": sender.value}
    answer = factories.api().post("/api/v1/messages/", given, "application/json")
    [said] = answer.json()["recipients"]
    return said


def test_a_single_text_from_a_name_goes_with_the_persons_own_link_and_is_judged_alike_when_it_leaves(named):
    person = factories.opted_in(named.brand, phone=GERMAN)
    link = preference_links.of_contact(person, now=timezone.now())
    said = advertise(named, person, f"10 % off. Stop: {link}.")
    assert said["outcome"] in ("allowed", "deferred")
    OutboundMessage.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    sending_rig.submit(named)
    assert OutboundMessage.objects.get().code != "NO_OPTOUT_PATH"
    assert OutboundMessage.objects.get().verdict["outcome"] in ("allowed", "deferred")


@pytest.mark.parametrize("link", ["none", "another person's", "old", "forged", "a former owner's", "elsewhere"])
def test_a_single_text_from_a_name_with_any_other_link_is_refused(named, link):
    person, now = factories.opted_in(named.brand, phone=GERMAN), timezone.now()
    fresh = preference_links.of_contact(person, now=now)
    text = {
        "none": "",
        "another person's": preference_links.of_contact(factories.contact(), now=now),
        "old": preference_links.of_contact(person, now=now - timedelta(days=8)),
        "forged": fresh[:-1] + ("A" if fresh[-1] != "A" else "B"),
        "a former owner's": fresh,
        "elsewhere": fresh.replace("://", "://evil."),
    }[link]
    if link == "a former owner's":
        # They have agreed after that: only the link is the former owner's.
        consent.reassign(person, source=ConsentSource.ADMIN, now=factories.NOW - timedelta(days=1))
    said = advertise(named, person, f"10 % off. Stop: {text}")
    assert (said["outcome"], said["code"]) == ("blocked", "NO_OPTOUT_PATH")
    assert not OutboundMessage.objects.exists()


def test_a_row_from_a_name_whose_link_is_too_old_by_now_is_kept_back(named):
    person = factories.opted_in(named.brand, phone=GERMAN)
    link = preference_links.of_contact(person, now=timezone.now())
    advertise(named, person, f"10 % off. Stop: {link}")
    older = preference_links.of_contact(person, now=timezone.now() - timedelta(days=8))
    OutboundMessage.objects.update(text=f"Stop: {older}", due_at=timezone.now() - timedelta(minutes=1))
    sending_rig.submit(named)
    assert OutboundMessage.objects.values_list("state", "code").get() == ("skipped", "NO_OPTOUT_PATH")
