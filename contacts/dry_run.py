"""An import tried over the whole file: counted by outcome, nothing of it written.

Works like the import itself (`contacts/importing.py`): a lease, batches of one transaction with the place they
came to, resumed after a crash, stopped by moving the row on.
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence

from django.db import OperationalError, transaction

from contacts import foreseeing, import_batches, import_lease
from contacts.foreseeing import Met
from contacts.mapping import Person, Problem
from contacts.models import ContactImport, ImportMark, ImportState
from smsdesk import bulk_sql, clock, transitions, wakeups
from smsdesk.errors import WrongState

RUN = "contacts.tasks.check_import"
SMALL = 65_536  # bytes of a file that is tried at once, while somebody waits for the page
WAIT = 2.0  # seconds they wait at most
KEPT_PROBLEMS = 1_000
ATTEMPTS = 3
_FORGOTTEN_AT_ONCE = 10_000


def start(contact_import: ContactImport) -> None:
    """Try it from the beginning. Raises `WrongState` unless it is ready."""
    changes = {
        "check_id": uuid.uuid4(),
        "check_offset": contact_import.offset,
        "check_line": contact_import.line,
        "forecast": {},
        "checked_at": None,
        "token": None,
        "lease_until": None,
    }
    origins = [ImportState.READY, ImportState.CHECKING]
    with transaction.atomic():
        if not transitions.move_one(contact_import, origins=origins, to=ImportState.CHECKING, changes=changes):
            raise _wrong_state(contact_import, "tried")
        contact_import.problems.all().delete()
        wakeups.wake(RUN, contact_import.pk)


def start_and_wait(contact_import: ContactImport) -> None:
    """Like `start`; a small file is done when this returns."""
    start(contact_import)
    if contact_import.size <= SMALL and run(contact_import.pk, seconds=WAIT):
        wakeups.wake(RUN, contact_import.pk)
    contact_import.refresh_from_db()


def cancel(contact_import: ContactImport) -> None:
    """Stop within one batch; what was counted until then stays on the page."""
    changes = {"token": None, "lease_until": None}
    if not transitions.move_one(
        contact_import, origins=[ImportState.CHECKING], to=ImportState.READY, changes=changes
    ):
        raise _wrong_state(contact_import, "stopped")


def run(import_id: int, *, seconds: float = import_lease.RUN_SECONDS) -> bool:
    """Work on a dry run for about `seconds`; True when its successor should go on."""
    token = uuid.uuid4()
    contact_import = import_lease.win(import_id, state=ImportState.CHECKING, token=token)
    if contact_import is None:
        return False
    elapsed = clock.Elapsed()
    try:
        for batch in import_batches.batches(
            contact_import, offset=contact_import.check_offset, line=contact_import.check_line
        ):
            _count_persistently(contact_import, batch, token=token)
            if elapsed.seconds() >= seconds:
                return import_lease.hand_back(import_id, state=ImportState.CHECKING, token=token)
        held = import_lease.held(import_id, state=ImportState.CHECKING, token=token)
        changes = {"checked_at": clock.database_now(), "token": None, "lease_until": None}
        transitions.move(held, origins=[ImportState.CHECKING], to=ImportState.READY, changes=changes)
    except import_lease.Lost:
        pass
    return False


def forget(*, seconds: float = 5.0) -> None:
    """Remove what dry runs that are over have met, for at most about `seconds`."""
    elapsed = clock.Elapsed()
    while elapsed.seconds() < seconds:
        over = ImportMark.objects.exclude(contact_import__state=ImportState.CHECKING)
        ids = list(over.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])
        if not ids:
            return
        ImportMark.objects.filter(pk__in=ids).delete()


def _count_persistently(contact_import: ContactImport, batch: import_batches.Batch, *, token: uuid.UUID) -> None:
    for _ in range(ATTEMPTS - 1):
        try:
            return _count(contact_import, batch, token=token)
        except OperationalError:  # SQLite is busy: that passes
            pass
    return _count(contact_import, batch, token=token)


def _count(contact_import: ContactImport, batch: import_batches.Batch, *, token: uuid.UUID) -> None:
    with transaction.atomic():
        now = clock.database_now()
        met = _met(contact_import, batch.people)
        fates = foreseeing.foresee(batch.people, contact_import=contact_import, met=met, now=now)
        if batch.end < contact_import.size:
            _remember(contact_import, batch.people, fates)
        counts = _added(contact_import.forecast, fates, invalid=batch.invalid)
        problems = [*batch.problems, *(problem for fate in fates for problem in fate.problems)]
        room = KEPT_PROBLEMS - contact_import.forecast.get("remarks", 0)
        counts["remarks"] += len(problems)
        if room > 0:
            import_batches.note(contact_import, sorted(problems, key=_line)[:room])
        held = import_lease.held(contact_import.pk, state=ImportState.CHECKING, token=token)
        moved = held.filter(check_offset=batch.begin).update(
            check_offset=batch.end,
            check_line=batch.end_line,
            forecast=dict(counts),
            lease_until=now + import_lease.LEASE,
        )
        if not moved:
            raise import_lease.Lost
    contact_import.forecast = dict(counts)


def _line(problem: Problem) -> int:
    return problem.line


def _added(forecast: Mapping[str, int], fates: Sequence[foreseeing.Fate], *, invalid: int) -> Counter[str]:
    counts = Counter(forecast)
    counts.update(fate.outcome for fate in fates)
    counts["invalid"] += invalid
    counts["suppressed"] += sum(fate.is_suppressed for fate in fates)
    counts["consents"] += sum(fate.brings_consent for fate in fates)
    return counts


def _met(contact_import: ContactImport, people: Sequence[Person]) -> Met:
    keys = {person.phone.subscriber_key for person in people}
    ids = {person.fields["external_id"] for person in people if "external_id" in person.fields}
    asked = {"phone": keys, "id": ids, "freed": ids}
    marks = {_mark(contact_import, kind, word): (kind, word) for kind, words in asked.items() for word in words}
    rows = ImportMark.objects.filter(contact_import=contact_import, mark__in=list(marks))
    found = [marks[mark] for mark in rows.values_list("mark", flat=True)]
    phones, external_ids, freed = (frozenset(word for of, word in found if of == kind) for kind in asked)
    return Met(phones, external_ids, freed)


def _remember(contact_import: ContactImport, people: Sequence[Person], fates: Sequence[foreseeing.Fate]) -> None:
    taken = [(person, fate) for person, fate in zip(people, fates, strict=True) if fate.is_taken]
    words = [("phone", person.phone.subscriber_key) for person, _ in taken]
    words += [("id", person.fields["external_id"]) for person, _ in taken if "external_id" in person.fields]
    words += [("freed", fate.frees) for _, fate in taken if fate.frees]
    rows = [(contact_import.pk, mark) for mark in sorted({_mark(contact_import, *word) for word in words})]
    bulk_sql.insert_missing_rows(ImportMark, columns=("contact_import", "mark"), rows=rows, returning=("id",))


def _mark(contact_import: ContactImport, kind: str, word: str) -> int:
    assert contact_import.check_id is not None
    digest = hashlib.blake2b(f"{kind} {word}".encode(), digest_size=8, key=contact_import.check_id.bytes)
    return int.from_bytes(digest.digest(), signed=True)


def _wrong_state(contact_import: ContactImport, verb: str) -> WrongState:
    return WrongState(
        "wrong_import_state",
        f"An import that is {contact_import.get_state_display().lower()} cannot be {verb}.",
        field="state",
        value=contact_import.state,
        cure="Reload the page to see where it stands.",
    )
