"""Plain factories shared by all tests: each makes one row with sound defaults."""

import itertools
from collections.abc import Collection
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client

from smsdesk.api import keys
from smsdesk.models import ApiKey, Scope

_numbers = itertools.count(1)


def user(name: str = "") -> User:
    return get_user_model().objects.create_user(name or f"user{next(_numbers)}")


def api_key(
    *,
    scopes: Collection[str] = tuple(Scope.values),
    is_test: bool = False,
    owner: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A key and its full text."""
    return keys.issue(name="Shop", owner=owner or user(), scopes=scopes, is_test=is_test, expires_at=expires_at)


def api(text: str = "") -> Client:
    """A client that sends this key, or a new one that may do everything."""
    return Client(headers={"Authorization": f"Bearer {text or api_key()[1]}"})
