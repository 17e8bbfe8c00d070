import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_index_who_received_messages")]
    operations = [
        migrations.AddField("gatewayaccount", "resumed_at", models.DateTimeField(editable=False, null=True)),
        migrations.CreateModel(
            "CarrierOptOut",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reported_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="campaigns.gatewayaccount",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["account", "reported_at"], name="carrier_opt_outs_lately")
                ],
            },
        ),
    ]
