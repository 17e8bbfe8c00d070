"""Three batches of an import are written at once and committed in the order of the file.

On PostgreSQL each hand has a connection of its own, so both cores of a small machine have something to do. The turn
of a batch comes when the one before it is committed. It waits for that inside the database, on a lock that ends
with the other's transaction: who waits for whom is known there, and a circle through others is found and broken.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle

from django.db import OperationalError, connection, connections

from contacts.import_batches import Batch
from contacts.models import ContactImport

_BEGUN_WITHIN = 2.0  # seconds
HANDS = 3  # one computes while two wait for the database


class Turn:
    """A batch that nobody is before or beside."""

    @property
    def has_come(self) -> bool:
        """Whether it is known what became of the batch before."""
        return True

    def begin(self) -> None:
        """The first statement of the batch's transaction."""

    def wait(self) -> None:
        """Inside the transaction, until that of the batch before is over, well or not."""

    def learn(self) -> None:
        """Outside of any transaction: wait until the batch before is taken, or raise what kept it from being."""


class _Following(Turn):
    """A batch behind another that may still be written."""

    def __init__(
        self, contact_import: ContactImport, batch: Batch, *, names: frozenset[str], before: "_Following | None"
    ) -> None:
        name = f"{contact_import.ref} {batch.begin}"
        self._key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
        self._before = before
        self._has_begun = threading.Event()
        self.names = names
        self.done: Future[None] = Future()

    @property
    def has_come(self) -> bool:
        return self._before is None or self._before.done.done()

    def begin(self) -> None:
        with connection.cursor() as cursor:
            # Of tables that are only now being filled nothing is known yet, and the planner would rather read all
            # of them than look a batch of keys up.
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s), set_config('enable_seqscan', 'off', true)", [self._key]
            )
        self._has_begun.set()

    def wait(self) -> None:
        if self._before:
            if not (self._before._has_begun.wait(_BEGUN_WITHIN) or self._before.done.done()):
                raise OperationalError("The batch before has not begun.")  # the database does not see this wait
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [self._before._key])

    def learn(self) -> None:
        if self._before:
            self._before.done.result()

    def do(self, write: Callable[[], None]) -> None:
        try:
            write()
        except BaseException as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)
        self._before = None


Write = Callable[[Batch, Turn], None]
Give = Callable[[Batch], None]


@contextmanager
def hands(contact_import: ContactImport, write: Write) -> Iterator[Give]:
    """Batches given to what is yielded, in the order of the file, have all been written at the end of the block.

    Raises, there or at a later batch, what writing one raised; those behind it are then not written.
    """
    # Inside a transaction another connection would see another state; SQLite has one writer at a time.
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield lambda batch: write(batch, Turn())
        return
    some = _Hands(contact_import, write)
    try:
        yield some.give
        some.finish()
    finally:
        some.close()


class _Hands:
    def __init__(self, contact_import: ContactImport, write: Write) -> None:
        self._contact_import, self._write = contact_import, write
        self._hands = [ThreadPoolExecutor(max_workers=1) for _ in range(HANDS)]
        self._next = cycle(self._hands)
        self._at_work: deque[_Following] = deque()

    def give(self, batch: Batch) -> None:
        names = _names(batch)
        # One that names the same phone or external id has to see what became of it.
        while len(self._at_work) == HANDS or any(not turn.names.isdisjoint(names) for turn in self._at_work):
            self._at_work.popleft().done.result()
        before = self._at_work[-1] if self._at_work else None
        turn = _Following(self._contact_import, batch, names=names, before=before)
        self._at_work.append(turn)
        next(self._next).submit(turn.do, lambda: self._write(batch, turn))

    def finish(self) -> None:
        while self._at_work:
            self._at_work.popleft().done.result()

    def close(self) -> None:
        for hand in self._hands:
            hand.submit(connections.close_all)  # each thread has its own
        for hand in self._hands:
            hand.shutdown()


def _names(batch: Batch) -> frozenset[str]:
    phones = {person.phone.subscriber_key for person in batch.people}
    return frozenset(phones.union(p.fields["external_id"] for p in batch.people if "external_id" in p.fields))
