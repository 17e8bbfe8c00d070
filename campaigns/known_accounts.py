"""Gateway accounts as the webhooks' front door knows them: five seconds old at most, sealed on disk for an outage.

Whoever is refused by what is remembered is judged again by the database, so a new secret counts at once; a former
one opens the door for five seconds more. While the database is away nobody can have changed an account through it:
what was last read counts, for a day.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from campaigns import accounts
from campaigns.models import GatewayAccount
from smsdesk import sealing, spool
from smsdesk.errors import DomainError
from smsdesk.gateways.contract import Gateway

FRESH = 5.0  # seconds
LONGEST = 24 * 3600.0  # seconds an account is trusted that was read before the database went away
_FIELDS = ("id", "name", "kind", "base_url", "credentials", "hook_secret", "is_simulator")
_BOUND = "known accounts"


@dataclass(frozen=True, slots=True)
class Known:
    """An account, the adapter that verifies its webhooks, and when it was read."""

    account: GatewayAccount
    gateway: Gateway
    read_at: float  # by the wall clock: it must mean something after a restart
    is_fresh: bool = False  # read for this very request


_known: dict[UUID, Known] = {}


def find(public_id: UUID) -> Known | None:
    """From memory where it was read lately, else from the database; None: there is no such account."""
    found = _known.get(public_id)
    if found is not None and 0 <= time.time() - found.read_at < FRESH:
        return found
    return read(public_id)


def read(public_id: UUID) -> Known | None:
    """From the database, and remembered."""
    row = GatewayAccount.objects.filter(public_id=public_id).only("public_id", *_FIELDS).first()
    if row is None:
        _known.pop(public_id, None)
        return None
    now = time.time()
    before = _known.get(public_id)
    known = Known(row, accounts.gateway(row), now, is_fresh=True)
    _known[public_id] = Known(row, known.gateway, now)
    if before is None or _said(before) != _said(known) or now - _written.get(public_id, 0.0) > LONGEST / 24:
        _write(known)
    return known


def remembered(public_id: UUID) -> Known | None:
    """While the database is away: what was last read, by this process or one before it; None: nobody can say."""
    found = _known.get(public_id) or _on_disk(public_id)
    if found is None or not 0 <= time.time() - found.read_at < LONGEST:
        return None
    return found


def forget() -> None:
    """For tests: as a process that has just begun."""
    _known.clear()
    _written.clear()


# --- On disk ----------------------------------------------------------------------------------------------

_written: dict[UUID, float] = {}


def _write(known: Known) -> None:
    """Whole or not at all, readable by nobody else; a disk that is full or read-only is no reason to refuse."""
    public_id = known.account.public_id
    sealed = sealing.seal(
        {"account": json.dumps(_said(known)), "read_at": repr(known.read_at)}, bound_to=_BOUND + public_id.hex
    )
    path = _path(public_id)
    beside = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(sealed)
        beside.replace(path)
    except OSError:
        return
    _written[public_id] = known.read_at


def _on_disk(public_id: UUID) -> Known | None:
    try:
        said = sealing.unseal(_path(public_id).read_text(), bound_to=_BOUND + public_id.hex)
        row = GatewayAccount(public_id=public_id, **json.loads(said["account"]))
        return Known(row, accounts.gateway(row), float(said["read_at"]))
    except (OSError, ValueError, KeyError, TypeError, DomainError):
        return None


def _path(public_id: UUID) -> Path:
    return spool.folder() / f"account-{public_id.hex}"


def _said(known: Known) -> dict[str, Any]:
    return {name: getattr(known.account, name) for name in _FIELDS}
