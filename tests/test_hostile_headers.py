"""What every answer carries, what never stands in one, and what happens when twenty ask at once."""

import html
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, connections
from django.test import Client, override_settings
from django.urls import reverse

from inbound import replies
from inbound.models import Reply
from smsdesk.models import Scope
from tests import attacked_desk, factories
from tests.attacked_desk import SCRIPT

pytestmark = pytest.mark.django_db
needs_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")


@pytest.fixture
def desk():
    return attacked_desk.build()


@pytest.fixture
def root():
    return attacked_desk.signed_in(attacked_desk.superuser())


def content(response):
    raw = b"".join(response.streaming_content) if response.streaming else response.content
    return raw.decode("utf-8", "replace")


HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def missing(response):
    policy = response.get("Content-Security-Policy", "")
    wrong = [name for name, value in HEADERS.items() if response.get(name) != value]
    return wrong + (["CSP"] if "'unsafe" in policy or "default-src 'none'" not in policy else [])


def test_every_answer_carries_every_security_header(desk, root, monkeypatch):
    anyone = Client(raise_request_exception=False)
    api = factories.api(desk.key_text)
    answers = {name: root.get(path) for name, path in attacked_desk.admin_addresses(desk).items()}
    answers |= {f"nobody {name}": anyone.get(path) for name, path in attacked_desk.admin_addresses(desk).items()}
    answers |= {path: anyone.get(path) for path in ("/", "/nowhere/", "/admin", "/api/v1/me/", "/?a=%00")}
    answers |= {
        path: anyone.get(path) for path in ("/api/docs/", "/api/schema/", "/api/v1/nowhere", "/hooks/x/y/z/")
    }
    answers |= {"foreign host": anyone.get("/admin/", headers={"Host": "evil.example"})}
    answers |= {path: api.get(path) for path in ("/api/v1/contacts/", "/api/v1/campaigns/", "/api/v1/x/")}
    answers |= {"hook": anyone.post(f"/hooks/{desk.account.public_id}/x/inbound/")}
    monkeypatch.setattr("smsdesk.dashboard.contents", None)
    answers |= {"500": root.get("/admin/")}
    assert answers["500"].status_code == 500
    assert {name: missing(answer) for name, answer in answers.items() if missing(answer)} == {}


def test_the_way_to_https_carries_them_too():
    with override_settings(SECURE_SSL_REDIRECT=True):
        answer = Client().get("/admin/")
    assert answer.status_code == 301
    assert missing(answer) == []


def test_nothing_signed_in_is_kept_by_a_cache(desk, root):
    kept = [
        name
        for name, path in attacked_desk.admin_addresses(desk).items()
        if name != "jsi18n" and "no-store" not in root.get(path).get("Cache-Control", "")
    ]
    assert kept == []


def test_markup_that_others_wrote_runs_nowhere(desk, root):
    for name, path in attacked_desk.admin_addresses(desk).items():
        answer = root.get(path)
        page = content(answer)
        if answer.get("Content-Type", "").startswith("text/html"):
            assert "<img src=x" not in page, name
            assert "<script>alert" not in page, name
    assert html.escape(SCRIPT)[:20] in content(root.get(reverse("inbox_thread", args=[desk.conversation.ref])))


def test_no_page_holds_an_inline_script_or_handler(desk, root):
    for name, path in attacked_desk.admin_addresses(desk).items():
        answer = root.get(path)
        if not answer.get("Content-Type", "").startswith("text/html"):
            continue
        page = content(answer)
        assert not re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", page), name
        assert not re.findall(r"<[^>]+\s(?:on[a-z]+|style)\s*=\s*[\"']", page), name


def test_no_answer_holds_a_secret(desk, root):
    staff = attacked_desk.signed_in(factories.staff("campaigns.change_gatewayaccount", "smsdesk.view_apikey"))
    secrets = (desk.account.credentials, attacked_desk.CREDENTIAL, desk.key.secret_sha256, desk.key_text[-32:])
    pages = attacked_desk.admin_addresses(desk)
    keys_and_accounts = [path for name, path in pages.items() if "gatewayaccount" in name or "apikey" in name]
    endpoints = ["/api/v1/me/", "/api/v1/messages/", "/api/v1/campaigns/"]
    for client, paths in (
        (root, pages.values()),
        (staff, keys_and_accounts),
        (factories.api(desk.key_text), endpoints),
    ):
        for path in paths:
            page = content(client.get(path))
            assert not [secret for secret in secrets if secret in page], path
            assert client is root or desk.account.hook_secret not in page, path


