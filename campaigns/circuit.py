"""The circuit of a gateway account: a gateway in trouble is left alone, then tried with one message at a time.

*Closed*, everything goes. So many batches in a row that met only unreachable or silent ends open it: no lane of the
account is won for 5 s, doubling to 5 minutes while the trouble lasts. Then it is *half open*: the first lane to
claim it sends a batch of one, and an answer of whatever kind closes it. It fails nothing and spends no attempt:
what was surely not taken waits in the queue, and fewer calls end as `unknown`.

State is the account's row, moved by conditional updates, so any number of hosts share one circuit.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from campaigns.models import GatewayAccount
from campaigns.times import TIMES
from smsdesk import clock
from smsdesk.gateways.errors import ErrorClass, GatewayError

log = structlog.get_logger(__name__)

FIRST, LONGEST = 5.0, 300.0  # seconds it stays open
TROUBLE = (ErrorClass.UNREACHABLE, ErrorClass.AMBIGUOUS)
_CLOSED = {
    "circuit_until": None,
    "circuit_since": None,
    "circuit_openings": 0,
    "prober": None,
    "troubles": 0,
    "last_trouble": "",
}


class Batch(Protocol):
    """The lane a batch was won with, as `campaigns.lanes.Won` is."""

    @property
    def account_id(self) -> int: ...
    @property
    def token(self) -> UUID: ...
    @property
    def is_probe(self) -> bool: ...
    @property
    def troubles(self) -> int: ...


def claim(account_id: int, *, token: UUID) -> bool:
    """Be the one who tries a half-open circuit; a prober that dies is replaced once its batch must be over.

    Inside the transaction that wins the lane.
    """
    now = clock.database_now()
    return bool(
        GatewayAccount.objects.filter(pk=account_id, circuit_until__lte=now).update(
            prober=token, circuit_until=now + timedelta(seconds=TIMES.lapse)
        )
    )


def release(won: Batch) -> None:
    """Nothing was sent after all: the next lane may try at once."""
    if won.is_probe:
        _tried_by(won).update(prober=None, circuit_until=clock.database_now())


def learn(faults: Sequence[GatewayError | None], *, won: Batch) -> None:
    """What became of a batch, one entry per call (None: accepted). No statement while all is well."""
    told = [f for f in faults if f is None or f.error_class is not ErrorClass.NOTHING_WRITTEN]
    if not told:
        release(won)
        return
    troubles = [f for f in told if f is not None and f.error_class in TROUBLE]
    if len(troubles) < len(told):
        if won.is_probe or won.troubles:
            _close(won.account_id)
    elif won.is_probe:
        _open_longer(won, troubles[-1])
    else:
        _count(won.account_id, troubles[-1])


def try_now(account_id: int, *, now: datetime) -> bool:
    """Somebody changed the account: an open circuit need not wait for its time. False when it was not open."""
    return bool(
        GatewayAccount.objects.filter(pk=account_id, circuit_until__gt=now, prober=None).update(circuit_until=now)
    )


def _close(account_id: int) -> None:
    if GatewayAccount.objects.filter(pk=account_id, circuit_until__isnull=False).exists():
        log.info("circuit_closed", account=account_id)
    GatewayAccount.objects.filter(pk=account_id).update(**_CLOSED)


def _count(account_id: int, trouble: GatewayError) -> None:
    """One more batch in a row. Those under way while it opened are not counted a second time."""
    closed = GatewayAccount.objects.filter(pk=account_id, circuit_until=None)
    with transaction.atomic():
        if not closed.update(troubles=F("troubles") + 1, last_trouble=_words(trouble)):
            return
        now = clock.database_now()
        opened = closed.filter(troubles__gte=settings.CIRCUIT_AFTER).update(
            circuit_since=now, circuit_until=now + wait(1), circuit_openings=1, prober=None
        )
    if opened:
        log.error("circuit_opened", account=account_id, code=trouble.code)


def _open_longer(won: Batch, trouble: GatewayError) -> None:
    """The try failed. Only its own: one that was thought dead must not shut out the one that followed."""
    with transaction.atomic():
        tried = _tried_by(won).select_for_update(no_key=True).first()
        if tried is not None:
            openings = min(tried.circuit_openings + 1, 100)
            GatewayAccount.objects.filter(pk=tried.pk).update(
                prober=None,
                circuit_until=clock.database_now() + wait(openings),
                circuit_openings=openings,
                last_trouble=_words(trouble),
            )


def wait(openings: int) -> timedelta:
    """How long it stays open, the `openings`-th time in a row."""
    seconds = min(LONGEST, FIRST * 2 ** min(openings - 1, 10))
    return timedelta(seconds=seconds * settings.TIME_SCALE)


def state(account: GatewayAccount, *, now: datetime) -> str:
    """`closed`, `open` or `half_open`; one that is being tried is half open."""
    if account.circuit_until is None:
        return "closed"
    return "half_open" if account.prober is not None or account.circuit_until <= now else "open"


def sentence(account: GatewayAccount, *, now: datetime) -> str:
    """Why nothing leaves through the account although nobody paused it, and what happens next; "" if it does."""
    shape = state(account, now=now)
    if account.circuit_until is None or account.circuit_since is None:
        return ""
    if not account.last_trouble:
        return "The next message goes alone; when the gateway has answered it, the others follow."
    since = timezone.localtime(account.circuit_since).strftime("%H:%M:%S %Z")
    told = f"The gateway gives no proper answer since {since}: {account.last_trouble}"
    kept = "Nothing is failed by it: messages wait, and no try of theirs is used up."
    if shape == "half_open":
        return f"{told} One message is tried now; when it is answered, the others follow. {kept}"
    until = timezone.localtime(account.circuit_until).strftime("%H:%M:%S")
    return f"{told} Nothing is sent through it until {until}, then one message is tried. {kept}"


def _tried_by(won: Batch) -> "QuerySet[GatewayAccount]":
    return GatewayAccount.objects.filter(pk=won.account_id, prober=won.token)


def _words(trouble: GatewayError) -> str:
    return f"{trouble.message} ({trouble.code})"[:300]
