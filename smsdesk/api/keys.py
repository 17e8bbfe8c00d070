"""API keys: `sk_live_<8>_<32>` and `sk_test_<8>_<32>`. Shown once; prefix and SHA-256 of the secret are kept."""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from smsdesk.api.problems import Problem
from smsdesk.errors import Invalid
from smsdesk.models import ApiKey, Scope

CHALLENGE = 'Bearer realm="smsdesk"'
_FORM = re.compile(r"(sk_(?:live|test)_[a-z0-9]{8})_([A-Za-z0-9]{32})", re.ASCII)
_LETTERS = string.ascii_letters + string.digits  # 32 of 62: 190 bits, too many to guess, so a fast hash will do


def issue(
    *,
    name: str,
    owner: User,
    scopes: Collection[Scope | str],
    is_test: bool,
    expires_at: datetime | None = None,
    requests_per_minute: int = 600,
) -> tuple[ApiKey, str]:
    """A new key and its full text, which nothing can show again."""
    _refuse_unknown(scopes)
    short = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
    prefix = f"sk_{'test' if is_test else 'live'}_{short}"
    secret = "".join(secrets.choice(_LETTERS) for _ in range(32))
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        secret_sha256=_digest(secret),
        scopes=[scope for scope in Scope.values if scope in set(scopes)],
        owner=owner,
        expires_at=expires_at,
        requests_per_minute=requests_per_minute,
    )
    return key, f"{prefix}_{secret}"


def revoke(key: ApiKey, *, now: datetime) -> None:
    """From the next request on the key opens nothing; revoking twice keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    key.refresh_from_db(fields=["revoked_at"])


def find(text: str, *, now: datetime) -> ApiKey:
    """The live key this text is; raises a 401 `Problem` that says what is wrong with it."""
    match = _FORM.fullmatch(text)
    key = ApiKey.objects.select_related("owner").filter(prefix=match[1]).first() if match else None
    if match is None or key is None or not hmac.compare_digest(key.secret_sha256, _digest(match[2])):
        raise _refused("invalid_key", "This is not a key of this desk.")
    if key.revoked_at is not None:
        raise _refused("key_revoked", "This key was revoked. Ask its owner for a new one.")
    if key.expires_at is not None and key.expires_at <= now:
        raise _refused("key_expired", "This key has expired. Ask its owner for a new one.")
    if not key.owner.is_active:
        raise _refused("key_disabled", "The owner of this key is no longer active.")
    return key


def of(request: Request) -> ApiKey:
    """The key that opened this request."""
    key = request.auth
    if not isinstance(key, ApiKey):
        raise TypeError("This view was reached without an API key.")
    return key


def note_use(key: ApiKey, *, now: datetime) -> None:
    """Remember when the key was last used, at most once a minute."""
    minute_ago = now - timedelta(minutes=1)
    if key.last_used_at is None or key.last_used_at <= minute_ago:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=minute_ago)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk_…`; `request.auth` is the key, `request.user` its owner."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey]:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, text = header.partition(" ")
        if not header:
            raise _refused("no_key", "Send your key as `Authorization: Bearer sk_…`.")
        if scheme.lower() != "bearer":
            raise _refused("invalid_key", "Only `Authorization: Bearer sk_…` is understood.")
        now = timezone.now()
        key = find(text.strip(), now=now)
        note_use(key, now=now)
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class HasScope(BasePermission):
    """A view names a scope for each of its actions in `scopes`; an action without one is closed to everybody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        action = getattr(view, "action", "")
        if action is None or action == "metadata":  # 405 and OPTIONS tell nothing that needs a scope
            return True
        scope = getattr(view, "scopes", {}).get(action)
        if scope is None:
            return False
        if scope == "" or scope in of(request).scopes:
            return True
        raise Problem(403, "missing_scope", f"This key lacks the scope {scope}. Use a key that has it.")


def _refuse_unknown(scopes: Collection[Scope | str]) -> None:
    unknown = sorted({str(scope) for scope in scopes} - set(Scope.values))
    if unknown:
        raise Invalid(
            "unknown_scope",
            "There is no such scope.",
            field="scopes",
            value=", ".join(unknown),
            cure=f"Use some of {', '.join(Scope.values)}.",
        )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _refused(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, headers={"WWW-Authenticate": CHALLENGE})
