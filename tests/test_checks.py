"""Every dangerous setting is refused at start, with its cure."""

import base64
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings as real
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from smsdesk import checks as ours
from smsdesk import settings as settings_module


def found(*, deploy=False):
    messages = [
        *ours.secrets_are_set(None),
        *ours.database_keeps_what_it_commits(None),
        *ours.queue_leases_outlast_its_tasks(None),
        *ours.public_address_is_safe(None),
        *ours.nothing_is_interrupted_on_purpose(None),
        *(ours.public_address_is_https(None) if deploy else []),
    ]
    assert all(message.hint for message in messages)
    return {message.id for message in messages}


@pytest.fixture
def production(monkeypatch):
    """What a well-run production looks like; each test then spoils one thing."""
    settings = SimpleNamespace(
        DEMO=False,
        DEBUG=False,
        TESTING=False,
        SECRET_KEY="x" * 64,
        PEPPER=real.PEPPER,
        CREDENTIAL_KEY=real.CREDENTIAL_KEY,
        PUBLIC_URL="https://sms.example.com",
        DATABASES={"default": sqlite()},
        Q_CLUSTER=real.Q_CLUSTER,
        FAILPOINTS="",
        CHAOS=False,
    )
    monkeypatch.setattr(ours, "settings", settings)
    return settings


def sqlite(*, pragmas="PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA busy_timeout=20000;", **options):
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": pragmas, **options},
    }


def postgresql(options):
    return {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {"options": options}}}


def test_production_settings_have_no_fault(production):
    assert found(deploy=True) == set()


def test_the_settings_as_shipped_have_no_fault():
    assert found() == set()


def test_the_checks_are_registered():
    registered = {check.__name__ for check in checks.registry.registry.get_checks(include_deployment_checks=True)}
    mine = {name for name, value in vars(ours).items() if getattr(value, "__module__", "") == ours.__name__}
    assert {name for name in mine if not name.startswith("_")} <= registered


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PEPPER", "", "smsdesk.E002"),
        ("PEPPER", "too short", "smsdesk.E002"),
        ("CREDENTIAL_KEY", "", "smsdesk.E003"),
        ("CREDENTIAL_KEY", "not base64!", "smsdesk.E003"),
        ("CREDENTIAL_KEY", base64.b64encode(b"x" * 16).decode(), "smsdesk.E003"),
    ],
)
def test_a_missing_secret(production, name, value, expected):
    setattr(production, name, value)
    assert found() == {expected}
    production.DEMO = True
    assert found() == set()


def test_a_missing_secret_key(production):
    production.SECRET_KEY = ""
    assert found() == {"smsdesk.E001"}


def test_a_missing_secret_key_as_django_answers_it(monkeypatch):
    monkeypatch.setattr(real._wrapped, "SECRET_KEY", "")
    monkeypatch.delitem(real.__dict__, "SECRET_KEY", raising=False)
    with pytest.raises(ImproperlyConfigured):
        real.SECRET_KEY  # noqa: B018
    assert [message.id for message in ours.secrets_are_set(None)] == ["smsdesk.E001"]


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (sqlite(transaction_mode="DEFERRED"), "smsdesk.E004"),
        (sqlite(transaction_mode=None), "smsdesk.E004"),
        (sqlite(pragmas="PRAGMA synchronous=FULL;"), "smsdesk.E005"),
        (sqlite(pragmas="PRAGMA journal_mode=DELETE;PRAGMA synchronous=FULL;"), "smsdesk.E005"),
        (
            sqlite(pragmas="PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA busy_timeout=100;"),
            "smsdesk.E006",
        ),
        (sqlite(pragmas="PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL", timeout=1), "smsdesk.E006"),
        (sqlite(pragmas="PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"), "smsdesk.E007"),
        (sqlite(pragmas="PRAGMA journal_mode=WAL;"), "smsdesk.E007"),
        ({"ENGINE": "django.db.backends.mysql"}, "smsdesk.E009"),
    ],
)
def test_a_database_that_fails_or_forgets(production, database, expected):
    production.DATABASES = {"default": database}
    assert found() == {expected}


def test_synchronous_normal_is_for_demo_and_tests_only(production):
    production.DATABASES = {"default": sqlite(pragmas="PRAGMA journal_mode=wal; PRAGMA synchronous = NORMAL")}
    assert found() == {"smsdesk.E007"}
    production.DEMO = True
    assert found() == set()
    production.DEMO, production.TESTING = False, True
    assert found() == set()


