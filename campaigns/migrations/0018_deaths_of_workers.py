from django.db import migrations, models

from campaigns import counting, followers


def put_triggers_away(apps, schema_editor):
    """SQLite makes the ledger anew for a column, without its triggers; PostgreSQL adds it in a moment."""
    if schema_editor.connection.vendor == "sqlite":
        counting.remove(schema_editor)
        followers.remove(schema_editor)


def install_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        followers.install(schema_editor)
        counting.install(schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0017_people_of_campaigns_page_by_page'),
    ]

    operations = [
        migrations.RunPython(put_triggers_away, install_triggers),
        migrations.AddField(
            model_name='outboundmessage',
            name='deaths',
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.RunPython(install_triggers, put_triggers_away),
    ]
