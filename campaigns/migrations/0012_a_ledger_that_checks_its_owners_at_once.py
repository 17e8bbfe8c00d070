import django.db.models.deletion
from django.db import migrations, models

from campaigns import followers


def install(apps, schema_editor):
    followers.install(schema_editor)


def remove(apps, schema_editor):
    """SQLite makes the table anew for each change below, and loses its triggers."""
    followers.remove(schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0011_restored_databases_are_held'),
        ('contacts', '0021_places_go_with_their_owners'),
        ('smsdesk', '0004_roles_that_were_seeded'),
    ]

    operations = [
        migrations.RunPython(remove, install),
        migrations.AlterField(
            model_name='outboundmessage',
            name='api_key',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='smsdesk.apikey'),
        ),
        migrations.AlterField(
            model_name='outboundmessage',
            name='brand',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='contacts.brand'),
        ),
        migrations.AlterField(
            model_name='outboundmessage',
            name='campaign',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='campaigns.campaign'),
        ),
        migrations.AlterField(
            model_name='outboundmessage',
            name='lane',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaigns.lane'),
        ),
        migrations.AlterField(
            model_name='outboundmessage',
            name='sender',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaigns.sender'),
        ),
        migrations.RunPython(install, remove),
    ]
