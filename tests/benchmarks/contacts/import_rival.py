"""Takes and lets go of what every opt-out needs last, ten times a second; prints its longest wait in seconds.

On PostgreSQL the ledger's head, on SQLite the right to write. Ends when its input is closed.
"""

import select
import sys
import time

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from contacts.models import LedgerHead  # noqa: E402


def main() -> None:
    longest = 0.0
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        begun = time.monotonic()
        with transaction.atomic():
            if connection.vendor == "postgresql":
                LedgerHead.objects.select_for_update(no_key=True).filter(id=1).first()
            longest = max(longest, time.monotonic() - begun)
    print(round(longest, 3))


if __name__ == "__main__":
    main()
