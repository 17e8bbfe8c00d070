"""Plain factories shared by all tests: each makes one row with sound defaults."""

import itertools
from collections.abc import Collection
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client

from campaigns.models import GatewayAccount, GatewayKind, Sender, SenderKind
from contacts.models import Brand, Contact
from smsdesk import phones, sealing
from smsdesk.api import keys
from smsdesk.models import ApiKey, Scope

_numbers = itertools.count(1)
_phones = itertools.count()


def next_phone() -> str:
    """A valid number nobody has yet; 555-01xx is reserved for examples."""
    place, line = divmod(next(_phones), 100)
    codes = ("202", "212", "213", "312", "415", "512", "617", "702")
    exchange, code = divmod(place, len(codes))
    return f"+1{codes[code]}{555 + exchange}01{line:02}"


def brand(**over) -> Brand:
    number = next(_numbers)
    return Brand.objects.create(**{"name": f"Acme {number}", "slug": f"acme-{number}", **over})


def contact(phone: str = "", **over) -> Contact:
    number = phones.parse(phone or next_phone(), default_region="US")
    values = {"phone": number.e164, "subscriber_key": number.subscriber_key, "country": number.region, **over}
    return Contact.objects.create(**values)


def account(credentials: dict[str, str] | None = None, **over) -> GatewayAccount:
    values = {
        "name": f"Gateway {next(_numbers)}",
        "kind": GatewayKind.INFOBIP,
        "base_url": "http://127.0.0.1:20000",
        "is_simulator": True,
        **over,
    }
    row = GatewayAccount(**values)
    row.credentials = sealing.seal(credentials or {"api_key": "test-key"}, bound_to=row.public_id.hex)
    row.save()
    return row


def sender(**over) -> Sender:
    values = {"value": next_phone(), "kind": SenderKind.TEN_DLC, "parts_per_second": 100.0, **over}
    for name, make in (("brand", brand), ("account", account)):
        if name not in values:
            values[name] = make()
    return Sender.objects.create(**values)


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
