"""How long the desk keeps what: a round a day, in bounded pieces. Rows decide, so any round may run twice.

Each app adds its kinds in its `holdings` module. Suppressions and the ledger's events never run out, and nothing
of a person under a legal hold does.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from contacts.models import ConsentEvidence, ConsentSource, Contact, ImportProblem, Suppression, UnitedPhone

log = structlog.get_logger(__name__)

AT_ONCE = 1_000  # rows of one transaction
Purge = Callable[[datetime], int]  # what is older than the given moment → how many rows of one piece went

_KINDS: list[tuple[str, Purge]] = []
_SWEEPS: list[Purge] = []


def kind(setting: str) -> Callable[[Purge], Purge]:
    """Add a kind of data that runs out after `RETENTION_DAYS[setting]`."""

    def keep(purge: Purge) -> Purge:
        _KINDS.append((setting, purge))
        return purge

    return keep


def sweep(clear: Purge) -> Purge:
    """Add what must be cleared whatever its age; it is given the time of the round."""
    _SWEEPS.append(clear)
    return clear


def run(*, now: datetime, is_over: Callable[[], bool]) -> bool:
    """Clear what has run out until nothing is left (True) or `is_over` says stop (False)."""
    for name, purge in _KINDS:
        days = settings.RETENTION_DAYS[name]
        if days and not _exhaust(purge, now - timedelta(days=days), name=name, is_over=is_over):
            return False
    return all(_exhaust(clear, now, name=clear.__name__, is_over=is_over) for clear in _SWEEPS)


def _exhaust(purge: Purge, moment: datetime, *, name: str, is_over: Callable[[], bool]) -> bool:
    cleared = 0
    while not is_over():
        with transaction.atomic():
            piece = purge(moment)
        cleared += piece
        if not piece:
            break
    else:
        piece = 1
    if cleared:
        log.info("retention_cleared", kind=name, rows=cleared)
    return not piece


def some(rows: "QuerySet[Any]") -> list[int]:
    """The ids of at most one piece of these rows."""
    return list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


def is_held(key: str) -> Q:
    """The phone whose key stands in this field belongs to a person under a legal hold."""
    held = Exists(Contact.objects.filter(subscriber_key=OuterRef(key)).exclude(legal_hold=""))
    united = Exists(UnitedPhone.objects.filter(subscriber_key=OuterRef(key)).exclude(contact__legal_hold=""))
    return held | united


@kind("imports")
def drop_import_reports(before: datetime) -> int:
    old = ImportProblem.objects.filter(contact_import__created_at__lt=before)
    return ImportProblem.objects.filter(pk__in=some(old)).delete()[0]


@sweep
def drop_evidence_of_erased(now: datetime) -> int:
    """What somebody recorded at the very moment of the erasure."""
    erased = Suppression.objects.filter(
        subscriber_key=OuterRef("event__subscriber_key"), source=ConsentSource.ERASURE, lifted_by=None
    )
    known = Contact.objects.filter(subscriber_key=OuterRef("event__subscriber_key"))
    stray = ConsentEvidence.objects.filter(Exists(erased), ~Exists(known))
    return ConsentEvidence.objects.filter(pk__in=some(stray)).delete()[0]
