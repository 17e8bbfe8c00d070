"""The places of drains: on each host one worker stays free for imports and the clock.

Who leaves soon gives its place on and goes on sending for two seconds and its last batch, so for that long there
may be one more. Each drain says every second that it is alive.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from smsdesk import clock, processes
from smsdesk.models import Heartbeat

STAYS, LEAVES = "drain:", "leaving:"  # what its heartbeat's name begins with


def take() -> bool:
    """False where this host has as many drains as it may have."""
    if _alive(_here(), seconds=5).exclude(name=_name(STAYS)).count() >= most():
        return False
    beat()
    return True


def most() -> int:
    """Drains one host may have."""
    return max(1, int(settings.WORKERS) - 1)


def beat(*, is_leaving: bool = False) -> None:
    name = _name(LEAVES if is_leaving else STAYS)
    Heartbeat.objects.update_or_create(name=name, defaults={"beat_at": clock.database_now()})


def give_on() -> None:
    """Another one may take it, while we go on."""
    Heartbeat.objects.filter(name=_name(STAYS)).update(name=_name(LEAVES))


def leave() -> None:
    Heartbeat.objects.filter(name__in=[_name(STAYS), _name(LEAVES)]).delete()


def staying_here() -> int:
    """Drains of this host that are alive, without those that leave. A host that only serves pages has none."""
    return _alive(_here()).count()


def sending() -> int:
    """Drains of all hosts that are alive."""
    return _alive(Q(name__startswith=STAYS) | Q(name__startswith=LEAVES)).count()


def is_of_drain(name: str) -> bool:
    return name.startswith((STAYS, LEAVES))


def holder(name: str) -> str:
    """The process whose heartbeat has this name, as `processes.identity` says it."""
    return name.partition(":")[2]


def _here() -> Q:
    return Q(name__startswith=_name(STAYS).rsplit(":", 2)[0] + ":")


def _alive(which: Q, *, seconds: float = 3) -> "QuerySet[Heartbeat]":
    return Heartbeat.objects.filter(which, beat_at__gt=clock.database_now() - timedelta(seconds=seconds))


def _name(kind: str) -> str:
    return f"{kind}{processes.identity()}"
