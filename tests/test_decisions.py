"""Try a decision: in the admin and over the API, for people we know and numbers we do not."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import OutboundMessage
from contacts import consent, frequency, rule_book
from contacts.models import ClosedDay, ConsentEvent, ConsentSource, Contact, FrequencyCap, QuietHoursRule
from tests import factories

pytestmark = pytest.mark.django_db

NOON = "2026-11-24T17:00:00Z"  # in New York
NIGHT = "2026-11-24T08:00:00Z"
NEW_YORKER = "+12125550123"


@pytest.fixture
def sender():
    rule_book.forget()
    yield factories.sender(brand=factories.brand(name="Acme"), is_default=True)
    rule_book.forget()
    frequency.forget()


@pytest.fixture
def desk():
    client = Client()
    client.force_login(factories.staff("contacts.view_contact", "campaigns.view_sender"))
    return client


def page(desk, **given) -> str:
    return desk.get(f"{reverse('decision')}?{urlencode(given)}").content.decode()


def ask(**given):
    return factories.api().post("/api/v1/decisions/", given, content_type="application/json")


def test_the_page_shows_the_verdict_and_every_question(desk, sender):
    factories.opted_in(sender.brand, phone=NEW_YORKER)
    html = page(desk, phone=NEW_YORKER, sender=sender.pk, purpose="marketing", at="2026-11-24T17:00")
    assert "Is the person old enough?" in html
    assert "Has this person agreed to it?" in html
    assert "America/New_York" in html


def test_a_contact_is_asked_about_without_showing_the_number(desk, sender):
    person = factories.opted_in(sender.brand, phone=NEW_YORKER)
    html = page(desk, contact=person.public_id, sender=sender.pk, purpose="marketing")
    assert NEW_YORKER not in html
    assert "+1212***0123" in html
    assert reverse("admin:contacts_contact_change", args=[person.pk]) in html


def test_an_unreadable_number_is_answered_with_its_fault(desk, sender):
    html = page(desk, phone="call me", sender=sender.pk, purpose="marketing")
    assert "NUMBER_INVALID" in html
    assert "Letters are not accepted" in html


def test_without_the_right_nothing_is_shown(sender):
    client = Client()
    client.force_login(factories.staff("campaigns.view_sender"))
    assert client.get(reverse("decision")).status_code == 403


def test_trying_changes_nothing(desk, sender):
    page(desk, phone=NEW_YORKER, sender=sender.pk, purpose="marketing")
    assert ask(to=NEW_YORKER, purpose="marketing").status_code == 200
    assert not Contact.objects.exists()
    assert not ConsentEvent.objects.exists()
    assert not OutboundMessage.objects.exists()


def test_the_api_tells_when_it_would_be_allowed(sender):
    factories.opted_in(sender.brand, phone=NEW_YORKER)
    told = ask(to=NEW_YORKER, purpose="marketing", at=NIGHT).json()
    assert (told["outcome"], told["code"], told["until"]) == ("deferred", "QUIET_HOURS", "2026-11-24T13:00:00Z")
    assert {window["rule"] for window in told["quiet_hours"]} == {"US"}
    assert [check["code"] for check in told["checks"] if check["is_decisive"]] == ["QUIET_HOURS"]


def test_a_suppression_counts_for_a_number_nobody_has(sender):
    person = factories.contact(NEW_YORKER)
    now = datetime(2026, 11, 20, tzinfo=UTC)
    consent.opt_out(person, brand=sender.brand, source=ConsentSource.TEXT, occurred_at=now, now=now)
    Contact.objects.all().delete()
    told = ask(to=NEW_YORKER, purpose="marketing", at=NOON).json()
    assert (told["contact"], told["code"]) == (None, "SUPPRESSED")
    assert "START" in told["cure"]


def test_the_api_refuses_two_recipients_and_none(sender):
    assert ask(purpose="marketing").status_code == 400
    assert ask(purpose="marketing", to=NEW_YORKER, contact=factories.contact().ref).status_code == 400


# --- the rows behind the rules ----------------------------------------------------------------------------


@pytest.fixture
def root(admin_client):
    return admin_client


def test_a_cap_of_the_admin_counts_at_once(root, sender):
    factories.opted_in(sender.brand, phone=NEW_YORKER)
    given = {
        "purpose": "marketing",
        "most": 2,
        "period": "month",
        "hours": 24,
        "when_capped": "wait",
        "is_active": "on",
    }
    assert root.post(reverse("admin:contacts_frequencycap_add"), given).status_code == 302
    told = ask(to=NEW_YORKER, purpose="marketing", at=NOON).json()
    assert any("2 in a calendar month" in check["inputs"].get("caps", "") for check in told["checks"])
    assert FrequencyCap.objects.get().most == 2


@pytest.mark.parametrize("most", ["0", "-1", "x", ""])
def test_a_cap_of_nobody_is_refused(root, most):
    given = {"purpose": "marketing", "most": most, "period": "hours", "hours": 24, "when_capped": "wait"}
    assert root.post(reverse("admin:contacts_frequencycap_add"), given).status_code == 200
    assert not FrequencyCap.objects.exists()


def test_a_closed_day_counts_at_once_and_names_who_added_it(root, sender):
    factories.opted_in(sender.brand, phone=NEW_YORKER)
    given = {"code": "US", "day": "2026-11-24", "reason": "State of emergency"}
    assert root.post(reverse("admin:contacts_closedday_add"), given).status_code == 302
    assert ClosedDay.objects.get().added_by == "admin"
    assert ask(to=NEW_YORKER, purpose="marketing", at=NOON).json()["until"] == "2026-11-25T13:00:00Z"


def test_a_closed_day_of_no_rule_is_refused(root):
    given = {"code": "USA", "day": "2026-11-24", "reason": "x"}
    assert "No quiet hours rule" in root.post(reverse("admin:contacts_closedday_add"), given).content.decode()


def choose(client, profile):
    given = {"country": "US", "profile": profile}
    return client.post(reverse("admin:contacts_quiethoursrule_choose"), given, follow=True).content.decode()


def test_a_profile_is_chosen_and_given_up_on_the_list(root, sender):
    factories.opted_in(sender.brand, phone=NEW_YORKER)
    assert "US-simple alone" in choose(root, "US-simple")
    told = ask(to=NEW_YORKER, purpose="marketing", at="2026-11-24T13:30:00Z").json()
    assert {window["rule"] for window in told["quiet_hours"]} == {"US-simple"}
    assert told["until"] == "2026-11-24T15:00:00Z"
    choose(root, "")
    assert ask(to=NEW_YORKER, purpose="marketing", at="2026-11-24T13:30:00Z").json()["outcome"] == "allowed"


def test_the_list_offers_the_profiles_to_whom_may_choose(root, sender):
    address = reverse("admin:contacts_quiethoursrule_changelist")
    assert "Use it" in root.get(address).content.decode()
    reader = Client()
    reader.force_login(factories.staff("contacts.view_quiethoursrule"))
    page = reader.get(address).content.decode()
    assert "US-simple alone" in page
    assert "Use it" not in page


def test_a_profile_of_another_country_is_refused(root, sender):
    assert "There is no such profile" in choose(root, "FR-af2m2026")
    assert not QuietHoursRule.objects.exclude(replaces="").filter(is_active=True).exists()


def test_only_who_may_change_the_rules_chooses(sender):
    client = Client()
    client.force_login(factories.staff("contacts.view_quiethoursrule"))
    assert client.post(reverse("admin:contacts_quiethoursrule_choose"), {"country": "US"}).status_code == 403


def test_a_stated_zone_and_a_new_owner_are_recorded_on_the_page(sender):
    client = Client()
    client.force_login(factories.staff("contacts.view_contact", "contacts.change_contact"))
    person = factories.opted_in(sender.brand, phone=NEW_YORKER)
    client.post(
        reverse("admin:contacts_contact_time_zone", args=[person.pk]),
        {"zone": "Asia/Tokyo", "quote": "moved, she says"},
    )
    person.refresh_from_db()
    assert person.time_zone == "Asia/Tokyo"
    client.post(reverse("admin:contacts_contact_new_owner", args=[person.pk]), {"note": "told on the phone"})
    assert ask(to=NEW_YORKER, purpose="marketing", at=NOON).json()["code"] == "NUMBER_REASSIGNED"


def test_the_api_records_both_too(sender):
    key, person = factories.api(), factories.opted_in(sender.brand, phone=NEW_YORKER)
    zone = {"time_zone": "Asia/Tokyo", "quote": "chat of 3 May"}
    answer = key.post(f"/api/v1/contacts/{person.ref}/time-zone/", zone, content_type="application/json")
    assert (answer.status_code, answer.json()["time_zone"]) == (200, "Asia/Tokyo")
    note = {"note": "Reassigned Numbers Database, 2026-11-20"}
    assert (
        key.post(f"/api/v1/contacts/{person.ref}/reassignment/", note, content_type="application/json").status_code
        == 200
    )
    assert ask(contact=person.ref, purpose="marketing", at=NOON).json()["code"] == "NUMBER_REASSIGNED"


def test_the_api_tells_the_rules_in_force(sender):
    FrequencyCap.objects.create(brand=sender.brand, most=4, period="month")
    ClosedDay.objects.create(code="US-LA", day="2026-11-24", reason="Emergency")
    told = factories.api().get("/api/v1/rules/").json()
    texas = next(row for row in told["quiet_hours"] if row["code"] == "US-TX")
    assert texas["windows"]["Sun"] == ["12:00", "21:00"]
    assert told["closed_days"] == [{"code": "US-LA", "day": "2026-11-24", "reason": "Emergency"}]
    assert (told["frequency_caps"][0]["brand"], told["frequency_caps"][0]["most"]) == (sender.brand.slug, 4)