@pytest.mark.parametrize("value", ["off", "OFF", "false", "0"])
def test_postgresql_without_synchronous_commit(production, value):
    production.DATABASES = postgresql(f"-c lock_timeout=2s -c synchronous_commit={value}")
    assert found() == {"smsdesk.E008"}


@pytest.mark.parametrize("options", ["", "-c lock_timeout=2s", "-c synchronous_commit=on"])
def test_postgresql_that_keeps_its_commits(production, options):
    production.DATABASES = postgresql(options)
    assert found() == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"retry": 420}, {"smsdesk.E011"}),
        ({"retry": 421}, set()),
        ({"retry": 480, "workers": 1}, {"smsdesk.E011"}),
        ({"queue_limit": 50}, {"smsdesk.E011"}),
        ({"bulk": 100}, {"smsdesk.E011"}),
        ({"timeout": None}, {"smsdesk.E011"}),
        ({"retry": None}, {"smsdesk.E011"}),
        ({"max_attempts": 0}, {"smsdesk.E012"}),
        ({"ack_failures": False}, {"smsdesk.E012"}),
        ({"catch_up": True}, {"smsdesk.E012"}),
        ({"orm": None}, {"smsdesk.E012"}),
    ],
)
def test_the_queue(production, change, expected):
    cluster = {**production.Q_CLUSTER, "workers": 2, "queue_limit": 2, "bulk": 1, "timeout": 120, "retry": 900}
    production.Q_CLUSTER = {**cluster, **change}
    assert found() == expected


@pytest.mark.parametrize(
    ("address", "expected", "expected_in_deployment"),
    [
        ("https://sms.example.com", set(), set()),
        ("http://sms.example.com", {"smsdesk.E014"}, {"smsdesk.E014", "smsdesk.E015"}),
        ("http://127.0.0.1:8000", {"smsdesk.W001"}, {"smsdesk.W001", "smsdesk.E015"}),
        ("http://localhost:8000", {"smsdesk.W001"}, {"smsdesk.W001", "smsdesk.E015"}),
        ("http://[::1]:8000", {"smsdesk.W001"}, {"smsdesk.W001", "smsdesk.E015"}),
        ("http://127.example.com", {"smsdesk.E014"}, {"smsdesk.E014", "smsdesk.E015"}),
        ("sms.example.com", {"smsdesk.E013"}, {"smsdesk.E013", "smsdesk.E015"}),
        ("", {"smsdesk.E013"}, {"smsdesk.E013", "smsdesk.E015"}),
    ],
)
def test_the_public_address(production, address, expected, expected_in_deployment):
    production.PUBLIC_URL = address
    assert found() == expected
    assert found(deploy=True) == expected_in_deployment


def test_http_is_good_enough_for_the_demo(production):
    production.PUBLIC_URL = "http://192.168.1.20:8000"
    production.DEMO = True
    assert found() == set()


def test_every_environment_variable_and_check_is_documented():
    root = Path(ours.__file__).parent
    page = (root.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    source = (root / "settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'(?:env\.\w+|environ\.get|secret)\(\s*"([A-Z_]+)"', source))
    assert len(names) > 20
    assert {name for name in names if f"| `{name}`" not in page} == set()


def test_options_in_the_address_of_postgresql_are_kept_beside_ours():
    said = settings_module.database("postgres://u:p@h/desk?options=-c%20search_path%3Ddesk&sslmode=require")

    assert said["OPTIONS"]["sslmode"] == "require"
    assert said["OPTIONS"]["options"].startswith("-c lock_timeout=2s ")
    assert said["OPTIONS"]["options"].endswith(" -c search_path=desk")


def test_a_secret_may_stand_in_a_file(tmp_path, monkeypatch):
    (tmp_path / "url").write_text("postgres://u:p@h/desk\n", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))

    assert settings_module.secret("DATABASE_URL") == "postgres://u:p@h/desk"


def test_failpoints_are_refused_unless_the_desk_exists_to_be_crashed(production):
    production.FAILPOINTS = "submit.after_commit=kill@1"
    assert found() == {"smsdesk.E020"}
    production.CHAOS = True
    assert found() == set()
