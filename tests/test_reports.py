"""The report: figures with their denominators, reasons in words, and a CSV no spreadsheet runs."""

import csv
import io
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns import failures, reasons, recipients, reports, sender_choice
from campaigns.models import CampaignState, OutboundState
from smsdesk.gateways.errors import POLICIES, ErrorClass
from smsdesk.templatetags import charts
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

READER = ("campaigns.view_campaign", "campaigns.view_outboundmessage")


@pytest.fixture
def sent():
    """A campaign under way, with one row of nearly every kind."""
    campaign = factories.campaign(
        sender=factories.sender(account=factories.account(kind="twilio")),
        state=CampaignState.SENDING,
        launched_at=NOW,
        audience_size=9,
    )
    gone = {"submitted_at": NOW, "accepted_at": NOW, "parts": 2}
    factories.outbound(campaign, factories.contact(name="Ana"), state="delivered", replied_at=NOW, **gone)
    factories.outbound(campaign, factories.contact(), state="delivered", opted_out_at=NOW, **gone)
    factories.outbound(campaign, factories.contact(), state="sent", **gone)
    failed = {"state": "undelivered", "error_class": "recipient", **gone}
    factories.outbound(campaign, factories.contact(), error_code="30005", **failed)
    factories.outbound(campaign, factories.contact(), state="skipped", code="NO_CONSENT")
    factories.outbound(campaign, factories.contact(), state="skipped", code="NO_CONSENT")
    factories.outbound(campaign, factories.contact(), waiting_for="quiet_hours")
    factories.outbound(campaign, factories.contact())
    factories.outbound(campaign, factories.contact(), state="unknown", submitted_at=NOW)
    return campaign


def url(name, campaign, query=""):
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk]) + query


def test_every_figure_comes_from_one_query(sent, django_assert_num_queries):
    sender_choice.senders(sent)  # as pages read a campaign
    with django_assert_num_queries(1):
        figures = reports.figures(sent, now=NOW)
    assert (figures.targeted, figures.taken, figures.delivered, figures.replied) == (9, 4, 2, 1)
    assert (figures.failed, figures.unknown, figures.parked, figures.skipped) == (1, 1, 0, 2)
    assert (figures.queued, figures.opted_out, figures.parts, figures.settled) == (2, 1, 8, 7)
    assert [(name, count, of) for name, count, of in figures.funnel] == [
        ("Targeted", 9, 9),
        ("Sent", 4, 9),
        ("Delivered", 2, 4),
        ("Replied", 1, 2),
    ]


def test_reasons_are_sentences_with_their_counts(sent):
    figures = reports.figures(sent, now=NOW)
    assert [(line.code, line.count, line.of) for line in figures.skips] == [("NO_CONSENT", 2, 9)]
    assert figures.skips[0].sentence == "Blocked: this person never gave consent."
    assert {line.code for line in figures.waiting} == {"quiet_hours", ""}
    assert "outside the allowed hours" in " ".join(line.sentence for line in figures.waiting)
    assert figures.failures[0].sentence == "The number is not in service."


def test_rate_and_time_left_count_what_is_ready_to_go(sent):
    figures = reports.figures(sent, now=NOW + timedelta(seconds=30))
    assert figures.rate == 0.1
    assert figures.seconds_left == 10
    assert reports.figures(sent, now=NOW + timedelta(hours=1)).seconds_left is None


def test_an_empty_campaign_divides_by_nothing():
    figures = reports.figures(factories.campaign(), now=NOW)
    assert (figures.targeted, figures.settled, figures.seconds_left) == (0, 0, None)
    assert reports.share(1, 0) == 0.0


@pytest.mark.parametrize(
    ("gateway", "code", "error_class", "said"),
    [
        ("twilio", "30007", "blocked", "spam filter"),
        ("infobip", "4101", "", "in time"),
        ("infobip", "99999", "funds", "no money"),
        ("infobip", "5", "recipient", "not in service"),
        ("nobody", "", "strange", "no reason we know"),
    ],
)
def test_a_gateways_code_is_told_in_words(gateway, code, error_class, said):
    assert said in failures.explain(gateway, code, error_class).cause


def test_every_class_of_error_has_words():
    known = set(failures._BY_CLASS)
    assert set(failures.ErrorClass) - known <= {failures.ErrorClass.NOTHING_WRITTEN, failures.ErrorClass.UNLISTED}


def test_the_page_shows_it_all_in_a_fixed_number_of_queries(client, sent, django_assert_max_num_queries):
    client.force_login(factories.staff(*READER))
    with django_assert_max_num_queries(15):
        page = client.get(url("report", sent)).content.decode()
    assert "SMS has no open rate" in page
    assert "50.0 % of 4" in page
    assert "never gave consent" in page
    assert "<svg" in page
    assert "The same as a table" in page
    assert 'hx-trigger="every 4s"' in page
    assert not [phone for phone in sent.messages.values_list("phone", flat=True) if phone in page]
    assert "Pause" not in page.partition('<div class="desk">')[2].partition("</section>")[0]


@pytest.mark.parametrize("state", CampaignState.values)
def test_the_report_of_every_state_is_a_page(admin_client, state):
    campaign = factories.campaign(state=state, paused_reason="because")
    page = admin_client.get(url("report", campaign)).content.decode()
    assert CampaignState(state).label in page
    assert "Each person of the audience gets a row here" in page


def test_buttons_are_those_the_state_and_the_person_allow(client, sent):
    client.force_login(factories.staff(*READER, "campaigns.pause_campaign"))
    page = client.get(url("live", sent)).content.decode()
    assert 'id="do-pause"' in page
    assert 'id="do-resume"' not in page
    assert "Cancel the rest (2)" in page


