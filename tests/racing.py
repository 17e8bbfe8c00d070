"""Jobs that run at the same moment, each in a thread and on a connection of its own."""

import threading
import time
from collections.abc import Callable

from django.db import connection

PATIENCE = 60  # seconds for all to come to the line


def rounds(count: int, *jobs: Callable[[int], object]) -> list[Exception]:
    """Do `count` rounds; in each, all jobs are let go together with the round's number. The errors they raised."""
    line = threading.Barrier(len(jobs))
    errors: list[Exception] = []

    def run(job: Callable[[int], object]) -> None:
        try:
            connection.ensure_connection()  # not part of the race
            if connection.vendor == "postgresql":
                # Who wins is what is asked here, not whether the machine stood still while somebody had the lock.
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '30s'; SET statement_timeout = '60s'")
            for number in range(count):
                line.wait(PATIENCE)
                try:
                    job(number)
                except Exception as error:
                    errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def at_once(*jobs: Callable[[], object]) -> list[Exception]:
    return rounds(1, *[lambda _, job=job: job() for job in jobs])


def wait_for_lock_waits(waiters: int = 1) -> None:
    """Until so many connections to this database wait for a lock; other tests have databases of their own."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            # Not by pg_stat_activity: a transaction goes on seeing it as it was at its first look.
            cursor.execute(
                "SELECT COUNT(DISTINCT w.pid) FROM pg_locks w WHERE NOT w.granted AND EXISTS ("
                "SELECT 1 FROM pg_locks h JOIN pg_database d ON d.oid = h.database "
                "WHERE h.pid = w.pid AND d.datname = current_database())"
            )
            if cursor.fetchone()[0] >= waiters:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits for a lock")
