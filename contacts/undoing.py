"""Taking an import back, within a day: what it made, not what happened since.

Three steps over what it wrote, each in batches of one transaction with the place they came to: the consent it
claimed, the places on lists it made, the people it added. Everything it touched is found by its own mark (event's
actor, `added_import`, `created_import`), so a second pass finds nothing and a crash repeats nothing.

Consent is taken back by events of their own, in which the ledger says that the claim no longer counts
(`contacts/standing.py`): that lowers what stands and lifts nothing. A person somebody else had to do with stays.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q

from contacts import chain, holdings, import_lease, settling
from contacts.models import (
    ConsentEvent,
    ConsentEvidence,
    ConsentSource,
    Contact,
    ContactImport,
    EventKind,
    ImportState,
    ListMembership,
    UndoStep,
)
from smsdesk import bulk_sql, clock, transitions, wakeups
from smsdesk.errors import WrongState

WITHIN = timedelta(days=1)  # of the import's end
BATCH = 1_000
ATTEMPTS = 3
RUN = "contacts.tasks.undo_import"
UNDER_HOLD = "List place: they are under a legal hold"
CONFIRMED = "Consent: they confirmed it themselves"
_CLOCKS_DIFFER = timedelta(minutes=1)  # at most, between hosts: in doubt something happened since


@dataclass(slots=True)
class _Taken:
    """One batch of a step: the last row it looked at (None: no row was left), and what came of it."""

    cursor: int | None
    count: int = 0
    left: Counter[str] = field(default_factory=Counter)
    events: Sequence[ConsentEvent] = ()


def is_possible(contact_import: ContactImport, *, now: datetime) -> bool:
    return ContactImport.objects.filter(_may_be_undone(now), pk=contact_import.pk).exists()


def start(contact_import: ContactImport, *, now: datetime) -> None:
    """Raises `WrongState` when it has not ended, ended more than a day ago, or is being undone."""
    changes = {
        "undo_started_at": now,
        "undo_step": UndoStep.CONSENT,
        "undo_cursor": contact_import.marks.get("events", 0),
        "undo_done": {},
        "undo_left": {},
        "failure": "",
        "token": None,
        "lease_until": None,
    }
    with transaction.atomic():
        row = ContactImport.objects.filter(_may_be_undone(now), pk=contact_import.pk)
        moved = transitions.move(row, origins=_ENDED, to=ImportState.UNDOING, changes=changes)
        if not moved:
            raise _refusal(contact_import, now=now)
        wakeups.wake(RUN, contact_import.pk)
    contact_import.refresh_from_db()


def run(import_id: int, *, seconds: float = import_lease.RUN_SECONDS) -> bool:
    """Work on an undo for about `seconds`; True when its successor should go on."""
    token = uuid.uuid4()
    contact_import = import_lease.win(import_id, state=ImportState.UNDOING, token=token)
    if contact_import is None:
        return False
    elapsed = clock.Elapsed()
    try:
        while _persistently(contact_import, token=token):
            if elapsed.seconds() >= seconds:
                return import_lease.hand_back(import_id, state=ImportState.UNDOING, token=token)
    except import_lease.Lost:
        pass
    return False


_ENDED = (ImportState.FINISHED, ImportState.CANCELLED)


def _may_be_undone(now: datetime) -> Q:
    return Q(state__in=_ENDED, started_at__isnull=False, finished_at__gt=now - WITHIN)


def _persistently(contact_import: ContactImport, *, token: uuid.UUID) -> bool:
    """Somebody may hold the lock of one of these people at this very moment: that passes."""
    for _ in range(ATTEMPTS - 1):
        try:
            return _batch(contact_import, token=token)
        except OperationalError:
            contact_import.refresh_from_db()
    return _batch(contact_import, token=token)


def _batch(contact_import: ContactImport, *, token: uuid.UUID) -> bool:
    """Take back one batch; True while something may be left."""
    with transaction.atomic():
        now = clock.database_now()
        taken = _STEPS[contact_import.undo_step](contact_import, now)
        changes = _progress(contact_import, taken)
        held = import_lease.held(contact_import.pk, state=ImportState.UNDOING, token=token)
        behind = held.filter(undo_step=contact_import.undo_step, undo_cursor=contact_import.undo_cursor)
        is_over = taken.cursor is None and contact_import.undo_step == UndoStep.PEOPLE
        if is_over:
            done = {**changes, "undone_at": now, "token": None, "lease_until": None}
            moved = transitions.move(behind, origins=[ImportState.UNDOING], to=ImportState.UNDONE, changes=done)
        else:
            moved = behind.update(**changes, lease_until=now + import_lease.LEASE)
        if not moved:
            raise import_lease.Lost
        # Last, because it locks the ledger's head, for which a STOP may be waiting.
        chain.append(taken.events)
    for name, value in changes.items():
        setattr(contact_import, name, value)
    return not is_over


def _progress(contact_import: ContactImport, taken: _Taken) -> dict[str, Any]:
    step = contact_import.undo_step
    done = contact_import.undo_done | {step: contact_import.undo_done.get(step, 0) + taken.count}
    left = Counter(contact_import.undo_left) + taken.left  # which drops what is nought
    changes: dict[str, Any] = {"undo_done": done, "undo_left": dict(left)}
    if taken.cursor is not None:
        return {**changes, "undo_cursor": taken.cursor}
    following = {UndoStep.CONSENT: UndoStep.PLACES, UndoStep.PLACES: UndoStep.PEOPLE}.get(UndoStep(step))
    if following:
        changes |= {"undo_step": following, "undo_cursor": contact_import.marks.get(following, 0)}
    return changes


def _take_back_consent(contact_import: ContactImport, now: datetime) -> _Taken:
    claims = ConsentEvent.objects.filter(
        kind=EventKind.IMPORT, actor=contact_import.ref, seq__gt=contact_import.undo_cursor
    ).order_by("seq")[:BATCH]
    claimed = {event.subscriber_key: event for event in claims}
    if not claimed:
        return _Taken(None)
    taken = _Taken(max(event.seq for event in claimed.values()))
    rows = Contact.objects.filter(bulk_sql.among("subscriber_key", claimed)).order_by("id")
    list(rows.select_for_update(no_key=True).values_list("id"))
    histories = settling.events_of(claimed)
    new: dict[str, ConsentEvent] = {}
    for key, claim in claimed.items():
        if any(event.kind == EventKind.RETRACT and event.actor == claim.actor for event in histories[key]):
            continue
        if any(_confirms(event, claim) for event in histories[key]):
            taken.left[CONFIRMED] += 1
            continue
        new[key] = _retraction(claim, now=now)
    taken.events, taken.count = list(new.values()), len(new)
    chain.reserve(taken.events)
    settling.settle({key: [*histories[key], event] for key, event in new.items()})
    return taken


def _confirms(event: ConsentEvent, claim: ConsentEvent) -> bool:
    """The person's own second yes to it: it rests on more than the import's word."""
    is_of_it = event.brand_id == claim.brand_id and set(event.purposes) & set(claim.purposes)
    return event.kind == EventKind.CONFIRM and event.seq > claim.seq and bool(is_of_it)


def _retraction(claim: ConsentEvent, *, now: datetime) -> ConsentEvent:
    return ConsentEvent(
        subscriber_key=claim.subscriber_key,
        brand_id=claim.brand_id,
        purposes=claim.purposes,
        kind=EventKind.RETRACT.value,
        occurred_at=now,
        recorded_at=now,
        source=ConsentSource.IMPORT.value,
        actor=claim.actor,
    )


def _take_back_places(contact_import: ContactImport, now: datetime) -> _Taken:
    made = ListMembership.objects.filter(added_import=contact_import.pk, pk__gt=contact_import.undo_cursor)
    places = list(made.order_by("pk").values_list("pk", "contact__legal_hold")[:BATCH])
    if not places:
        return _Taken(None)
    free = [pk for pk, hold in places if not hold]
    taken = _Taken(places[-1][0], ListMembership.objects.filter(pk__in=free).delete()[0])
    taken.left[UNDER_HOLD] = len(places) - len(free)
    return taken


def _take_back_people(contact_import: ContactImport, now: datetime) -> _Taken:
    added = Contact.objects.filter(created_import=contact_import.pk, pk__gt=contact_import.undo_cursor)
    # Locked first and looked at then: whoever had to do with one of them before is seen, whoever comes later waits.
    ids = list(added.order_by("pk").select_for_update().values_list("pk", flat=True)[:BATCH])
    if not ids:
        return _Taken(None)
    taken, free = _Taken(ids[-1]), {}
    for pk, key, why in _bound(ids, contact_import=contact_import):
        if why:
            taken.left[f"Person: {why}"] += 1
        else:
            free[pk] = key
    # Nothing was ever sent on it; it names the person, and nobody would find it any more.
    claims = ConsentEvent.objects.filter(bulk_sql.among("subscriber_key", free.values()), actor=contact_import.ref)
    ConsentEvidence.objects.filter(event__in=list(claims.values_list("pk", flat=True))).delete()
    Contact.objects.filter(pk__in=list(free)).delete()
    taken.count = len(free)
    return taken


def _bound(ids: Sequence[int], *, contact_import: ContactImport) -> list[tuple[int, str, str]]:
    """Id, subscriber key, and the first reason why the person must stay ("": none)."""
    assert contact_import.started_at is not None
    since = contact_import.started_at - _CLOCKS_DIFFER
    traces = [pair for part in holdings.parts() for pair in part.traces(contact_import, since=since).items()]
    asked = {
        f"trace_{number}": ExpressionWrapper(condition, output_field=BooleanField())
        for number, (_, condition) in enumerate(traces)
    }
    rows = Contact.objects.filter(pk__in=ids).annotate(**asked).values_list("pk", "subscriber_key", *asked)
    return [
        (pk, key, next((why for (why, _), is_so in zip(traces, found, strict=True) if is_so), ""))
        for pk, key, *found in rows
    ]


_STEPS: Mapping[str, Callable[[ContactImport, datetime], _Taken]] = {
    UndoStep.CONSENT: _take_back_consent,
    UndoStep.PLACES: _take_back_places,
    UndoStep.PEOPLE: _take_back_people,
}


def _refusal(contact_import: ContactImport, *, now: datetime) -> WrongState:
    contact_import.refresh_from_db()
    ended_at = contact_import.finished_at
    if contact_import.state in _ENDED and contact_import.started_at and ended_at and ended_at <= now - WITHIN:
        return WrongState(
            "too_late_to_undo",
            "This import ended more than a day ago.",
            field="state",
            value=contact_import.state,
            cure="Remove people one by one, or from the list it filled.",
        )
    return WrongState(
        "wrong_import_state",
        f"An import that is {contact_import.get_state_display().lower()} cannot be undone.",
        field="state",
        value=contact_import.state,
        cure="Only one that was started and has ended can. Reload the page to see where it stands.",
    )
