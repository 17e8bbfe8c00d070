"""Further senders as people and programs name them: the wizard, the API, the pages that show them."""

import csv
import io

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from campaigns import forms, further_senders, lanes, lifecycle, reports
from campaigns.further_senders import Serving
from campaigns.models import Campaign, CampaignSender, CampaignState
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

URL = "/api/v1/campaigns/"
MAY = tuple(f"campaigns.{verb}_campaign" for verb in ("add", "change", "view", "delete", "send", "pause"))


@pytest.fixture
def marketer(client):
    client.force_login(factories.staff(*MAY))
    return client


@pytest.fixture
def campaign():
    return factories.campaign(factories.contact_list(factories.contact()))


def another(campaign, **over):
    return factories.sender(**{"brand": campaign.brand, "account": campaign.sender.account, **over})


def named(campaign):
    return {row.sender: row.countries for row in CampaignSender.objects.filter(campaign=campaign)}


def page(name, campaign, *more):
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk, *more])


# --- The wizard ---------------------------------------------------------------------------------------


def post(client, campaign, *rows, total=None, headers=None, **over):
    """The step as a browser sends it; `rows` are (sender or its id, countries)."""
    values = {
        "name": campaign.name,
        "brand": campaign.brand_id,
        "sender": campaign.sender_id,
        "purpose": campaign.purpose,
        "include": [one.pk for one in campaign.include.all()],
        "further-TOTAL_FORMS": len(rows) if total is None else total,
        "further-INITIAL_FORMS": 0,
        **over,
    }
    for number, (sender, countries) in enumerate(rows):
        values[f"further-{number}-sender"] = getattr(sender, "pk", sender)
        values[f"further-{number}-countries"] = countries
    return client.post(page("step", campaign, "audience"), values, headers=headers or {})


def test_the_step_saves_further_senders_in_one_form_and_shows_them_again(marketer, campaign):
    british, other = another(campaign), another(campaign)
    answer = post(marketer, campaign, (british, " gb, ie;GB  "), ("", ""), (other, "US"), ("", " "), stay="1")
    assert answer.status_code == 302
    assert named(campaign) == {british: ["GB", "IE"], other: ["US"]}
    shown = marketer.get(page("step", campaign, "audience")).content.decode()
    assert 'value="GB, IE"' in shown
    assert 'name="further-3-sender"' in shown  # two more rows
    assert "style=" not in shown.partition('<div class="desk">')[2]
    assert "Changed further senders." in [one.change_message for one in log_of(campaign)]

    before = log_of(campaign).count()
    post(marketer, campaign, (other, "US"), (british, "IE GB"))
    assert log_of(campaign).count() == before
    post(marketer, campaign, (british, "FR"), ("", ""))
    assert named(campaign) == {british: ["FR"]}
    post(marketer, campaign, ("", ""))
    assert named(campaign) == {}


def log_of(campaign):
    return LogEntry.objects.filter(object_id=campaign.pk)


def test_a_page_that_says_nothing_of_them_leaves_them(marketer, campaign):
    british = another(campaign)
    further_senders.write(campaign, [Serving(british, ["GB"])])
    values = {"name": "Other", "brand": campaign.brand_id, "sender": campaign.sender_id, "purpose": "marketing"}
    values["include"] = [one.pk for one in campaign.include.all()]
    assert marketer.post(page("step", campaign, "audience"), values).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.name, named(campaign)) == ("Other", {british: ["GB"]})


