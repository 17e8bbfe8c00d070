"""An import from upload to report.

The right to work is a lease on the import's row. A batch of records is one transaction: contacts, list, consent,
problems, and the offset behind the batch; the offset's own UPDATE names the token and where the batch began, so a
worker that was killed or froze in the middle leaves nothing, and no record is ever taken twice.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import F, Max, QuerySet

from contacts import chain, claims, consent, import_batches, import_hands, import_lease, mapping, merging
from contacts.models import (
    Brand,
    Contact,
    ContactImport,
    ContactList,
    ImportState,
    ListMembership,
)
from smsdesk import clock, failpoints, phones, processes, transitions, wakeups
from smsdesk.errors import Invalid, WrongState

KEPT_WAITING = timedelta(days=7)  # an uploaded file nobody starts
UPLOAD_TAKES_AT_MOST = timedelta(days=1)
ATTEMPTS = 3
RUN = "contacts.tasks.run_import"
_NOT_STARTED = (ImportState.UPLOADED, ImportState.READY, ImportState.CHECKING)
# What a dry run said of other columns says nothing of these.
_WITHOUT_CHECK: dict[str, object] = {"forecast": {}, "checked_at": None, "token": None, "lease_until": None}


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
        "default_country": country(default_country),
        **claims.recorded(claim, now=now),
        **_WITHOUT_CHECK,
    }
    if not transitions.move_one(contact_import, origins=_NOT_STARTED, to=ImportState.READY, changes=changes):
        raise _wrong_state(contact_import, "changed")


def country(code: str) -> str:
    """In whose way numbers without + are read; raises `Invalid` for one there is not."""
    if not phones.is_country(code.strip().upper()):
        raise Invalid(
            "invalid_country",
            "No country has this code.",
            field="default_country",
            value=code[:40],
            cure="Use the two letters of ISO 3166, for example: US",
        )
    return code.strip().upper()


def start(contact_import: ContactImport, *, now: datetime) -> None:
    with transaction.atomic():
        if not transitions.move_one(
            contact_import,
            origins=[ImportState.READY, ImportState.CHECKING],
            to=ImportState.RUNNING,
            changes={"started_at": now, "marks": _marks(), "token": None, "lease_until": None},
        ):
            raise _wrong_state(contact_import, "started")
        contact_import.problems.all().delete()  # those a dry run foresaw
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
    origins = [*_NOT_STARTED, ImportState.RUNNING, ImportState.FAILED]
    with transaction.atomic():
        if not transitions.move_one(
            contact_import, origins=origins, to=ImportState.CANCELLED, changes={"finished_at": now, "token": None}
        ):
            raise _wrong_state(contact_import, "cancelled")
        contact_import.chunks.all().delete()
        if contact_import.started_at is None:
            contact_import.problems.all().delete()  # those a dry run foresaw: they quote the file


def discard_abandoned(*, now: datetime) -> int:
    """Files nobody imported: they hold personal data and must not lie about. How many were discarded."""
    ContactImport.objects.filter(sha256="", created_at__lt=now - UPLOAD_TAKES_AT_MOST).delete()
    waiting = ContactImport.objects.filter(state__in=_NOT_STARTED, created_at__lt=now - KEPT_WAITING)
    for contact_import in waiting:
        cancel(contact_import, now=now)
    return len(waiting)


def run(import_id: int, *, seconds: float = import_lease.RUN_SECONDS) -> bool:
    """Work on an import for about `seconds`; True when its successor should go on."""
    token = uuid.uuid4()
    contact_import = import_lease.win(import_id, state=ImportState.RUNNING, token=token)
    if contact_import is None:
        return False
    with processes.old_objects_uncollected(), processes.threads_taking_short_turns():
        return _work(contact_import, token=token, seconds=seconds)


def _work(contact_import: ContactImport, *, token: uuid.UUID, seconds: float) -> bool:
    elapsed, is_over = clock.Elapsed(), False

    def write(batch: import_batches.Batch, turn: import_hands.Turn) -> None:
        _write_persistently(contact_import, batch, turn=turn, token=token)

    try:
        with import_hands.hands(contact_import, write) as give:
            for batch in import_batches.batches(
                contact_import, offset=contact_import.offset, line=contact_import.line
            ):
                give(batch)
                if is_over := elapsed.seconds() >= seconds:
                    break
        if is_over:
            return import_lease.hand_back(contact_import.pk, state=ImportState.RUNNING, token=token)
        _finish(contact_import.pk, token=token)
    except import_lease.Lost:
        return False
    except (IntegrityError, DataError) as error:
        _fail(contact_import.pk, token=token, reason=f"The database refused a batch: {type(error).__name__}.")
    return False


def _write_persistently(
    contact_import: ContactImport, batch: import_batches.Batch, *, turn: import_hands.Turn, token: uuid.UUID
) -> None:
    """Somebody may add the same phone or hold its lock at this very moment: that passes."""
    for attempt in range(1, ATTEMPTS + 1):
        had_come = turn.has_come
        try:
            return _write(contact_import, batch, turn=turn, token=token)
        except import_lease.Lost:
            if had_come:
                raise
            turn.learn()  # the batch before was taken back, and perhaps written again since
        except (IntegrityError, OperationalError):
            if not had_come:
                turn.learn()  # the one before is slow: waiting for it in here knows no time limit
            elif attempt == ATTEMPTS:
                raise
    raise import_lease.Lost


def _write(
    contact_import: ContactImport, batch: import_batches.Batch, *, turn: import_hands.Turn, token: uuid.UUID
) -> None:
    with transaction.atomic():
        turn.begin()
        failpoints.hit("import.row")
        now = clock.database_now()
        merged = merging.merge(batch.people, contact_import=contact_import, now=now, in_turn=turn.wait)
        import_batches.note(contact_import, [*batch.problems, *merged.problems])
        claimed = consent.prepare_import(merged.taken, contact_import=contact_import, now=now)
        turn.wait()
        taken = _held(contact_import.pk, token=token).filter(offset=batch.begin)
        moved = taken.update(
            offset=batch.end,
            line=batch.end_line,
            created=F("created") + merged.created,
            updated=F("updated") + merged.updated,
            duplicate=F("duplicate") + merged.duplicate,
            invalid=F("invalid") + batch.invalid + merged.invalid,
            suppressed=F("suppressed") + merged.suppressed,
            consents=F("consents") + (len(claimed.ids) if claimed else 0),
            lease_until=now + import_lease.LEASE,
        )
        if not moved:
            raise import_lease.Lost
        if claimed:
            claimed.append()  # last, because it locks the ledger's head, for which a STOP may be waiting
    # Ours in memory keeps up, roughly: the next batch sees in it what kind of file this is.
    contact_import.updated += merged.updated
    contact_import.duplicate += merged.duplicate


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
