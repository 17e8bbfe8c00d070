from django.db import migrations


def schedule_round(apps, schema_editor):
    schedule = apps.get_model("django_q", "Schedule")
    schedule.objects.get_or_create(
        name="daily round of records",
        defaults={"func": "contacts.tasks.daily", "schedule_type": "D", "repeats": -1},
    )


def unschedule_round(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name="daily round of records").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0002_ledger_guard_and_seeds"),
        ("django_q", "0018_task_success_index"),
    ]
    operations = [migrations.RunPython(schedule_round, unschedule_round)]
