import uuid

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # Apart from the filling: PostgreSQL alters no table whose rows have just been written.
    dependencies = [("contacts", "0011_holds_of_a_brand")]
    operations = [
        migrations.AlterField("hold", "said_at", models.DateTimeField()),
        migrations.AlterField(
            "hold", "public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
        ),
        migrations.AddConstraint(
            "hold",
            models.UniqueConstraint(
                condition=Q(("brand__isnull", False), ("closed_at", None)),
                fields=("subscriber_key", "brand"),
                name="one_open_hold_per_phone_and_brand",
            ),
        ),
        migrations.AddConstraint(
            "hold",
            models.UniqueConstraint(
                condition=Q(("brand", None), ("closed_at", None)),
                fields=("subscriber_key",),
                name="one_open_hold_of_every_brand",
            ),
        ),
        migrations.AddIndex(
            "hold",
            models.Index(condition=Q(("closed_at", None)), fields=["subscriber_key"], name="open_holds_of_phone"),
        ),
        migrations.AddIndex(
            "hold", models.Index(condition=Q(("closed_at", None)), fields=["opened_at"], name="hold_queue")
        ),
    ]
