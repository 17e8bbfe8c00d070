"""Everything held on one person, to be handed to them: one JSON file, and a CSV file for each part."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from contacts import holdings
from contacts.holdings import Record
from contacts.models import Contact

FORMAT = "smsdesk-person/1"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def gather(contact: Contact, *, now: datetime) -> dict[str, Any]:
    """Plain values: the format, the time, and a list of records for each part."""
    made = {"format": FORMAT, "made_at": now, "contact": contact.ref}
    parts = {part.name: list(part.records(contact)) for part in holdings.parts()}
    plain: dict[str, Any] = json.loads(json.dumps({**made, "parts": parts}, cls=DjangoJSONEncoder))
    return plain


def as_zip(contact: Contact, *, now: datetime) -> bytes:
    made = gather(contact, now=now)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _contents(made))
        archive.writestr("person.json", json.dumps(made, indent=2, ensure_ascii=False))
        for name, records in made["parts"].items():
            if records:
                archive.writestr(f"{name}.csv", _csv(records))
    return file.getvalue()


def _contents(made: dict[str, Any]) -> str:
    lines = [
        f"Everything held on {made['contact']}, as of {made['made_at']}.",
        "person.json holds all of it; each CSV file holds one part, with the same names and values. Times are UTC.",
        "",
        *(f"{part.name}: {part.title} ({len(made['parts'][part.name])})" for part in holdings.parts()),
    ]
    return "\n".join(lines) + "\n"


def _csv(records: Sequence[Record]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(records[0])
    writer.writerows([_cell(value) for value in record.values()] for record in records)
    return text.getvalue()


def _cell(value: Any) -> str:
    """Never a formula to a spreadsheet."""
    if value is None:
        return ""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