@pytest.mark.parametrize(
    ("countries", "said"),
    [
        ("XX", "This is no country. (given: &#x27;XX&#x27;) Two-letter codes"),
        ("GB, uk", "(given: &#x27;uk&#x27;) Write GB."),
        ("Germany", "(given: &#x27;Germany&#x27;)"),
        ("", "serves at least one country"),
        (", ;", "serves at least one country"),
        ("GB," * 900, "at most 2000 characters"),
        ("G\x00B", "Null characters are not allowed"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_countries_that_are_none_are_refused_in_their_row_and_kept_in_the_box(marketer, campaign, countries, said):
    answer = post(marketer, campaign, (another(campaign), countries))
    assert answer.status_code == 200
    shown = answer.content.decode()
    assert said in shown
    assert "Further senders: Row 1: " in shown
    assert named(campaign) == {}


def test_the_rows_are_judged_beside_each_other(marketer, campaign):
    british, stranger = another(campaign), factories.sender()
    shown = post(
        marketer, campaign, (british, "GB"), (stranger, "FR"), (british, "IE"), ("", "DE")
    ).content.decode()
    assert f"Row 2: This sender belongs to another brand. (given: &#x27;{stranger}&#x27;)" in shown
    assert f"Choose a sender of {campaign.brand}." in shown
    assert f"Row 3: This sender is named twice. (given: &#x27;{british}&#x27;) Put all its countries" in shown
    assert "Row 4: Choose the sender for these countries, or empty the row." in shown
    assert named(campaign) == {}


@pytest.mark.parametrize("total", ["", "x", "-1", "100000"])
def test_a_count_of_rows_that_is_none_is_no_server_error(marketer, campaign, total):
    assert post(marketer, campaign, (another(campaign), "GB"), total=total).status_code in (200, 302)


def test_a_sender_that_is_gone_is_told_in_its_row(marketer, campaign):
    assert "Row 1: Select a valid choice" in post(marketer, campaign, (999_999, "GB")).content.decode()


def test_a_half_typed_row_is_said_beside_the_counts_and_saves_nothing(marketer, campaign):
    answer = post(marketer, campaign, (another(campaign), ""), headers={"HX-Request": "true"})
    assert "Row 1: A further sender serves at least one country." in answer.content.decode()
    assert named(campaign) == {}


def test_no_more_than_fifty_are_taken(marketer, campaign):
    senders = [another(campaign) for _ in range(51)]
    shown = post(marketer, campaign, *((one, "GB") for one in senders)).content.decode()
    assert "Name at most 50." in shown


def test_the_review_says_who_serves_which_countries(marketer, campaign):
    british = another(campaign)
    further_senders.write(campaign, [Serving(british, ["GB", "IE"]), Serving(campaign.sender, ["GB"])])
    shown = " ".join(marketer.get(page("step", campaign, "review")).content.decode().split())
    assert f"<dt>Further sender</dt><dd>{british} (10DLC number, 100 parts a second): GB, IE</dd>" in shown
    assert "parts a second): GB and every country nobody else serves</dd>" in shown


def test_the_review_of_one_sender_speaks_of_no_countries(marketer, campaign):
    shown = marketer.get(page("step", campaign, "review")).content.decode()
    assert f"{campaign.sender} (10DLC number, 100 parts a second)</dd>" in shown
    assert "nobody else serves" not in shown


def test_a_problem_of_theirs_leads_to_the_step_where_it_is_put_right(marketer, campaign):
    further_senders.write(campaign, [Serving(factories.sender(), ["GB"])])
    shown = marketer.get(page("step", campaign, "review")).content.decode()
    assert "This sender belongs to another brand" in shown
    assert page("step", campaign, "audience") in shown


def test_after_the_launch_the_step_saves_nothing(marketer, campaign):
    lifecycle.launch(campaign, by=None, now=NOW)
    answer = post(marketer, campaign, (another(campaign), "GB"))
    assert answer.url == page("report", campaign)
    assert named(campaign) == {}


def test_a_draft_with_further_senders_can_be_deleted_and_their_sender_cannot(marketer, campaign):
    british = another(campaign)
    further_senders.write(campaign, [Serving(british, ["GB"])])
    marketer.post(page("delete", campaign), {"post": "yes"})
    assert not Campaign.objects.filter(pk=campaign.pk).exists()
    assert not CampaignSender.objects.exists()


def test_a_further_sender_of_a_launched_campaign_keeps_its_identity(campaign):
    british = another(campaign)
    further_senders.write(campaign, [Serving(british, ["GB"])])

    def errors():
        values = {**{name: getattr(british, name) for name in ("kind", "country", "parts_per_second")}}
        values |= {"value": "+12025550143", "brand": british.brand_id, "account": british.account_id}
        return forms.SenderForm({**values, "registered_in": "[]"}, instance=british).errors

    assert "value" not in errors()
    british.refresh_from_db()
    lifecycle.launch(campaign, by=None, now=NOW)
    assert f"The campaign “{campaign}” uses this sender" in str(errors()["value"])


def test_the_list_finds_campaigns_by_any_of_their_senders(marketer, campaign):
    british = another(campaign)
    further_senders.write(campaign, [Serving(british, ["GB"])])
    other = factories.campaign(name="Elsewhere")
    changelist = reverse("admin:campaigns_campaign_changelist")
    for sender in (british, campaign.sender):
        shown = marketer.get(changelist, {"sender": sender.pk}).content.decode()
        assert campaign.name in shown
        assert other.name not in shown
    assert marketer.get(changelist, {"sender": "x"}).status_code in (200, 302)


# --- The report ---------------------------------------------------------------------------------------


def test_each_gateways_codes_are_told_in_its_own_words_and_each_person_with_their_sender(marketer):
    """Twilio's 21610 and Infobip's 1 in one campaign."""
    number = factories.sender(account=factories.account(kind="twilio"))
    campaign = factories.campaign(sender=number, state=CampaignState.SENDING, launched_at=NOW, audience_size=2)
    british = another(campaign, account=factories.account(kind="infobip"))
    further_senders.write(campaign, [Serving(british, ["GB"])])
    failed = {"state": "undelivered", "submitted_at": NOW, "parts": 1}
    factories.outbound(campaign, factories.contact(), error_code="30007", error_class="carrier", **failed)
    lane = lanes.ensure(british)[0]
    factories.outbound(
        campaign, factories.contact(), sender=british, lane=lane, error_code="5", error_class="carrier", **failed
    )
    campaign = Campaign.objects.get(pk=campaign.pk)
    told = {line.code: line.sentence for line in reports.figures(campaign, now=NOW).failures}
    assert told == {
        "30007": "The carrier's spam filter stopped the text.",
        "5": "The number is not in service.",
    }
    shown = marketer.get(page("report", campaign)).content.decode()
    assert f"<td>{british}</td><td>" in shown
    assert f"{british}: GB" in shown
    lines = b"".join(marketer.get(page("export", campaign)).streaming_content).decode("utf-8-sig")
    reasons = {row["code"]: row["reason"] for row in csv.DictReader(io.StringIO(lines))}
    assert reasons == told


# --- The API ------------------------------------------------------------------------------------------


@pytest.fixture
def api():
    return factories.api()


def send(api, verb, url, body):
    return getattr(api, verb)(url, body, content_type="application/json")


def body(campaign, *rows, **over):
    return {
        "name": "Spring",
        "sender": campaign.sender.value,
        "body": f"{campaign.brand.name}: hi. Reply STOP to end",
        "include": [one.name for one in campaign.include.all()],
        "further_senders": [{"sender": str(sender), "countries": countries} for sender, countries in rows],
        **over,
    }


def test_a_campaign_is_drafted_changed_and_launched_with_further_senders(api, campaign):
    british, other = another(campaign), another(campaign)
    made = send(api, "post", URL, body(campaign, (british, ["gb", "IE", "GB"])))
    assert made.status_code == 201, made.json()
    assert made.json()["further_senders"] == [{"sender": british.value, "countries": ["GB", "IE"]}]
    url = f"{URL}{made.json()['id']}/"
    assert send(api, "patch", url, {"name": "Summer"}).json()["further_senders"] == made.json()["further_senders"]
    rows = [{"sender": one.value, "countries": ["US"]} for one in (british, other)]
    assert send(api, "patch", url, {"further_senders": rows}).json()["further_senders"] == rows
    assert send(api, "post", f"{url}launch/", {}).status_code == 200
    frozen = send(api, "patch", url, {"further_senders": []})
    assert (frozen.status_code, frozen.json()["code"]) == (409, "not_a_draft")
    assert api.get(url).json()["further_senders"] == rows


def test_an_empty_list_removes_them(api, campaign):
    made = send(api, "post", URL, body(campaign, (another(campaign), ["GB"])))
    changed = send(api, "patch", f"{URL}{made.json()['id']}/", {"further_senders": []})
    assert changed.json()["further_senders"] == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"countries": ["XX"]}, "no country"),
        ({"countries": ["UK"]}, "Write GB"),
        ({"countries": []}, "at least 1"),
        ({"countries": "GB"}, "list"),
        ({"countries": [7]}, ""),
        ({"countries": None}, "null"),
        ({"countries": ["US"] * 301}, "300"),
        ({"countries": ["GB"], "country": "GB"}, "country"),
        ({"sender": "+19999999999", "countries": ["GB"]}, "no such sender"),
        ({"sender": None, "countries": ["GB"]}, "null"),
        ({}, "required"),
    ],
)
def test_what_cannot_be_a_further_sender_is_refused_and_nothing_is_drafted(api, campaign, row, said):
    given = {"sender": another(campaign).value, **row}
    answer = send(api, "post", URL, body(campaign, further_senders=[given]))
    assert answer.status_code == 400, answer.json()
    assert said in str(answer.json()).replace("\\xa0", " "), answer.json()
    assert "further_senders" in str(answer.json())
    assert Campaign.objects.count() == 1


