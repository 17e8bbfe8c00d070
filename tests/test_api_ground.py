"""Keys, problems, bodies and limits of the API: what every endpoint shares."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from smsdesk.api import keys
from smsdesk.models import ApiKey, KeyUsage, Scope
from tests import factories

pytestmark = pytest.mark.django_db
ME = "/api/v1/me/"


def test_a_key_opens_me_and_tells_what_it_may():
    key, text = factories.api_key(scopes=[Scope.MESSAGES_SEND])
    answer = factories.api(text).get(ME)
    assert answer.status_code == 200
    assert answer.json()["key"] == key.prefix
    assert answer.json()["mode"] == "live"
    assert answer.json()["scopes"] == ["messages:send"]


def test_only_prefix_and_hash_of_a_key_are_in_the_database():
    key, text = factories.api_key()
    secret = text.rpartition("_")[2]
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    assert text.startswith("sk_live_")
    assert len(secret) == 32
    assert secret not in json.dumps(row, default=str)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Basic abc",
        "Bearer sk_live_abcdefgh_" + "x" * 32,
        "Bearer é",
        "Bearer sk_live_" + "a" * 100_000,
        "Bearer \x00",
    ],
)
def test_without_a_sound_key_the_answer_is_401_with_a_challenge(header):
    headers = {} if header is None else {"HTTP_AUTHORIZATION": header}
    answer = Client().get(ME, **headers)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"


def test_the_right_prefix_with_a_wrong_secret_is_refused():
    _, text = factories.api_key()
    assert factories.api(text[:-1] + ("a" if text[-1] != "a" else "b")).get(ME).json()["code"] == "invalid_key"


def test_a_revoked_key_is_refused_at_once():
    key, text = factories.api_key()
    keys.revoke(key, now=timezone.now())
    assert factories.api(text).get(ME).json()["code"] == "key_revoked"


def test_an_expired_key_is_refused():
    _, text = factories.api_key(expires_at=timezone.now() - timedelta(seconds=1))
    assert factories.api(text).get(ME).json()["code"] == "key_expired"


def test_a_key_whose_owner_left_is_refused():
    key, text = factories.api_key()
    get_user_model().objects.filter(pk=key.owner_id).update(is_active=False)
    assert factories.api(text).get(ME).json()["code"] == "key_disabled"


def test_last_use_is_written_at_most_once_a_minute():
    key, text = factories.api_key()
    long_ago = timezone.now() - timedelta(seconds=50)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=long_ago)
    factories.api(text).get(ME)
    key.refresh_from_db()
    assert key.last_used_at == long_ago
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=long_ago - timedelta(seconds=20))
    factories.api(text).get(ME)
    key.refresh_from_db()
    assert key.last_used_at > long_ago


def test_an_unknown_address_is_a_problem_and_keeps_the_post():
    answer = factories.api().post("/api/v1/messages", data={}, content_type="application/json")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert "slash" in answer.json()["detail"]


def test_every_answer_carries_the_allowance_and_the_request_id():
    answer = factories.api().get(ME, headers={"X-Request-Id": "abcdef0123456789"})
    assert answer["RateLimit-Limit"] == "600"
    assert answer["RateLimit-Remaining"] == "599"
    assert 0 < int(answer["RateLimit-Reset"]) <= 60
    assert answer["X-Request-Id"] == "abcdef0123456789"


def test_over_the_limit_is_429_with_retry_after():
    key, text = factories.api_key()
    ApiKey.objects.filter(pk=key.pk).update(requests_per_minute=2)
    client = factories.api(text)
    client.get(ME)
    KeyUsage.objects.filter(api_key=key).update(minute=2**40)  # a host whose clock runs ahead: no count is lost
    assert client.get(ME).status_code == 200
    answer = client.get(ME)
    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert answer["Retry-After"] == answer["RateLimit-Reset"]
    assert answer["RateLimit-Remaining"] == "0"


def test_a_new_minute_gives_a_new_allowance():
    key, text = factories.api_key()
    KeyUsage.objects.create(api_key=key, minute=0, used=10_000)
    assert factories.api(text).get(ME).status_code == 200


def test_head_and_options_are_sane():
    client = factories.api()
    assert client.head(ME).status_code == 200
    answer = client.options(ME)
    assert answer.status_code == 204
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert client.delete(ME).json()["code"] == "method_not_allowed"
