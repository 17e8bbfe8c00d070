"""The file of an import in batches of records: what the import takes in one transaction, and its dry run too."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from django.db import connection

from contacts import mapping, reading, uploads
from contacts.models import ContactImport, ImportProblem

# Records. SQLite writes whole pages, and the more rows a transaction has, the more of them share one; whoever else
# writes waits for it, about 0.3 s at a million contacts.
BATCH = 3_000 if connection.vendor == "sqlite" else 1_500


@dataclass(slots=True)
class Batch:
    begin: int
    end: int
    end_line: int
    people: list[mapping.Person] = field(default_factory=list)
    problems: list[mapping.Problem] = field(default_factory=list)
    invalid: int = 0


def records(contact_import: ContactImport, *, offset: int, line: int) -> Iterator[reading.Record]:
    """What is to be read from this offset on, which follows physical line `line`."""
    return reading.records(
        uploads.pieces(contact_import, offset=offset),
        encoding=contact_import.encoding,
        delimiter=contact_import.delimiter,
        offset=offset,
        line=line,
    )


def reader(contact_import: ContactImport) -> mapping.Reader:
    return mapping.Reader(
        contact_import.mapping, header=contact_import.header, default_country=contact_import.default_country
    )


def batches(contact_import: ContactImport, *, offset: int, line: int) -> Iterator[Batch]:
    """While the database works on one batch, a thread makes the next one's records into people.

    The thread only computes. What it is given is read here, by whoever asks, on their connection.
    """
    rows, take = records(contact_import, offset=offset, line=line), reader(contact_import)
    ahead: Future[Batch] | None = None
    with ThreadPoolExecutor(max_workers=1) as beside:
        while some := _next(rows):
            following = beside.submit(_batch, some, begin=offset, take=take)
            offset = some[-1].end
            if ahead:
                yield ahead.result()
            ahead = following
        if ahead:
            yield ahead.result()


def _next(rows: Iterator[reading.Record]) -> list[reading.Record]:
    """The next records, up to a stretch of blank lines: however long such a stretch, the import gets on in it."""
    some: list[reading.Record] = []
    for record in islice(rows, BATCH):
        some.append(record)
        if record.is_blank:
            break
    return some


def _batch(rows: Sequence[reading.Record], *, begin: int, take: mapping.Reader) -> Batch:
    batch = Batch(begin, rows[-1].end, rows[-1].end_line)
    for record in rows:
        if record.is_blank:
            continue
        outcome = take.read(record)
        batch.problems.extend(outcome.problems)
        if outcome.person:
            batch.people.append(outcome.person)
        else:
            batch.invalid += 1
    return batch


def note(contact_import: ContactImport, problems: Sequence[mapping.Problem]) -> None:
    rows = [
        ImportProblem(contact_import=contact_import, line=p.line, column=p.column, value=p.value, reason=p.reason)
        for p in problems
    ]
    # One cell may have two (a left-out value in a line whose phone is opted out never shares its column, but a
    # phone may be repeated and suppressed): the first says enough.
    ImportProblem.objects.bulk_create(rows, ignore_conflicts=True)
