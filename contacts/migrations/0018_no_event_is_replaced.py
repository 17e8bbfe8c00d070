from django.db import migrations

from contacts import ledger_guard


def guard_anew(apps, schema_editor):
    """SQLite only: its INSERT OR REPLACE is refused too."""
    if schema_editor.connection.vendor == "sqlite":
        ledger_guard.remove(schema_editor)
        ledger_guard.install(schema_editor)


class Migration(migrations.Migration):
    dependencies = [("contacts", "0017_consents_of_an_import")]
    operations = [migrations.RunPython(guard_anew, migrations.RunPython.noop)]
