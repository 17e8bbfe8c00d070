"""Exports everybody with consent, lists, tags and two attributes; prints the figures as JSON."""

import json

import django

django.setup()

from django.utils import timezone  # noqa: E402

from contacts import exporting  # noqa: E402
from contacts.models import Contact  # noqa: E402
from tests.benchmarks.contacts import raw  # noqa: E402
from tests.benchmarks.gauge import Taken  # noqa: E402

COLUMNS = (
    "public_id, phone, name, external_id, language, country, region, time_zone, birth_date, dead_since, "
    "last_inbound_at, created_at, updated_at, attributes"
)


def main() -> None:
    chosen = exporting.columns(parts=list(exporting.PARTS), attributes=["city", "tier"])
    taken, size, rows = Taken(), 0, -1
    for piece in exporting.as_csv(Contact.objects.all(), chosen=chosen, shows_phones=True, now=timezone.now()):
        size += len(piece)
        rows += piece.count("\r\n")
    figures = taken.figures(rows)
    limit = raw.read_seconds(COLUMNS)
    print(json.dumps({**figures, "megabytes": size // 1_000_000, "raw": "COPY … TO, contacts alone",
                      "raw_seconds": round(limit, 3), "ratio": round(limit / figures["seconds"], 3)}))  # fmt: skip


if __name__ == "__main__":
    main()
