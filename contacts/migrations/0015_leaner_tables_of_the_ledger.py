import django.db.models.deletion
from django.db import migrations, models

from contacts import ledger_guard


def unguard(apps, schema_editor):
    ledger_guard.remove(schema_editor)


def guard(apps, schema_editor):
    ledger_guard.install(schema_editor)


class Migration(migrations.Migration):
    """What an import writes for every row, without what nobody reads."""

    dependencies = [("contacts", "0014_find_contacts_at_a_million")]
    operations = [
        migrations.RemoveField("consentevidence", "id"),
        # SQLite makes the table anew, and with the old one its triggers would be gone.
        migrations.RunPython(unguard, guard),
        migrations.AlterField(
            "consentevent",
            "brand",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="contacts.brand",
            ),
        ),
        migrations.RunPython(guard, unguard),
        migrations.AlterField(
            "consentevidence",
            "event",
            models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="evidence",
                serialize=False,
                to="contacts.consentevent",
            ),
        ),
        migrations.AlterField(
            "consentstate",
            "brand",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="contacts.brand",
            ),
        ),
        migrations.AlterField(
            "consentstate",
            "event",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="contacts.consentevent",
            ),
        ),
        migrations.AlterField("contact", "subscriber_key", models.CharField(editable=False, max_length=44)),
        migrations.AlterField(
            "listmembership",
            "list",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="memberships",
                to="contacts.contactlist",
            ),
        ),
        migrations.AddConstraint(
            "contact", models.UniqueConstraint(fields=("subscriber_key",), name="one_contact_per_phone")
        ),
    ]
