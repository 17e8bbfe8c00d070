"""The right to work on an import: a token and a time on its row, won and kept by conditional updates."""

import uuid
from datetime import timedelta

from django.db.models import Q, QuerySet

from contacts.models import ContactImport, ImportState
from smsdesk import clock

LEASE = timedelta(seconds=60)
RUN_SECONDS = 20.0  # of one task; then its successor goes on, so that no task nears its time limit
WORKING = (ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING)


class Lost(Exception):
    """The lease is somebody else's by now, or the import was moved on."""


def win(import_id: int, *, state: ImportState, token: uuid.UUID) -> ContactImport | None:
    """The import, when it is in `state` and nobody else works on it."""
    free = ContactImport.objects.filter(pk=import_id, state=state).filter(_is_free())
    if not free.update(token=token, lease_until=clock.database_now() + LEASE):
        return None
    return ContactImport.objects.get(pk=import_id)


def held(import_id: int, *, state: ImportState, token: uuid.UUID) -> "QuerySet[ContactImport]":
    """The import's row, when it still is in `state` under this token."""
    return ContactImport.objects.filter(pk=import_id, state=state, token=token)


def hand_back(import_id: int, *, state: ImportState, token: uuid.UUID) -> bool:
    return bool(held(import_id, state=state, token=token).update(token=None, lease_until=None))


def stalled() -> "QuerySet[ContactImport]":
    """Imports at work on which nobody works: their worker is gone, or their wake-up was lost."""
    return ContactImport.objects.filter(state__in=WORKING).filter(_is_free())


def _is_free() -> Q:
    return Q(lease_until=None) | Q(lease_until__lt=clock.database_now())
