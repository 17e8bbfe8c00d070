"""Does what the worker does with a started import, task after task, until it is finished."""

import json
import sys

import django

django.setup()

from contacts import importing  # noqa: E402
from contacts.models import ConsentEvent, ConsentState, ContactImport, ImportState  # noqa: E402
from tests.benchmarks import gauge  # noqa: E402


def main(import_id: int) -> None:
    taken = gauge.Taken()
    database = gauge.Backend()
    while importing.run(import_id):
        pass
    done = ContactImport.objects.get(pk=import_id)
    if done.state != ImportState.FINISHED:
        raise SystemExit(f"The import is {done.state}: {done.failure}")
    rows = done.created + done.updated + done.duplicate + done.invalid
    figures = taken.figures(rows)
    written = (ConsentEvent.objects.count(), ConsentState.objects.count(), done.list.memberships.count())
    if set(written) != {done.created} or done.created != rows:
        problems = [f"{problem.value}: {problem.reason}" for problem in done.problems.all()[:3]]
        raise SystemExit(f"Of {rows} rows {done.created} were created, with {written} records: {problems}")
    print(json.dumps({**figures, "database_cpu_seconds": database.cpu_seconds()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