def test_the_live_header_answers_304_until_something_changes(client, sent):
    client.force_login(factories.staff(*READER))
    first = client.get(url("live", sent))
    assert first["Cache-Control"] == "no-store, private"
    again = client.get(url("live", sent), headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    sent.messages.filter(state="sent").update(state="delivered")
    changed = client.get(url("live", sent), headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_a_large_campaign_is_counted_once_for_all_who_look(client, sent, monkeypatch):
    monkeypatch.setattr("campaigns.report_views.LARGE", 5)
    client.force_login(factories.staff(*READER))
    client.get(url("live", sent))
    sent.messages.update(state="delivered")
    assert "50.0 % of 4" in client.get(url("live", sent)).content.decode()


def test_a_waiting_row_says_until_when(client, sent):
    verdict = {"code": "QUIET_HOURS", "until": "2026-11-19T13:00:00+00:00", "zones": "America/New_York"}
    sent.messages.filter(waiting_for="quiet_hours").update(verdict=verdict, due_at=NOW + timedelta(hours=20))
    client.force_login(factories.staff(*READER))
    page = client.get(url("report", sent), {"reason": "waits-quiet_hours"}).content.decode()
    assert "Waiting until 2026-11-19 13:00 UTC" in page
    assert "America/New_York" in page


def test_a_live_header_costs_few_queries(client, sent, django_assert_max_num_queries):
    client.force_login(factories.staff(*READER))
    with django_assert_max_num_queries(7):
        client.get(url("live", sent))


@pytest.mark.parametrize(
    ("reason", "count"),
    [
        ("", 9),
        ("state-delivered", 2),
        ("code-NO_CONSENT", 2),
        ("error-30005", 1),
        ("waits-quiet_hours", 1),
        ("waits-turn", 1),
        ("replied", 1),
        ("opted_out", 1),
        ("state-nonsense", 9),
        ("'; DROP TABLE", 9),
        ("code-", 0),
    ],
)
def test_recipients_are_filtered_by_any_reason_of_the_page(client, sent, reason, count):
    assert recipients.of(sent, reason=reason).count() == count
    client.force_login(factories.staff(*READER))
    assert client.get(url("report", sent), {"reason": reason, "page": "x"}).status_code == 200


def exported(client, campaign):
    answer = client.get(url("export", campaign))
    assert answer.streaming
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


def test_the_csv_masks_phones_unless_one_may_see_them(client, sent):
    client.force_login(factories.staff(*READER))
    rows = exported(client, sent)
    assert len(rows) == 9
    assert all("***" in row["phone"] for row in rows)
    client.force_login(factories.staff(*READER, "contacts.view_full_phone"))
    assert {row["phone"] for row in exported(client, sent)} == set(sent.messages.values_list("phone", flat=True))


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx", '=HYPERLINK("http://x")'])
def test_no_cell_of_the_csv_is_a_formula(client, name):
    campaign = factories.campaign(state=CampaignState.FINISHED)
    factories.outbound(campaign, factories.contact(name=name), state="delivered")
    client.force_login(factories.staff(*READER))
    assert exported(client, campaign)[0]["name"] == f"'{name}"


def test_the_csv_is_read_page_by_page_and_lacks_nobody(client, sent, monkeypatch):
    monkeypatch.setattr(recipients, "PAGE", 2)
    client.force_login(factories.staff(*READER))
    refs = [row["message"] for row in exported(client, sent)]
    assert sorted(refs) == sorted(message.ref for message in sent.messages.all())


def test_a_deleted_contact_leaves_its_row_readable(client, sent):
    client.force_login(factories.staff(*READER))
    message = sent.messages.filter(state="sent").get()
    message.contact.delete()
    assert client.get(url("report", sent)).status_code == 200
    assert len(exported(client, sent)) == 9


def test_delivery_over_time_has_buckets_that_fit(sent):
    assert reports.over_time(sent) == ("minute", [reports.Bucket(NOW, 4, 2)])
    first = sent.messages.filter(state="sent").get()
    sent.messages.filter(pk=first.pk).update(submitted_at=NOW + timedelta(hours=30))
    assert reports.over_time(sent)[0] == "hour"
    sent.messages.filter(pk=first.pk).update(submitted_at=NOW + timedelta(days=30))
    assert reports.over_time(sent)[0] == "day"


def test_a_chart_is_drawn_as_text_without_style():
    drawn = charts.bars(
        [("10:00", {"sent": 4, "delivered": 2}), ("10:01", {"sent": 0, "delivered": 0})], "T", "minute"
    )
    assert [bar["height"] for bar in drawn["bars"]] == [charts.BASE, charts.BASE / 2, 0, 0]
    assert charts.bars([], "T", "minute")["bars"] == []
    assert charts.bars([("x", {"a": 0})], "T", "minute")["top"] == 0


def test_every_state_of_a_message_is_in_one_group_of_figures():
    groups = [*reports.TAKEN, *reports.FAILED, *reports.OPEN, "skipped", "cancelled", "unknown", "parked"]
    assert set(groups) == set(OutboundState.values)


def test_the_times_of_the_page_name_their_zone(client, sent):
    client.force_login(factories.staff(*READER))
    assert timezone.get_current_timezone_name() in client.get(url("report", sent)).content.decode()


@pytest.mark.parametrize("kind", [k for k in ErrorClass if POLICIES[k].outcome == "again" and k != "not_written"])
def test_every_reason_to_wait_has_a_sentence(kind):
    assert reasons.waiting(kind.value, {}).startswith("Waiting")
