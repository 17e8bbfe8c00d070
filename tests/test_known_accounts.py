"""What the front door remembers of accounts opens it no longer, and to nobody else, than it should."""

import json
import stat

import pytest
from django.test import Client

from campaigns import known_accounts
from campaigns.models import GatewayAccount
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    known_accounts.forget()
    yield tmp_path / "spool"
    known_accounts.forget()


@pytest.fixture
def account():
    return factories.account({"api_key": "canary-key"})


def knock(account, *, secret: str = "") -> int:
    address = f"/hooks/{account.public_id}/{secret or account.hook_secret}/status/"
    return Client().post(address, json.dumps({"results": []}), content_type="application/json").status_code


def test_an_account_that_was_seen_is_not_looked_up_again(account, django_assert_num_queries):
    assert knock(account) == 200
    with django_assert_num_queries(0):
        assert knock(account) == 200


def test_a_new_secret_counts_at_once(account):
    assert knock(account) == 200
    GatewayAccount.objects.update(hook_secret="n" * 32)
    assert knock(account, secret="n" * 32) == 200
    assert knock(account) == 404


def test_a_former_secret_counts_for_seconds_only(account, monkeypatch):
    assert knock(account) == 200
    GatewayAccount.objects.update(hook_secret="n" * 32)
    monkeypatch.setattr(known_accounts, "FRESH", 0.0)
    assert knock(account) == 404


def test_in_an_outage_a_process_that_just_began_knows_accounts_from_the_disk(account, folder):
    assert known_accounts.remembered(account.public_id) is None
    assert knock(account) == 200
    known_accounts.forget()
    remembered = known_accounts.remembered(account.public_id)
    assert remembered is not None
    assert remembered.account.hook_secret == account.hook_secret
    (file,) = folder.glob("account-*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert account.hook_secret not in file.read_text()
    assert "canary" not in file.read_text()


def test_what_lies_on_disk_opens_no_other_account_and_not_when_it_was_changed(account, folder):
    other = factories.account()
    assert (knock(account), knock(other)) == (200, 200)
    files = {one.name.removeprefix("account-"): one for one in folder.glob("account-*")}
    files[other.public_id.hex].write_bytes(files[account.public_id.hex].read_bytes())
    files[account.public_id.hex].write_text("1.AAAA")
    known_accounts.forget()
    assert known_accounts.remembered(other.public_id) is None
    assert known_accounts.remembered(account.public_id) is None


def test_what_was_read_longer_ago_than_a_day_is_not_trusted(account, monkeypatch):
    assert knock(account) == 200
    monkeypatch.setattr(known_accounts, "LONGEST", 0.0)
    assert known_accounts.remembered(account.public_id) is None


def test_a_disk_that_takes_nothing_is_no_reason_to_refuse(account, settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.DATA_DIR = tmp_path / "file"
    assert knock(account) == 200
