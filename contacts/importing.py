"""An import from upload to report.

The right to work is a lease on the import's row. A batch of records is one transaction: contacts, list, consent,
problems, and the offset behind the batch; the offset's own UPDATE names the token and where the batch began, so a
worker that was killed or froze in the middle leaves nothing, and no record is ever taken twice.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import F, Max, QuerySet

from contacts import chain, claims, consent, fields, import_lease, mapping, merging, reading, uploads
from contacts.models import (
    Brand,
    Contact,
    ContactImport,
    ContactList,
    ImportProblem,
    ImportState,
    ListMembership,
)
from smsdesk import clock, transitions, wakeups
from smsdesk.errors import WrongState

KEPT_WAITING = timedelta(days=7)  # an uploaded file nobody starts
UPLOAD_TAKES_AT_MOST = timedelta(days=1)
BATCH = 1_000
ATTEMPTS = 3
RUN = "contacts.tasks.run_import"


@dataclass(slots=True)
class _Batch:
    begin: int
    end: int
    end_line: int
    people: list[mapping.Person] = field(default_factory=list)
    problems: list[mapping.Problem] = field(default_factory=list)
    invalid: int = 0


def configure(
    contact_import: ContactImport,
    *,
    columns: Mapping[str, str],
    brand: Brand,
    contact_list: ContactList | None,
    default_country: str,
    claim: claims.Claim | None,
    now: datetime,
) -> None:
    """Say how the file is to be read and what consent it carries; None claims none."""
    if not contact_import.sha256:
        raise WrongState("upload_incomplete", "The upload did not finish.", cure="Upload the file again.")
    changes = {
        "mapping": mapping.check(columns, header=contact_import.header),
        "brand": brand,
        "list": contact_list,
        "default_country": fields.country(default_country),
        **claims.recorded(claim, now=now),
    }
    origins = [ImportState.UPLOADED, ImportState.READY]
    if not transitions.move_one(contact_import, origins=origins, to=ImportState.READY, changes=changes):
        raise _wrong_state(contact_import, "changed")


def start(contact_import: ContactImport, *, now: datetime) -> None:
    with transaction.atomic():
        if not transitions.move_one(
            contact_import,
            origins=[ImportState.READY],
            to=ImportState.RUNNING,
            changes={"started_at": now, "marks": _marks()},
        ):
            raise _wrong_state(contact_import, "started")
        wakeups.wake(RUN, contact_import.pk)


def _marks() -> dict[str, int]:
    """Everything the import will write lies behind these; undoing it begins there."""
    return {
        "events": chain.anchor()[0],
        "places": ListMembership.objects.aggregate(last=Max("pk"))["last"] or 0,
        "people": Contact.objects.aggregate(last=Max("pk"))["last"] or 0,
    }


def resume(contact_import: ContactImport) -> None:
    """Go on behind the last batch that was taken."""
    with transaction.atomic():
        changes = {"failure": "", "token": None, "lease_until": None}
        if not transitions.move_one(
            contact_import, origins=[ImportState.FAILED], to=ImportState.RUNNING, changes=changes
        ):
            raise _wrong_state(contact_import, "resumed")
        wakeups.wake(RUN, contact_import.pk)


def cancel(contact_import: ContactImport, *, now: datetime) -> None:
    """Stop within one batch; what is imported stays."""
    origins = [ImportState.UPLOADED, ImportState.READY, ImportState.RUNNING, ImportState.FAILED]
    with transaction.atomic():
        if not transitions.move_one(
            contact_import, origins=origins, to=ImportState.CANCELLED, changes={"finished_at": now, "token": None}
        ):
            raise _wrong_state(contact_import, "cancelled")
        contact_import.chunks.all().delete()


def discard_abandoned(*, now: datetime) -> int:
    """Files nobody imported: they hold personal data and must not lie about. How many were discarded."""
    ContactImport.objects.filter(sha256="", created_at__lt=now - UPLOAD_TAKES_AT_MOST).delete()
    waiting = ContactImport.objects.filter(
        state__in=[ImportState.UPLOADED, ImportState.READY], created_at__lt=now - KEPT_WAITING
    )
    for contact_import in waiting:
        cancel(contact_import, now=now)
    return len(waiting)


def run(import_id: int, *, seconds: float = import_lease.RUN_SECONDS) -> bool:
    """Work on an import for about `seconds`; True when its successor should go on."""
    token = uuid.uuid4()
    contact_import = import_lease.win(import_id, state=ImportState.RUNNING, token=token)
    if contact_import is None:
        return False
    elapsed = clock.Elapsed()
    try:
        for batch in _batches(contact_import):
            _write_persistently(contact_import, batch, token=token)
            if elapsed.seconds() >= seconds:
                return import_lease.hand_back(import_id, state=ImportState.RUNNING, token=token)
        _finish(import_id, token=token)
    except import_lease.Lost:
        return False
    except (IntegrityError, DataError) as error:
        _fail(import_id, token=token, reason=f"The database refused a batch: {type(error).__name__}.")
    return False


def records(contact_import: ContactImport) -> Iterator[reading.Record]:
    """What is still to be read, from the saved offset on."""
    return reading.records(
        uploads.pieces(contact_import, offset=contact_import.offset),
        encoding=contact_import.encoding,
        delimiter=contact_import.delimiter,
        offset=contact_import.offset,
        line=contact_import.line,
    )


def reader(contact_import: ContactImport) -> mapping.Reader:
    return mapping.Reader(
        contact_import.mapping, header=contact_import.header, default_country=contact_import.default_country
    )


def _batches(contact_import: ContactImport) -> Iterator[_Batch]:
    rows, take = records(contact_import), reader(contact_import)
    begin = contact_import.offset
    while some := list(islice(rows, BATCH)):
        batch = _Batch(begin, some[-1].end, some[-1].end_line)
        for record in some:
            outcome = take.read(record)
            batch.problems.extend(outcome.problems)
            if outcome.person:
                batch.people.append(outcome.person)
            else:
                batch.invalid += 1
        yield batch
        begin = batch.end


def _write_persistently(contact_import: ContactImport, batch: _Batch, *, token: uuid.UUID) -> None:
    """Somebody may add the same phone or hold its lock at this very moment: that passes."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _write(contact_import, batch, token=token)
        except (IntegrityError, OperationalError):
            if attempt == ATTEMPTS:
                raise


