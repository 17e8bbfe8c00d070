import csv
import json
from pathlib import Path

from django.db import migrations

from contacts import ledger_guard

TABLE = Path(__file__).parent.parent / "data" / "quiet_hours.csv"


def guard(apps, schema_editor):
    ledger_guard.install(schema_editor)


def unguard(apps, schema_editor):
    ledger_guard.remove(schema_editor)


def seed(apps, schema_editor):
    apps.get_model("contacts", "LedgerHead").objects.get_or_create(id=1)
    rules = apps.get_model("contacts", "QuietHoursRule").objects
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rules.get_or_create(
                code=row["code"],
                defaults={
                    "windows": json.loads(row["windows_json"]),
                    "closed_on_holidays": row["holidays"] == "closed",
                    "is_active": "-" not in row["code"] or row["code"].startswith("US-"),  # profiles are chosen
                    "kind": row["kind"],
                    "source": row["source"],
                    "confidence": row["confidence"],
                    "note": row["note"],
                },
            )


class Migration(migrations.Migration):
    """The seeds, and last the triggers: on SQLite a later change of the event's table would drop them."""

    dependencies = [("contacts", "0001_initial")]
    operations = [
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunPython(guard, unguard),
    ]
