"""Jobs that run at the same moment, each in a thread and on a connection of its own."""

import threading
from collections.abc import Callable

from django.db import connection

PATIENCE = 60  # seconds for all to come to the line


def rounds(count: int, *jobs: Callable[[int], object]) -> list[Exception]:
    """Do `count` rounds; in each, all jobs are let go together with the round's number. The errors they raised."""
    line = threading.Barrier(len(jobs))
    errors: list[Exception] = []

    def run(job: Callable[[int], object]) -> None:
        connection.ensure_connection()  # not part of the race
        try:
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
