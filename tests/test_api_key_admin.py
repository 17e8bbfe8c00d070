import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from smsdesk.models import ApiKey
from tests import factories

pytestmark = pytest.mark.django_db
ADD = "/admin/smsdesk/apikey/add/"
FORM = {
    "name": "Shop",
    "mode": "test",
    "scopes": ["contacts:read", "messages:send"],
    "expires_at_0": "",
    "expires_at_1": "",
    "requests_per_minute": "60",
}


@pytest.fixture
def admin_page() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


def test_a_new_key_is_shown_once_and_works(admin_page):
    page = admin_page.post(ADD, FORM)
    text = page.context["text"]
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert text in page.content.decode()
    assert factories.api(text).get("/api/v1/me/").json()["mode"] == "test"
    key = ApiKey.objects.get()
    assert key.scopes == ["contacts:read", "messages:send"]
    assert key.owner.username == "root"
    later = admin_page.get(reverse("admin:smsdesk_apikey_change", args=[key.pk]))
    assert text not in later.content.decode()
    assert key.prefix in later.content.decode()


def test_a_key_without_scopes_is_refused_with_the_reason(admin_page):
    page = admin_page.post(ADD, {**FORM, "scopes": []})
    assert "This field is required" in page.content.decode()
    assert not ApiKey.objects.exists()


def test_revoking_in_the_list_closes_the_key(admin_page):
    key, text = factories.api_key()
    page = admin_page.post(
        reverse("admin:smsdesk_apikey_changelist"),
        {"action": "revoke", "_selected_action": [key.pk]},
        follow=True,
    )
    assert key.prefix in page.content.decode()
    assert factories.api(text).get("/api/v1/me/").json()["code"] == "key_revoked"


def test_a_key_cannot_be_changed_or_deleted(admin_page):
    key, _ = factories.api_key()
    assert admin_page.post(reverse("admin:smsdesk_apikey_change", args=[key.pk]), FORM).status_code == 403
    assert admin_page.post(reverse("admin:smsdesk_apikey_delete", args=[key.pk])).status_code == 403
