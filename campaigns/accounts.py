"""Gateway accounts: their credentials, their hook addresses, and the switch that stops them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import aiohttp
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from campaigns.models import GatewayAccount, MessageInMotion, OutboundState, Sender
from smsdesk import clock, sealing
from smsdesk.gateways import registry
from smsdesk.gateways.contract import AccountSettings, Gateway


def hook_base(account: GatewayAccount) -> str:
    """`https://desk.example/hooks/<account>/<secret>/`; the provider's calls add `status/` or `inbound/`."""
    return f"{settings.PUBLIC_URL}/hooks/{account.public_id}/{account.hook_secret}/"


def store_credentials(account: GatewayAccount, values: Mapping[str, str]) -> None:
    """Replace the sealed credentials; an empty value keeps the one that is stored."""
    stored = credentials(account)
    merged = {**stored, **{name: value for name, value in values.items() if value}}
    keys = [field.name for field in registry.credential_fields(account.kind) if field.may_open_another]
    if any(name in stored and merged[name] != stored[name] for name in keys):
        account.key_changed_at = clock.database_now()
    account.credentials = sealing.seal(merged, bound_to=account.public_id.hex)
    account.save(update_fields=["credentials", "key_changed_at"])


def credentials(account: GatewayAccount) -> dict[str, str]:
    if not account.credentials:
        return {}
    return sealing.unseal(account.credentials, bound_to=account.public_id.hex)


def gateway(account: GatewayAccount, *, http: aiohttp.ClientSession | None = None) -> Gateway:
    """The adapter of this account. Without `http` it can verify and parse webhooks, not send."""
    settings_of_account = AccountSettings(
        account_id=account.public_id,
        base_url=account.base_url,
        credentials=credentials(account),
        hook_url=hook_base(account),
        is_simulator=account.is_simulator,
    )
    return registry.gateway_for(account.kind, settings_of_account, http=http)


def open_outcomes(senders: Iterable[Sender]) -> int:
    """How many of these senders' messages may have been taken or not: in a call, or unknown."""
    moving = MessageInMotion.objects.filter(lane__sender__in=senders)
    return moving.filter(state__in=(OutboundState.SUBMITTING, OutboundState.UNKNOWN)).count()


def pause(account_id: int, *, reason: str, now: datetime, by: AbstractBaseUser | None = None) -> bool:
    """Stop every lane of the account; rows stay queued. False when it was paused already. `by` None: a machine."""
    running = GatewayAccount.objects.filter(pk=account_id, paused_at=None)
    return bool(running.update(paused_at=now, paused_reason=reason[:300], paused_by=by))


def resume(account_id: int, *, now: datetime) -> bool:
    """False when it was not paused. Its circuit is half open: one message tries whether the cure has helped."""
    return bool(
        GatewayAccount.objects.filter(pk=account_id, paused_at__isnull=False).update(
            paused_at=None,
            paused_reason="",
            paused_by=None,
            resumed_at=now,
            circuit_until=now,
            circuit_since=now,
            circuit_openings=0,
            prober=None,
            troubles=0,
            last_trouble="",
        )
    )