@pytest.mark.parametrize("given", [None, "GB", {}, ["x"], [[]], [{}] * 51])
def test_what_is_no_list_of_further_senders_is_refused(api, campaign, given):
    assert send(api, "post", URL, body(campaign, further_senders=given)).status_code == 400


def test_a_sender_of_another_brand_or_named_twice_is_refused(api, campaign):
    stranger, british = factories.sender(), another(campaign)
    refused = send(api, "post", URL, body(campaign, (stranger, ["GB"])))
    assert (refused.status_code, refused.json()["code"]) == (400, "sender_of_other_brand")
    refused = send(api, "post", URL, body(campaign, (british, ["GB"]), (british, ["US"])))
    assert (refused.status_code, refused.json()["code"]) == (400, "sender_twice")


def test_of_a_number_that_two_brands_have_the_campaigns_own_is_taken(api, campaign):
    factories.sender(value="ACME", kind="alphanumeric")
    own = another(campaign, value="ACME", kind="alphanumeric")
    made = send(api, "post", URL, body(campaign, (own, ["GB"])))
    assert made.status_code == 201, made.json()
    assert CampaignSender.objects.get().sender == own


def test_a_test_key_neither_names_nor_launches_a_real_further_sender(campaign):
    real = another(campaign, account=factories.account(is_simulator=False))
    api = factories.api(factories.api_key(is_test=True)[1])
    refused = send(api, "post", URL, body(campaign, (real, ["GB"])))
    assert (refused.status_code, refused.json()["code"]) == (403, "no_simulator")
    further_senders.write(campaign, [Serving(real, ["GB"])])
    refused = send(api, "post", f"{URL}{campaign.ref}/launch/", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "no_simulator")
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT
