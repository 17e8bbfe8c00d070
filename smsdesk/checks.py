"""System checks: a dangerous setting is refused at start, with its cure (ids `smsdesk.E001` upward).

The order of the send protocol's times is checked where they stand, in `campaigns/times.py` (smsdesk.E010).
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from smsdesk import sealing

Found = list[checks.CheckMessage]

_MAKE_SECRET = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'
_MAKE_KEY = 'python -c "import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())"'
_MIN_PEPPER = 32  # characters
_MIN_BUSY_TIMEOUT = 5_000  # milliseconds


def _error(number: int, message: str, hint: str) -> checks.Error:
    return checks.Error(message, hint=hint, id=f"smsdesk.E{number:03}")


def _is_test() -> bool:
    return bool(getattr(settings, "TESTING", False))


@checks.register
def secrets_are_set(app_configs: object, **kwargs: object) -> Found:
    if settings.DEMO:
        return []
    found: Found = []
    try:
        secret_key = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's answer to an empty one
        secret_key = ""
    if not secret_key:
        found.append(
            _error(
                1, "SECRET_KEY is not set.", f"Set SECRET_KEY or SECRET_KEY_FILE to the output of: {_MAKE_SECRET}"
            )
        )
    if len(settings.PEPPER) < _MIN_PEPPER:
        fault = f"is shorter than {_MIN_PEPPER} characters" if settings.PEPPER else "is not set"
        cure = f"Set it once, keep a copy outside the database and never change it. One is made by: {_MAKE_SECRET}"
        found.append(_error(2, f"SMSDESK_PEPPER, which keys the hash of phone numbers, {fault}.", cure))
    try:
        sealing.read_key(settings.CREDENTIAL_KEY)
    except ValueError as problem:
        fault = f"is no key ({problem})" if settings.CREDENTIAL_KEY else "is not set"
        cure = f"Set it to 32 random bytes in base64. They are made by: {_MAKE_KEY}"
        found.append(_error(3, f"SMSDESK_CREDENTIAL_KEY, which seals gateway credentials, {fault}.", cure))
    return found


@checks.register
def database_keeps_what_it_commits(app_configs: object, **kwargs: object) -> Found:
    database = settings.DATABASES["default"]
    engine = str(database.get("ENGINE", ""))
    options = database.get("OPTIONS", {})
    if engine.endswith(".sqlite3"):
        return _sqlite_faults(options)
    if engine.endswith((".postgresql", ".postgis")):
        return _postgresql_faults(options)
    return [
        _error(
            9,
            f"The database {engine or '(none)'} is not supported.",
            "Let DATABASE_URL begin with sqlite:/// or postgres://.",
        )
    ]


def _sqlite_faults(options: Mapping[str, Any]) -> Found:
    pragmas = {
        name.lower(): value.strip().strip("'\"").upper()
        for name, value in re.findall(
            r"PRAGMA\s+(\w+)\s*=\s*([^;]+)", options.get("init_command", ""), re.IGNORECASE
        )
    }
    found: Found = []
    if str(options.get("transaction_mode", "")).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        cure = 'Set OPTIONS["transaction_mode"] of the database to "IMMEDIATE".'
        found.append(_error(4, "SQLite begins transactions that fail at once when they turn into writers.", cure))
    if pragmas.get("journal_mode") != "WAL":
        cure = 'Put "PRAGMA journal_mode=WAL;" into OPTIONS["init_command"] of the database.'
        found.append(
            _error(5, "SQLite runs without a write-ahead log: readers and writers block each other.", cure)
        )
    if not _waits_long_enough(pragmas.get("busy_timeout"), options.get("timeout", 0)):
        cure = 'Set OPTIONS["timeout"] of the database to 20 (seconds) and PRAGMA busy_timeout, if given, to 20000.'
        found.append(_error(6, "SQLite gives up too early when the database is busy.", cure))
    safe = {"FULL", "EXTRA", "2", "3"} | ({"NORMAL", "1"} if settings.DEMO or _is_test() else set())
    if pragmas.get("synchronous") not in safe:
        cure = "Remove SQLITE_SYNCHRONOUS from the environment, or set it to FULL."
        found.append(
            _error(
                7, "SQLite may lose its last commits at a power failure; a message could then be sent twice.", cure
            )
        )
    return found


def _waits_long_enough(pragma: str | None, timeout: float) -> bool:
    if pragma is None:
        return timeout * 1000 >= _MIN_BUSY_TIMEOUT
    return pragma.isdecimal() and int(pragma) >= _MIN_BUSY_TIMEOUT


def _postgresql_faults(options: Mapping[str, Any]) -> Found:
    given = re.findall(r"synchronous_commit\s*=\s*'?(\w+)", str(options.get("options", "")), re.IGNORECASE)
    if given and given[-1].lower() in ("off", "of", "false", "f", "no", "n", "0"):
        cure = "Remove synchronous_commit from the options of DATABASE_URL, or set it to on."
        return [
            _error(8, "PostgreSQL may lose its last commits in a crash; a message could then be sent twice.", cure)
        ]
    return []


@checks.register
def queue_leases_outlast_its_tasks(app_configs: object, **kwargs: object) -> Found:
    cluster = settings.Q_CLUSTER
    found: Found = []
    timeout, retry = cluster.get("timeout") or 0, cluster.get("retry") or 0
    # A task's lease counts from prefetch, so every task that may stand before it in memory counts too.
    waiting = (cluster.get("queue_limit", 50) + cluster.get("bulk", 1)) / max(cluster.get("workers", 1), 1)
    least = timeout * (2 + waiting)
    if not timeout or retry <= least:
        cure = (
            f'Set Q_CLUSTER["retry"] above {least:.0f}.'
            if timeout
            else 'Set Q_CLUSTER["timeout"], and "retry" above it.'
        )
        found.append(_error(11, "django-q2 would start a task again while it is still running.", cure))
    wanted = {"orm": "default", "ack_failures": True, "catch_up": False}
    wrong = {name: value for name, value in wanted.items() if cluster.get(name) != value}
    if not cluster.get("max_attempts"):
        wrong["max_attempts"] = 3
    if wrong:
        cure = "Set in Q_CLUSTER: " + ", ".join(f'"{name}": {value!r}' for name, value in wrong.items()) + "."
        found.append(_error(12, "django-q2 is set so that it loses tasks or repeats them without end.", cure))
    return found


@checks.register
def nothing_is_interrupted_on_purpose(app_configs: object, **kwargs: object) -> Found:
    if not settings.FAILPOINTS or settings.DEBUG or settings.CHAOS:
        return []
    cure = "Remove SMSDESK_FAILPOINTS; only a test of crashes, on a desk of its own, sets SMSDESK_CHAOS beside it."
    return [_error(20, "SMSDESK_FAILPOINTS would kill and freeze processes in the middle of sending.", cure)]


_PUBLIC_URL_CURE = "Set PUBLIC_URL to the https:// address at which people and providers reach this desk."


@checks.register
def public_address_is_safe(app_configs: object, **kwargs: object) -> Found:
    address = urlsplit(settings.PUBLIC_URL)
    if address.scheme not in ("http", "https") or not address.hostname:
        return [_error(13, f"PUBLIC_URL is not a web address: {settings.PUBLIC_URL!r}.", _PUBLIC_URL_CURE)]
    if address.scheme == "https" or settings.DEMO or settings.DEBUG or _is_test():
        return []
    if _is_loopback(address.hostname):
        message = "PUBLIC_URL is an address of this machine only: no provider can deliver receipts or replies."
        return [checks.Warning(message, hint=_PUBLIC_URL_CURE, id="smsdesk.W001")]
    return [_error(14, "PUBLIC_URL is http: passwords and texts would travel readable.", _PUBLIC_URL_CURE)]


@checks.register(checks.Tags.security, deploy=True)
def public_address_is_https(app_configs: object, **kwargs: object) -> Found:
    if urlsplit(settings.PUBLIC_URL).scheme == "https":
        return []
    return [_error(15, "PUBLIC_URL is not https.", _PUBLIC_URL_CURE)]


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
