import uuid

from django.db import migrations, models
from django.db.models import F


def fill(apps, schema_editor):
    """Each hold gets an id of its own, and counts from the moment it was opened."""
    holds = apps.get_model("contacts", "Hold").objects
    holds.update(said_at=F("opened_at"))
    for pk in holds.values_list("pk", flat=True):
        holds.filter(pk=pk).update(public_id=uuid.uuid4())


class Migration(migrations.Migration):
    dependencies = [("contacts", "0010_notes_and_united_phones")]
    operations = [
        migrations.RemoveConstraint("hold", "one_open_hold_per_phone"),
        migrations.AddField(
            "hold",
            "brand",
            models.ForeignKey(
                null=True, on_delete=models.deletion.PROTECT, related_name="+", to="contacts.brand"
            ),
        ),
        migrations.AddField("hold", "said_at", models.DateTimeField(null=True)),
        migrations.AddField("hold", "public_id", models.UUIDField(null=True, editable=False)),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