def _write(contact_import: ContactImport, batch: _Batch, *, token: uuid.UUID) -> None:
    with transaction.atomic():
        now = clock.database_now()
        merged = merging.merge(batch.people, contact_import=contact_import, now=now)
        _note(contact_import, [*batch.problems, *merged.problems])
        taken = _held(contact_import.pk, token=token).filter(offset=batch.begin)
        moved = taken.update(
            offset=batch.end,
            line=batch.end_line,
            created=F("created") + merged.created,
            updated=F("updated") + merged.updated,
            duplicate=F("duplicate") + merged.duplicate,
            invalid=F("invalid") + batch.invalid + merged.invalid,
            suppressed=F("suppressed") + merged.suppressed,
            lease_until=now + import_lease.LEASE,
        )
        if not moved:
            raise import_lease.Lost
        if contact_import.purpose:
            # Last, because it locks the ledger's head, for which a STOP may be waiting.
            consent.record_import(merged.taken, contact_import=contact_import, now=now)


def _note(contact_import: ContactImport, problems: Sequence[mapping.Problem]) -> None:
    rows = [
        ImportProblem(contact_import=contact_import, line=p.line, column=p.column, value=p.value, reason=p.reason)
        for p in problems
    ]
    # One cell may have two (a left-out value in a line whose phone is opted out never shares its column, but a
    # phone may be repeated and suppressed): the first says enough.
    ImportProblem.objects.bulk_create(rows, ignore_conflicts=True)


def _held(import_id: int, *, token: uuid.UUID) -> "QuerySet[ContactImport]":
    return import_lease.held(import_id, state=ImportState.RUNNING, token=token)


def _finish(import_id: int, *, token: uuid.UUID) -> None:
    with transaction.atomic():
        changes = {"finished_at": clock.database_now(), "offset": F("size"), "token": None, "lease_until": None}
        done = _held(import_id, token=token)
        if transitions.move(done, origins=[ImportState.RUNNING], to=ImportState.FINISHED, changes=changes):
            # The rows are contacts now; the file with its personal data need not stay.
            ContactImport.objects.get(pk=import_id).chunks.all().delete()


def _fail(import_id: int, *, token: uuid.UUID, reason: str) -> None:
    changes = {"failure": reason, "token": None, "lease_until": None}
    held = _held(import_id, token=token)
    transitions.move(held, origins=[ImportState.RUNNING], to=ImportState.FAILED, changes=changes)


def _wrong_state(contact_import: ContactImport, verb: str) -> WrongState:
    return WrongState(
        "wrong_import_state",
        f"An import that is {contact_import.get_state_display().lower()} cannot be {verb}.",
        field="state",
        value=contact_import.state,
        cure="Reload the page to see where it stands.",
    )