def test_signing_in_leads_to_no_other_host(root):
    user = attacked_desk.superuser()
    user.set_password("Right-4711")
    user.save()
    for target in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\t//evil.example",
    ):
        answer = Client().post(
            "/admin/login/", {"username": user.username, "password": "Right-4711", "next": target}
        )
        assert answer.status_code == 302
        assert "evil" not in answer["Location"]
        assert "javascript" not in answer["Location"]
    assert "//evil" not in Client().get("//evil.example/admin").get("Location", "")


@override_settings(AXES_ENABLED=True)
def test_a_password_is_not_guessed_for_ever():
    user = attacked_desk.superuser()
    user.set_password("Right-4711")
    user.save()
    client = Client()
    tries = [client.post("/admin/login/", {"username": user.username, "password": str(n)}) for n in range(11)]
    assert tries[0].status_code == 200
    assert tries[-1].status_code == 429
    late = client.post("/admin/login/", {"username": user.username, "password": "Right-4711"})
    assert late.status_code == 429
    disguised = "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in user.username)
    assert client.post("/admin/login/", {"username": disguised, "password": "Right-4711"}).status_code == 429


def test_only_hooks_and_the_api_do_without_the_token_of_a_form(desk):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(attacked_desk.superuser())
    for name, path in attacked_desk.admin_addresses(desk).items():
        assert client.post(path).status_code in (403, 405), name


def test_an_api_key_does_not_do_more_than_its_scopes(desk):
    open_to = {
        "contacts": Scope.CONTACTS_READ, "campaigns": Scope.CAMPAIGNS_READ, "messages": Scope.MESSAGES_READ,
        "conversations": Scope.CONVERSATIONS_READ,
    }  # fmt: skip
    for scope in Scope.values:
        client = factories.api(factories.api_key(scopes=[scope])[1])
        for resource, wanted in open_to.items():
            assert (client.get(f"/api/v1/{resource}/").status_code == 200) == (scope == wanted), (scope, resource)


# --- At once ----------------------------------------------------------------------------------------------


def at_once(count, work):
    def one(number):
        try:
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_twenty_launches_over_api_and_admin_launch_once():
    sender = factories.sender()
    campaign = factories.campaign(factories.contact_list(factories.opted_in(sender.brand)), sender=sender)
    key = factories.api_key()[1]
    user = attacked_desk.superuser()
    clients = [attacked_desk.signed_in(user) for _ in range(10)]
    path = reverse("admin:campaigns_campaign_do", args=[campaign.pk, "launch"])

    def launch(number):
        if number % 2:
            return factories.api(key).post(
                f"/api/v1/campaigns/{campaign.ref}/launch/", {}, content_type="application/json"
            )
        return clients[number // 2].post(path)

    answers = at_once(20, launch)
    assert not [answer.status_code for answer in answers if answer.status_code >= 500 and answer.status_code != 503]
    by_admin = LogEntry.objects.filter(change_message="Launched.").count()
    by_api = sum(answer.status_code == 200 for answer in answers)
    assert by_admin + by_api == 1


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_twenty_presses_of_one_reply_send_it_once():
    desk = attacked_desk.build()
    user = attacked_desk.superuser()
    clients = [attacked_desk.signed_in(user) for _ in range(20)]
    form = {"text": "Yes.", "last_seen": replies.newest(desk.conversation), "form_token": "0" * 31 + "1"}
    answers = at_once(20, lambda n: clients[n].post(reverse("inbox_reply", args=[desk.conversation.ref]), form))
    assert Reply.objects.count() == 1
    assert {answer.status_code for answer in answers} == {302}


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_an_import_pressed_ten_times_starts_once():
    desk = attacked_desk.build()
    user = attacked_desk.superuser()
    clients = [attacked_desk.signed_in(user) for _ in range(10)]
    path = reverse("admin:contacts_contactimport_start", args=[desk.contact_import.pk])
    at_once(10, lambda n: clients[n].post(path))
    assert LogEntry.objects.filter(change_message="Import started.").count() == 1
