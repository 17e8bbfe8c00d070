import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0019_keys_of_another_account")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="cut_through",
            # With a default SQLite would make the table anew, to which the ledger's triggers refer.
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="SnapshotRange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("low", models.BigIntegerField()),
                ("high", models.BigIntegerField()),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ranges",
                        to="campaigns.campaign",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("campaign", "low"), name="range_cut_once")],
            },
        ),
    ]
