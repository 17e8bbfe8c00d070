"""Consent that has run out: by its own date, or by the age its basis has.

The judge blocks it from that instant on. Once a day the ledger is told too, dated at the instant itself, so that
whoever reads the history or the proof sees when and why the agreement ended.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from contacts import bases, chain, settling, standing
from contacts.models import ConsentEvent, ConsentSource, ConsentState, Contact, EventKind
from smsdesk import bulk_sql

log = structlog.get_logger(__name__)

AT_ONCE = 500  # phones of one transaction


def is_over(at: datetime) -> Q:
    """Condition on `ConsentState`: has run out by `at`."""
    over = Q(expires_at__isnull=False, expires_at__lte=at)
    for basis in bases.LIFE_IN_MONTHS:
        for first, last in bases.spans_run_out(basis, at):
            given = Q(expires_at__isnull=True, basis=basis, occurred_at__lte=last)
            over |= given & Q(occurred_at__gte=first) if first else given
    return over


def run(*, now: datetime, is_late: Callable[[], bool]) -> bool:
    """Tell the ledger of all that has run out (True), or until `is_late` says stop (False). Twice does no harm."""
    after, ended = "", 0
    while not is_late():
        keys = list(_overdue(now).filter(subscriber_key__gt=after)[:AT_ONCE])
        if not keys:
            if ended:
                log.info("consent_ran_out", events=ended)
            return True
        ended += end(keys, now=now)
        after = keys[-1]
    return False


@transaction.atomic
def end(keys: Collection[str], *, now: datetime) -> int:
    """Append what is missing for these phones; how many events. Locks: contacts by id, the ledger's head last."""
    rows = Contact.objects.filter(bulk_sql.among("subscriber_key", keys)).order_by("pk")
    locked = list(rows.select_for_update(no_key=True).values_list("subscriber_key", flat=True))
    histories = settling.events_of(locked)
    new = {key: list(_events(key, histories.get(key, ()), now=now)) for key in locked}
    settling.settle({key: [*histories[key], *events] for key, events in new.items() if events})
    events = [event for one in new.values() for event in one]
    if events:
        chain.append(events)
    return len(events)


def _overdue(now: datetime) -> "QuerySet[ConsentState, str]":
    """Keys of phones the tables call agreed although the time is over. A phone without a contact gets no message
    and has no lock to take; it is left as it is."""
    known = Contact.objects.filter(subscriber_key=OuterRef("subscriber_key"))
    states = ConsentState.objects.filter(is_over(now), Exists(known), is_active=True)
    return states.order_by("subscriber_key").values_list("subscriber_key", flat=True).distinct()


def _events(key: str, history: Iterable[ConsentEvent], *, now: datetime) -> Iterable[ConsentEvent]:
    """One event per brand and instant, for every purpose that ended then."""
    ended: defaultdict[tuple[int, datetime], list[str]] = defaultdict(list)
    for (brand_id, purpose), agreement in standing.fold(history).agreements.items():
        ends = agreement.ends_at
        if agreement.is_active and ends is not None and ends <= now:
            # Given for a time that was over already: it ended as it began.
            ended[brand_id, max(ends, agreement.event.occurred_at)].append(purpose)
    for (brand_id, at), purposes in ended.items():
        yield ConsentEvent(
            subscriber_key=key,
            brand_id=brand_id,
            purposes=sorted(purposes),
            kind=EventKind.EXPIRE,
            occurred_at=at,
            recorded_at=now,
            source=ConsentSource.CLOCK,
        )
