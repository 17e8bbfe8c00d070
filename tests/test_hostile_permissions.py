"""Who may see and do what, at every address of the admin and the inbox."""

import csv
import io

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ, Schedule

from campaigns.models import CampaignState, GatewayAccount
from contacts.models import Suppression
from inbound.models import Conversation, Note
from tests import attacked_desk, factories

pytestmark = pytest.mark.django_db

# Open to everybody who is staff, or to the world.
OPEN = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n", "dismiss_checklist"}
PUBLIC = {"login"}


@pytest.fixture
def desk():
    return attacked_desk.build()


def is_refused(response):
    return response.status_code in (403, 404, 405) or (
        response.status_code == 302 and "/login/" in response["Location"]
    )


def test_nobody_sees_anything_without_signing_in(desk):
    client = Client()
    for name, path in attacked_desk.admin_addresses(desk).items():
        for method in (client.get, client.post):
            answer = method(path)
            assert name in PUBLIC or is_refused(answer) or answer.status_code == 302, (name, answer.status_code)
            assert attacked_desk.BODY not in answer.content.decode(), name


def test_staff_without_rights_see_and_do_nothing(desk):
    client = attacked_desk.signed_in(factories.staff())
    seen = []
    for name, path in attacked_desk.admin_addresses(desk).items():
        for method in (client.get, client.post):
            answer = method(path)
            if name not in OPEN and not is_refused(answer):
                seen.append((name, method.__name__, answer.status_code, answer.get("Location")))
    assert seen == []


def content(response):
    raw = b"".join(response.streaming_content) if response.streaming else response.content
    return raw.decode("utf-8", "replace")


def test_masked_numbers_are_masked_on_every_page(desk):
    everything = Permission.objects.exclude(codename="view_full_phone")
    user = factories.staff()
    user.user_permissions.set(everything)
    client = attacked_desk.signed_in(user)
    shown = []
    for name, path in attacked_desk.admin_addresses(desk).items():
        page = content(client.get(path)).replace("-", "").replace(" ", "")
        if attacked_desk.LOCAL in page or attacked_desk.IMPORTED[-7:] in page:
            shown.append(name)
    assert shown == []


def test_texts_are_read_only_with_the_right_to_read_them(desk):
    user = factories.staff()
    user.user_permissions.set(Permission.objects.exclude(codename__in=["view_message_body", "view_conversation"]))
    client = attacked_desk.signed_in(user)
    shown = [
        name
        for name, path in attacked_desk.admin_addresses(desk).items()
        if attacked_desk.BODY in content(client.get(path))
    ]
    assert shown == []


@pytest.mark.parametrize(
    "lookup",
    [
        ("campaigns", "gatewayaccount", "hook_secret__startswith"),
        ("campaigns", "gatewayaccount", "credentials__contains"),
        ("campaigns", "sender", "account__hook_secret__startswith"),
        ("campaigns", "outboundmessage", "phone__startswith"),
        ("campaigns", "outboundmessage", "body__contains"),
        ("campaigns", "outboundmessage", "contact__phone__startswith"),
        ("contacts", "contact", "phone__startswith"),
        ("inbound", "inboundmessage", "phone__contains"),
        ("inbound", "inboundmessage", "text__contains"),
        ("smsdesk", "apikey", "secret_sha256__startswith"),
        ("auth", "user", "password__startswith"),
    ],
)
def test_no_hidden_column_is_guessed_through_the_address_of_a_list(desk, lookup):
    app, model, name = lookup
    user = factories.staff()
    user.user_permissions.set(Permission.objects.exclude(codename="view_full_phone"))
    answer = attacked_desk.signed_in(user).get(f"/admin/{app}/{model}/", {name: "a"})
    assert answer.status_code in (302, 400)
    assert "e=1" in answer.get("Location", "e=1")


def test_digits_of_a_masked_number_are_not_found_by_searching(desk):
    user = factories.staff()
    user.user_permissions.set(Permission.objects.exclude(codename="view_full_phone"))
    client = attacked_desk.signed_in(user)
    for path in ("/admin/inbound/inboundmessage/", "/admin/campaigns/outboundmessage/", "/admin/contacts/contact/"):
        found = client.get(path, {"q": attacked_desk.PHONE[:-1]}).context["cl"].result_list
        assert list(found) == [], path
    page = client.get(reverse("inbox"), {"q": attacked_desk.LOCAL, "state": "any"})
    assert page.context["rows"] == []


def test_a_whole_number_is_found_in_the_inbox_by_those_who_know_it(desk):
    client = attacked_desk.signed_in(factories.staff("inbound.view_conversation"))
    page = client.get(reverse("inbox"), {"q": attacked_desk.PHONE, "state": "any"})
    assert page.context["rows"] == [desk.conversation]


def test_a_text_is_not_found_by_those_who_may_not_read_it(desk):
    client = attacked_desk.signed_in(factories.staff("inbound.view_inboundmessage"))
    page = client.get("/admin/inbound/inboundmessage/", {"q": attacked_desk.BODY})
    assert list(page.context["cl"].result_list) == []


