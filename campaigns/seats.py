"""Which gateway accounts a process's threads are at work for: one that hangs must not have them all.

A call lasts up to ten seconds. Where more than one account has something to send, each leaves a thread to the
others, and one whose calls are slow leaves half of them.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

SLOW = 2.0  # seconds from which on a batch of an account counts as slow
REMEMBERED = 60.0  # seconds since an account last had something to send


class Seats:
    """Shared by the threads of one drain."""

    def __init__(self, threads: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: dict[int, list[float]] = {}
        self._slow_until: dict[int, float] = {}
        self._seen: dict[int, float] = {}

    def seen(self, account_ids: Collection[int]) -> None:
        """These have something to send."""
        now = self._clock()
        with self._lock:
            self._seen |= dict.fromkeys(account_ids, now)
            self._seen = {one: at for one, at in self._seen.items() if now - at < REMEMBERED}

    def is_free(self, account_id: int) -> bool:
        with self._lock:
            return self._is_free(account_id, now=self._clock())

    @contextmanager
    def taken(self, account_id: int) -> Iterator[bool]:
        """A batch of the account; False where meanwhile others have taken all it may have."""
        now = self._clock()
        with self._lock:
            is_free = self._is_free(account_id, now=now)
            if is_free:
                self._begun.setdefault(account_id, []).append(now)
        try:
            yield is_free
        finally:
            if is_free:
                self._give_back(account_id, now)

    def _give_back(self, account_id: int, begun: float) -> None:
        now = self._clock()
        with self._lock:
            self._begun[account_id].remove(begun)
            if now - begun > SLOW:
                self._slow_until[account_id] = now + REMEMBERED

    def _is_free(self, account_id: int, *, now: float) -> bool:
        busy = self._begun.get(account_id, [])
        if not any(other != account_id for other in self._seen):
            return True
        is_slow = now < self._slow_until.get(account_id, 0.0) or any(now - at > SLOW for at in busy)
        most = self._threads // 2 if is_slow else self._threads - 1
        return len(busy) < max(1, most)
