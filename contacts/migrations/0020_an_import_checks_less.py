import django.db.models.deletion
from django.db import migrations, models

from contacts import ledger_guard


def unguard(apps, schema_editor):
    ledger_guard.remove(schema_editor)


def guard(apps, schema_editor):
    ledger_guard.install(schema_editor)


def keep_brands(apps, schema_editor):
    ledger_guard.keep_brands(schema_editor)


def let_go_of_brands(apps, schema_editor):
    ledger_guard.let_go_of_brands(schema_editor)


class Migration(migrations.Migration):
    """What was looked up for every row of an import, and is so by other means: brands and events stay for ever."""

    dependencies = [("contacts", "0019_links_of_merged_contacts")]
    operations = [
        migrations.RunPython(keep_brands, let_go_of_brands),
        # SQLite makes the table anew, and with the old one its triggers would be gone.
        migrations.RunPython(unguard, guard),
        migrations.AlterField(
            "consentevent",
            "brand",
            models.ForeignKey(
                db_constraint=False,
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
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="evidence",
                serialize=False,
                to="contacts.consentevent",
            ),
        ),
        migrations.AlterField("contact", "external_id", models.CharField(blank=True, max_length=100, null=True)),
        migrations.AddConstraint(
            "contact",
            models.UniqueConstraint(
                condition=models.Q(external_id__isnull=False),
                fields=("external_id",),
                name="one_contact_per_external_id",
                violation_error_message="Another contact has this external id.",
            ),
        ),
    ]