VERBS = {
    "launch": "campaigns.send_campaign",
    "approve": "campaigns.approve_campaign",
    "pause": "campaigns.pause_campaign",
    "resume": "campaigns.pause_campaign",
    "cancel": "campaigns.pause_campaign",
    "duplicate": "campaigns.add_campaign",
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_of_a_campaign_is_done_with_every_right_but_its_own(desk, verb):
    app, _, codename = VERBS[verb].partition(".")
    user = factories.staff()
    user.user_permissions.set(Permission.objects.exclude(content_type__app_label=app, codename=codename))
    answer = attacked_desk.signed_in(user).post(reverse("admin:campaigns_campaign_do", args=[desk.draft.pk, verb]))
    assert answer.status_code == 403


def test_who_may_only_launch_does_not_approve(desk):
    desk.draft.__class__.objects.filter(pk=desk.draft.pk).update(state=CampaignState.AWAITING_APPROVAL)
    client = attacked_desk.signed_in(factories.staff("campaigns.send_campaign", "campaigns.view_campaign"))
    client.post(reverse("admin:campaigns_campaign_do", args=[desk.draft.pk, "launch"]))
    desk.draft.refresh_from_db()
    assert desk.draft.state == CampaignState.AWAITING_APPROVAL


def test_who_may_only_read_the_inbox_changes_nothing_in_it(desk):
    client = attacked_desk.signed_in(factories.staff("inbound.view_conversation"))
    ref = desk.conversation.ref
    before = Suppression.objects.count()
    for verb in ("claim", "release", "assign", "resolve", "reopen", "note", "opt-out", "not-opt-out"):
        assert client.post(reverse("inbox_do", args=[ref, verb]), {"text": "x"}).status_code == 403, verb
    assert client.post(reverse("inbox_reply", args=[ref]), {"text": "x"}).status_code == 403
    assert client.post(reverse("inbox_draft", args=[ref]), {"text": "x"}).status_code == 403
    assert (Note.objects.count(), Suppression.objects.count()) == (0, before)
    assert Conversation.objects.get(pk=desk.conversation.pk).state == desk.conversation.state


def test_the_queue_is_looked_at_by_superusers_only_and_changed_by_nobody(desk):
    everything = factories.staff()
    everything.user_permissions.set(Permission.objects.all())
    task = Schedule.objects.create(func="campaigns.tasks.tick", name="tick")
    for model in ("schedule", "ormq", "success", "failure"):
        path = f"/admin/django_q/{model}/"
        assert attacked_desk.signed_in(everything).get(path).status_code in (403, 404), model
        assert attacked_desk.signed_in(attacked_desk.superuser()).get(path).status_code in (200, 404), model
    root = attacked_desk.signed_in(attacked_desk.superuser())
    form = {"name": "x", "func": "os.system", "args": "'id'", "schedule_type": "O", "repeats": "1"}
    assert root.post("/admin/django_q/schedule/add/", form).status_code == 403
    assert root.post(f"/admin/django_q/schedule/{task.pk}/change/", form).status_code == 403
    assert root.post(f"/admin/django_q/schedule/{task.pk}/delete/", {"post": "yes"}).status_code == 403
    for action in ("delete_selected", "resubmit_task", "retry_failed"):
        root.post("/admin/django_q/schedule/", {"action": action, "_selected_action": task.pk, "post": "yes"})
    task.refresh_from_db()
    assert task.func == "campaigns.tasks.tick"
    assert not OrmQ.objects.filter(payload__contains="os.system").exists()


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", " =", ";=", "\n="])
def test_no_cell_of_an_export_is_a_formula(desk, first):
    formula = f'{first}HYPERLINK("http://evil.example","x")'
    desk.contact.name = formula
    desk.contact.save()
    client = attacked_desk.signed_in(attacked_desk.superuser())
    page = client.get(reverse("admin:campaigns_campaign_export", args=[desk.campaign.pk]))
    names = [row["name"] for row in csv.DictReader(io.StringIO(content(page), newline=""))]
    assert names == [f"'{formula}"]


def test_credentials_do_not_follow_an_account_to_another_address(desk):
    client = attacked_desk.signed_in(factories.staff("campaigns.change_gatewayaccount"))
    path = reverse("admin:campaigns_gatewayaccount_change", args=[desk.account.pk])
    form = {"name": desk.account.name, "base_url": "https://evil.example", "is_simulator": "on", "max_calls": 5}
    page = client.post(path, form)
    assert page.status_code == 200
    assert GatewayAccount.objects.get(pk=desk.account.pk).base_url == desk.account.base_url
    plain = {**form, "base_url": "http://evil.example", "is_simulator": "", "credential_api_key": "typed-again"}
    assert client.post(path, plain).status_code == 200
    client.post(path, {**form, "credential_api_key": "typed-again"})
    assert GatewayAccount.objects.get(pk=desk.account.pk).base_url == "https://evil.example"


def test_who_may_only_look_at_campaigns_may_not_try_texts_on_people(client):
    campaign = factories.campaign()
    client.force_login(factories.staff("campaigns.view_campaign"))
    address = reverse("admin:campaigns_campaign_preview", args=[campaign.pk])
    assert client.get(address).status_code == 200
    assert client.post(address, {"body": "{{ attributes.salary }}"}).status_code == 403
