"""Numbers change hands: what was said to or by a former owner says nothing about the one who has it now."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Count, QuerySet

from contacts.models import ConsentEvent, EventKind
from smsdesk import bulk_sql


def has_changed(subscriber_key: str, *, since: datetime) -> bool:
    """Whether we were told of a new owner then or later."""
    return _changes([subscriber_key]).filter(recorded_at__gte=since).exists()


def changes(subscriber_keys: Collection[str]) -> dict[str, int]:
    """How often each of these numbers got a new owner; one that never did is absent."""
    return dict(_changes(subscriber_keys).values_list("subscriber_key").annotate(Count("pk")))


def _changes(subscriber_keys: Collection[str]) -> "QuerySet[ConsentEvent]":
    return ConsentEvent.objects.filter(
        bulk_sql.among("subscriber_key", subscriber_keys), kind=EventKind.REASSIGN
    ).order_by()
