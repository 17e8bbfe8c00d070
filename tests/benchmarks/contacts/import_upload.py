"""Stores a file as an upload, ready to be imported with a claim of marketing consent."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import django

django.setup()

from django.utils import timezone  # noqa: E402

from contacts import claims, importing, mapping, uploads  # noqa: E402
from contacts.models import Brand, ContactList  # noqa: E402
from tests.benchmarks import gauge  # noqa: E402


def main(path: Path) -> None:
    taken = gauge.Taken()
    with path.open("rb") as file:
        made = uploads.store(iter(lambda: file.read(65_536), b""), filename=path.name, by_id=None)
    figures = taken.figures(1)
    now = timezone.now()
    importing.configure(
        made,
        columns=mapping.guess(made.header),
        brand=Brand.objects.create(name="Acme", slug="acme"),
        contact_list=ContactList.objects.create(name="Everybody"),
        default_country="US",
        claim=claims.Claim(
            purpose="marketing",
            basis="express_written",
            obtained_at=now - timedelta(days=30),
            method="web_form",
            wording="I agree to receive marketing texts from Acme at the number given. Message rates may apply. "
            "Reply STOP to end.",
            source="https://acme.example/join",
        ),
        now=now,
    )
    importing.start(made, now=now)
    print(json.dumps({"id": made.pk, **figures}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
