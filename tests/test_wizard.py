"""The wizard: from a name to a launch, and everything it refuses on the way."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from campaigns import drafting, lint
from campaigns.models import Campaign, CampaignState, GatewayAccount, OutboundMessage, Sender, SenderKind
from smsdesk import phones
from smsdesk.errors import WrongState
from tests import factories

pytestmark = pytest.mark.django_db

MARKETER = (
    "campaigns.add_campaign",
    "campaigns.change_campaign",
    "campaigns.view_campaign",
    "campaigns.send_campaign",
    "campaigns.pause_campaign",
)


@pytest.fixture
def marketer(client):
    client.force_login(factories.staff(*MARKETER))
    return client


def url(name, *args):
    return reverse(f"admin:campaigns_campaign_{name}", args=args)


def post_audience(client, campaign, **over):
    values = {
        "name": campaign.name,
        "brand": campaign.brand_id or "",
        "sender": campaign.sender_id or "",
        "purpose": campaign.purpose,
        "include": [one.pk for one in campaign.include.all()],
        "exclude": [],
        **over,
    }
    return client.post(url("step", campaign.pk, "audience"), values)


def post_text(client, campaign, body):
    return client.post(url("step", campaign.pk, "message"), {"body": body})


def test_the_whole_way_from_a_name_to_a_launch(marketer):
    sender = factories.sender()
    people = factories.contact_list(factories.opted_in(sender.brand))
    answer = marketer.post(url("new"), {"name": "Autumn"})
    campaign = Campaign.objects.get()
    assert answer.url == url("step", campaign.pk, "audience")
    assert (campaign.brand, campaign.sender, campaign.created_by is not None) == (sender.brand, sender, True)

    answer = post_audience(marketer, campaign, include=[people.pk])
    assert answer.url == url("step", campaign.pk, "message")
    answer = post_text(marketer, campaign, "{{ brand }}: Hi {{ name | default: 'there' }}. Reply STOP to opt out")
    assert answer.url == url("step", campaign.pk, "schedule")
    answer = marketer.post(url("step", campaign.pk, "schedule"), {"begin": "now"})
    assert answer.url == url("step", campaign.pk, "review")
    assert "Nothing stands in the way" in marketer.get(answer.url).content.decode()

    marketer.post(url("do", campaign.pk, "launch"))
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SCHEDULED
    assert "Launched." in list(LogEntry.objects.values_list("change_message", flat=True))


@pytest.mark.parametrize("step", ["audience", "message", "schedule", "review"])
def test_each_step_is_a_page_of_its_own(marketer, step):
    campaign = factories.campaign(factories.contact_list())
    answer = marketer.get(url("step", campaign.pk, step))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'aria-current="step"' in page
    assert "style=" not in page.partition('<div class="desk">')[2]


def test_a_draft_opens_where_it_was_left(marketer):
    campaign = factories.campaign(body="")
    assert marketer.get(url("change", campaign.pk)).url == url("step", campaign.pk, "message")
    Campaign.objects.update(sender=None)
    assert marketer.get(url("change", campaign.pk)).url == url("step", campaign.pk, "audience")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "Write the message"),
        ("{{ brand }} {{ nope }} STOP", "there is no field of this name"),
        ("{{ brand STOP", "Line 1"),
        ("{{ brand }} bit.ly/x STOP", "bit.ly"),
        ("Ten percent off. Reply STOP to opt out", "does not name the brand"),
        ("{{ brand }}: ten percent off", "must say how to opt out"),
        ("{{ brand }}: reply 2 to stop", "may not stand in for STOP"),
        ("x" * 1601, "1600"),
    ],
)
def test_a_text_that_may_not_be_sent_is_refused_and_kept_in_the_box(marketer, body, said):
    campaign = factories.campaign(body="before")
    answer = post_text(marketer, campaign, body)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert said in page
    campaign.refresh_from_db()
    assert campaign.body == "before"
    if body and len(body) < 100:
        assert body in page.replace("&#x27;", "'")


@pytest.mark.parametrize(
    "body", ["\x00", "{{ brand }} \x00 STOP", "{{ brand }} \ud800 STOP", "{% if %}" * 200, "😀" * 900]
)
def test_bad_input_is_never_a_server_error(marketer, body):
    campaign = factories.campaign()
    body = body.encode("utf-8", "surrogatepass")
    boundary = b'--x\r\nContent-Disposition: form-data; name="body"\r\n\r\n' + body + b"\r\n--x--\r\n"
    for name, args in (("step", (campaign.pk, "message")), ("preview", (campaign.pk,))):
        answer = marketer.post(url(name, *args), boundary, content_type="multipart/form-data; boundary=x")
        assert answer.status_code in (200, 302, 400)


def test_a_text_for_a_name_nobody_can_answer_may_not_ask_for_stop(marketer):
    sender = factories.sender(kind=SenderKind.ALPHANUMERIC, value="ACME", country="GB")
    campaign = factories.campaign(sender=sender, purpose="transactional")
    assert (
        "Nobody can answer" in post_text(marketer, campaign, "Your order left. Reply STOP to end").content.decode()
    )
    assert post_text(marketer, campaign, "Your order left.").status_code == 302
    findings = lint.check(Campaign.objects.get(), body="Your order left.")
    assert [finding.code for finding in findings] == ["SENDER_NOT_ALLOWED"]


def test_a_field_that_only_an_old_contact_has_is_known(marketer):
    factories.contact(attributes={"shoe size": "44", "city": "Rome"})
    campaign = factories.campaign()
    body = '{{ brand }} {{ city }} {{ attributes["shoe size"] }} STOP'
    assert post_text(marketer, campaign, body).status_code == 302


def test_a_sender_of_another_brand_is_refused_with_the_right_ones(marketer):
    campaign = factories.campaign(factories.contact_list())
    page = post_audience(marketer, campaign, sender=factories.sender().pk).content.decode()
    assert "belongs to another brand" in page
    assert str(campaign.sender) in page


def test_excluding_every_chosen_list_is_refused(marketer):
    people = factories.contact_list()
    campaign = factories.campaign(people)
    assert "nobody is left" in post_audience(marketer, campaign, exclude=[people.pk]).content.decode()


def test_a_purpose_that_is_no_campaign_is_refused(marketer):
    campaign = factories.campaign(factories.contact_list())
    assert post_audience(marketer, campaign, purpose="compliance").status_code == 200
    campaign.refresh_from_db()
    assert campaign.purpose == "marketing"


def test_fields_the_step_does_not_have_cannot_be_set(marketer):
    campaign = factories.campaign(factories.contact_list())
    post_audience(marketer, campaign, state="finished", audience_size=9, created_by=1, body="changed")
    campaign.refresh_from_db()
    assert (campaign.state, campaign.audience_size, campaign.body == "changed") == ("draft", 0, False)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"begin": "later"}, "Choose the time to begin"),
        ({"begin": "later", "send_at": "2020-01-01T10:00"}, "This time is past"),
        ({"begin": "later", "send_at": "yesterday"}, "Enter a valid date"),
        ({"begin": "now", "send_by": "2020-01-01T10:00"}, "ends before the campaign begins"),
        (
            {"begin": "later", "send_at": "2090-01-01T10:00", "latest_start": "2089-01-01T10:00"},
            "before the beginning",
        ),
        ({"begin": "sometimes"}, "Select a valid choice"),
    ],
)
def test_times_that_make_no_sense_are_refused(marketer, values, said):
    campaign = factories.campaign()
    answer = marketer.post(url("step", campaign.pk, "schedule"), values)
    assert answer.status_code == 200
    assert said in answer.content.decode()


def test_a_scheduled_campaign_says_when_it_begins(marketer):
    campaign = factories.campaign(factories.contact_list())
    later = timezone.localtime(timezone.now() + timedelta(days=2))
    values = {"begin": "later", "send_at": later.strftime("%Y-%m-%dT%H:%M")}
    marketer.post(url("step", campaign.pk, "schedule"), values)
    assert f"Begins at {later:%Y-%m-%d %H:%M}" in marketer.get(url("step", campaign.pk, "review")).content.decode()


def test_the_review_names_what_stands_in_the_way_and_where_to_put_it_right(marketer):
    campaign = factories.campaign(body="")
    page = marketer.get(url("step", campaign.pk, "review")).content.decode()
    assert "include: " in page
    assert url("step", campaign.pk, "message") in page
    assert "Launch now" not in page
    marketer.post(url("do", campaign.pk, "launch"))
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT


def test_pressing_launch_twice_launches_once_and_says_so(marketer):
    campaign = factories.campaign(factories.contact_list())
    marketer.post(url("do", campaign.pk, "launch"))
    answer = marketer.post(url("do", campaign.pk, "launch"), follow=True)
    assert "Already launched: it is scheduled" in answer.content.decode()
    assert LogEntry.objects.filter(change_message="Launched.").count() == 1


def test_a_step_that_was_open_during_the_launch_changes_nothing(marketer):
    campaign = factories.campaign(factories.contact_list())
    Campaign.objects.update(state=CampaignState.SENDING)
    answer = post_text(marketer, campaign, "{{ brand }}: other text STOP")
    assert answer.url == url("report", campaign.pk)
    campaign.refresh_from_db()
    assert "other" not in campaign.body


def test_saving_a_draft_that_was_launched_meanwhile_changes_nothing():
    campaign = factories.campaign(factories.contact_list())
    Campaign.objects.update(state=CampaignState.SCHEDULED)
    with pytest.raises(WrongState, match="launched"):
        drafting.save(campaign, values={"body": "other"}, lists={"include": []}, further=None, now=timezone.now())
    campaign.refresh_from_db()
    assert (campaign.body == "other", campaign.include.count(), campaign.state) == (False, 1, "scheduled")


def test_a_verb_needs_a_post_and_its_permission(client):
    campaign = factories.campaign(factories.contact_list())
    client.force_login(factories.staff("campaigns.view_campaign", "campaigns.change_campaign"))
    assert client.get(url("do", campaign.pk, "launch")).status_code == 405
    assert client.post(url("do", campaign.pk, "launch")).status_code == 403
    assert client.post(url("new"), {"name": "x"}).status_code == 403
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT


@pytest.mark.parametrize("name", ["new", "step", "preview", "waterfall", "report", "live", "export"])
def test_no_page_opens_without_permission(client, name):
    campaign = factories.campaign()
    client.force_login(factories.staff())
    args = [] if name == "new" else [campaign.pk, *(["audience"] if name == "step" else [])]
    assert client.get(url(name, *args)).status_code == 403


def test_pause_resume_cancel_and_duplicate(marketer):
    campaign = factories.campaign(factories.contact_list(), state=CampaignState.SENDING, launched_at=timezone.now())
    for verb, state in (("pause", "paused"), ("resume", "preparing"), ("cancel", "cancelled")):
        marketer.post(url("do", campaign.pk, verb))
        campaign.refresh_from_db()
        assert campaign.state == state
    assert list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True)) == [
        "Paused.",
        "Resumed.",
        "Cancelled.",
    ]
    answer = marketer.post(url("do", campaign.pk, "duplicate"))
    copy = Campaign.objects.latest("pk")
    assert (copy.state, copy.body, copy.include.count(), copy.launched_at) == ("draft", campaign.body, 1, None)
    assert answer.url == url("change", copy.pk)
    assert "no such button" in marketer.post(url("do", campaign.pk, "explode"), follow=True).content.decode()


def test_the_preview_shows_a_real_person_and_the_next_and_the_longest(marketer):
    sender = factories.sender()
    short = factories.contact(name="Al Bo")
    long = factories.contact(name="Maximiliana Featherstonehaugh")
    campaign = factories.campaign(
        factories.contact_list(short, long), sender=sender, body="Hi {{ name }}, {{ brand }} STOP"
    )
    shown = marketer.get(url("preview", campaign.pk)).content.decode()
    assert "Hi Al Bo" in shown
    assert (
        "Maximiliana"
        in marketer.post(
            url("preview", campaign.pk), {"body": campaign.body, "contact": short.pk, "pick": "next"}
        ).content.decode()
    )
    assert "Maximiliana" in marketer.get(url("preview", campaign.pk), {"pick": "longest"}).content.decode()
    for pick in ("random", "previous", "this", "nonsense"):
        asked = {"pick": pick, "contact": long.pk if pick != "this" else "x" * 30}
        assert marketer.get(url("preview", campaign.pk), asked).status_code == 200


def test_the_preview_names_the_character_that_costs_parts_and_offers_another(marketer):
    campaign = factories.campaign()
    shown = marketer.post(url("preview", campaign.pk), {"body": "{{ brand }}: it’s on. STOP"}).content.decode()
    assert "UCS-2" in shown
    assert "’" in shown
    assert "data-replace=" in shown
    campaign.refresh_from_db()
    assert "it’s" not in campaign.body


def test_the_preview_escapes_what_it_shows(marketer):
    person = factories.contact(name="<script>alert(1)</script>")
    campaign = factories.campaign(factories.contact_list(person), body="<b>{{ name }}</b>")
    assert "<script>alert" not in marketer.get(url("preview", campaign.pk)).content.decode()


def test_the_waterfall_asks_for_what_is_not_chosen_yet(marketer):
    campaign = factories.campaign()
    assert "Choose brand, sender" in marketer.get(url("waterfall", campaign.pk)).content.decode()


def test_a_changed_choice_is_saved_and_counted_at_once(marketer):
    people = factories.contact_list(factories.contact())
    campaign = factories.campaign()
    values = {
        "name": campaign.name,
        "brand": campaign.brand_id,
        "sender": campaign.sender_id,
        "purpose": "marketing",
    }
    page, headers = url("step", campaign.pk, "audience"), {"HX-Request": "true"}
    lacking = marketer.post(page, values, headers=headers).content.decode()
    assert "Not counted yet" in lacking
    assert "<html" not in lacking
    counted = marketer.post(page, {**values, "include": [people.pk]}, headers=headers).content.decode()
    assert "never gave consent" in counted
    assert "<html" not in counted
    assert list(campaign.include.all()) == [people]


def test_the_changelist_shows_figures_in_a_fixed_number_of_queries(marketer, django_assert_max_num_queries):
    for _ in range(5):
        campaign = factories.campaign(state=CampaignState.SENDING, launched_at=timezone.now())
        factories.outbound(campaign, factories.contact(), state="delivered")
        factories.outbound(campaign, factories.contact())
    with django_assert_max_num_queries(17):
        page = marketer.get(url("changelist")).content.decode()
    assert page.count("1 of 2") == 5
    assert "100.0 % of 1" in page


def test_a_launched_campaign_cannot_be_deleted(client):
    client.force_login(factories.staff("campaigns.view_campaign", "campaigns.delete_campaign"))
    campaign = factories.campaign(state=CampaignState.FINISHED)
    assert client.post(url("delete", campaign.pk), {"post": "yes"}).status_code == 403
    assert Campaign.objects.exists()
    Campaign.objects.update(state=CampaignState.DRAFT)
    client.post(url("delete", campaign.pk), {"post": "yes"})
    assert not Campaign.objects.exists()


# --- Senders, accounts, messages ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "is_taken"),
    [
        ("alphanumeric", "ACME Shop", True),
        ("alphanumeric", "12345678901", False),
        ("alphanumeric", "Acme-Shop", False),
        ("alphanumeric", "Acme Shop 2000", False),
        ("short_code", "12345", True),
        ("short_code", "12", False),
        ("10dlc", "+12125550123", True),
        ("10dlc", "+18005550123", False),
        ("10dlc", "2125550123", False),
        ("toll_free", "+18885550123", True),
        ("toll_free", "+12125550123", False),
        ("long_number", "+447400123456", True),
        ("long_number", "447400123456", False),
    ],
)
def test_a_sender_has_the_form_its_kind_has(admin_client, kind, value, is_taken):
    values = {
        "value": value,
        "kind": kind,
        "brand": factories.brand().pk,
        "account": factories.account().pk,
        "country": "us",
        "parts_per_second": "4500",
        "is_registered": "on",
    }
    answer = admin_client.post(reverse("admin:campaigns_sender_add"), values)
    assert (answer.status_code == 302) is is_taken
    if is_taken:
        sender = Sender.objects.get()
        assert (sender.value, sender.country, sender.lanes.count()) == (value, "US", 9)


def test_a_sender_a_campaign_uses_keeps_its_identity_but_not_its_rate(admin_client):
    sender = factories.sender()
    factories.campaign(sender=sender, state=CampaignState.SENDING)
    page = reverse("admin:campaigns_sender_change", args=[sender.pk])
    values = {
        "value": sender.value,
        "kind": sender.kind,
        "brand": sender.brand_id,
        "account": sender.account_id,
        "country": "US",
        "parts_per_second": "5000",
    }
    other = {**values, "account": factories.account().pk}
    assert "Add another sender instead" in admin_client.post(page, other).content.decode()
    assert admin_client.post(page, values).status_code == 302
    sender.refresh_from_db()
    assert (sender.parts_per_second, sender.lanes.count()) == (5000, 10)


def test_credentials_go_in_and_never_come_out(admin_client):
    values = {"name": "Box", "kind": "infobip", "base_url": "https://127.0.0.1:20500", "max_calls": 50}
    answer = admin_client.post(reverse("admin:campaigns_gatewayaccount_add"), values)
    account = GatewayAccount.objects.get()
    page = reverse("admin:campaigns_gatewayaccount_change", args=[account.pk])
    assert answer.url == page
    assert 'name="credential_api_key"' in admin_client.get(page).content.decode()
    fields = dict.fromkeys(("credential_api_key",), "s3cret-value")
    assert admin_client.post(page, {**values, **fields}).status_code == 302
    account.refresh_from_db()
    assert account.credentials
    assert "s3cret" not in account.credentials
    shown = admin_client.get(page).content.decode()
    assert "s3cret" not in shown
    assert f"{account.hook_secret}/inbound/" in shown
    sealed = account.credentials
    assert admin_client.post(page, {**values, "name": "Box 2"}).status_code == 302
    account.refresh_from_db()
    assert (account.name, account.credentials) == ("Box 2", sealed)


def test_hook_addresses_are_for_superusers(client):
    account = factories.account()
    client.force_login(factories.staff("campaigns.view_gatewayaccount", "campaigns.change_gatewayaccount"))
    page = client.get(reverse("admin:campaigns_gatewayaccount_change", args=[account.pk])).content.decode()
    assert account.hook_secret not in page


def test_an_account_is_paused_and_resumed(admin_client):
    account = factories.account()
    for action, is_paused in (("pause", True), ("resume", False)):
        admin_client.post(
            reverse("admin:campaigns_gatewayaccount_changelist"),
            {"action": action, "_selected_action": [account.pk]},
        )
        account.refresh_from_db()
        assert (account.paused_at is not None) is is_paused


def test_a_message_shows_its_way_and_its_text_only_with_permission(client):
    campaign = factories.campaign(state=CampaignState.SENDING)
    verdict = {"outcome": "allowed", "code": "OK", "date": "2026-11-01"}
    message = factories.outbound(
        campaign,
        factories.contact(),
        state="sent",
        body="Secret text",
        verdict=verdict,
        submitted_at=timezone.now(),
    )
    page = reverse("admin:campaigns_outboundmessage_change", args=[message.pk])
    client.force_login(factories.staff("campaigns.view_outboundmessage"))
    shown = client.get(page).content.decode()
    assert "consent of 2026-11-01 covers it" in shown
    assert "handed to the gateway" in shown
    assert "Secret text" not in shown
    assert message.phone not in shown
    client.force_login(factories.staff("campaigns.view_outboundmessage", "campaigns.view_message_body"))
    shown = client.get(page).content.decode()
    assert "Secret text" in shown
    assert message.phone not in shown  # a number is shown on the contact's page, where the log says to whom


def test_the_ledger_is_read_only_and_searched_without_errors(admin_client):
    message = factories.outbound(factories.campaign(), factories.contact(), state="parked")
    listing = reverse("admin:campaigns_outboundmessage_changelist")
    for query in (
        "",
        "?attention=open",
        "?attention=parked",
        f"?q={message.phone}",
        "?q=%00",
        "?q=%ed%a0%80",
        "?state=x",
    ):
        assert admin_client.get(listing + query).status_code in (200, 302, 400)
    page = reverse("admin:campaigns_outboundmessage_change", args=[message.pk])
    assert admin_client.post(page, {"state": "delivered"}).status_code == 403
    assert OutboundMessage.objects.get().state == "parked"


def test_receipts_can_be_looked_at(admin_client):
    assert admin_client.get(reverse("admin:campaigns_deliveryevent_changelist")).status_code == 200


def test_the_contact_page_gets_what_waits_to_leave(client):
    person = factories.contact()
    campaign = factories.campaign(name="Spring news")
    factories.outbound(campaign, person)
    factories.outbound(factories.campaign(name="Winter news"), person, state="skipped", code="NO_CONSENT")
    page = reverse("admin:campaigns_contact_messages", args=[person.pk])
    client.force_login(factories.staff())
    assert client.get(page).status_code == 403
    client.force_login(factories.staff("campaigns.view_outboundmessage"))
    shown = client.get(page).content.decode()
    assert "Spring news" in shown
    assert "Winter news" not in shown
    assert "Nothing waits" in client.get(reverse("admin:campaigns_contact_messages", args=[0])).content.decode()


@pytest.mark.parametrize("address", ["http://simulator:8001", "https://api.infobip.com/", "http://127.0.0.1:8001"])
def test_an_account_may_live_at_any_web_address(admin_client, address):
    values = {"name": "Box", "kind": "infobip", "base_url": address, "is_simulator": "on", "max_calls": 50}
    admin_client.post(reverse("admin:campaigns_gatewayaccount_add"), values)
    assert GatewayAccount.objects.get().base_url == address


@pytest.mark.parametrize(
    "address",
    [
        "api.infobip.com",
        "ftp://a.b",
        "http://",
        "http://a b",
        "https://u:p@a.b",
        "https://a.b?x=1",
        "http://a:99999",
    ],
)
def test_what_is_no_web_address_is_refused_with_the_cure(admin_client, address):
    values = {"name": "Box", "kind": "infobip", "base_url": address, "max_calls": 50}
    page = admin_client.post(reverse("admin:campaigns_gatewayaccount_add"), values).content.decode()
    assert "https://api.example.com" in page
    assert not GatewayAccount.objects.exists()


def test_a_sender_keeps_the_form_its_number_is_sent_from(admin_client):
    values = {
        "value": "+5491123456789",
        "kind": "long_number",
        "brand": factories.brand().pk,
        "account": factories.account().pk,
        "country": "AR",
        "parts_per_second": "1",
    }
    assert admin_client.post(reverse("admin:campaigns_sender_add"), values).status_code == 302
    assert Sender.objects.get().value == "+5491123456789"


@pytest.mark.parametrize("typed", ["+54 9 11 2345 6789", "+541123456789"])
def test_the_ledger_is_searched_by_phone_in_any_of_its_forms(admin_client, typed):
    campaign = factories.campaign()
    factories.outbound(campaign, factories.contact("+5491123456789"))
    factories.outbound(campaign, factories.contact("+12125550199"))
    page = admin_client.get(reverse("admin:campaigns_outboundmessage_changelist"), {"q": typed}).content.decode()
    assert phones.mask("+5491123456789") in page
    assert phones.mask("+12125550199") not in page


@pytest.mark.parametrize("may_see", [True, False])
def test_the_contact_page_offers_messages_to_those_who_may_see_them(client, may_see):
    person = factories.contact()
    client.force_login(
        factories.staff("contacts.view_contact", *(["campaigns.view_outboundmessage"] if may_see else []))
    )
    page = client.get(reverse("admin:contacts_contact_change", args=[person.pk])).content.decode()
    assert (reverse("admin:campaigns_contact_messages", args=[person.pk]) in page) is may_see
