from django.db import migrations, models

from campaigns import counting, followers


def install(apps, schema_editor):
    followers.install(schema_editor)
    counting.install(schema_editor)


def remove(apps, schema_editor):
    """SQLite makes the table anew for each change below, and loses its triggers."""
    counting.remove(schema_editor)
    followers.remove(schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0014_daily_caps_and_budgets'),
    ]

    operations = [
        migrations.RunPython(remove, install),
        migrations.AlterField(
            model_name='outboundmessage',
            name='idempotency_key',
            field=models.CharField(max_length=300, null=True),
        ),
        migrations.AddConstraint(
            model_name='outboundmessage',
            constraint=models.UniqueConstraint(condition=models.Q(('idempotency_key__isnull', False)), fields=('idempotency_key',), name='once_per_idempotency_key'),
        ),
        migrations.RunPython(install, remove),
    ]
