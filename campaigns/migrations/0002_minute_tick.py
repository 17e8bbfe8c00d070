from django.db import migrations


def schedule_tick(apps, schema_editor):
    schedule = apps.get_model("django_q", "Schedule")
    schedule.objects.get_or_create(
        name="minute tick",
        defaults={"func": "campaigns.tasks.tick", "schedule_type": "I", "minutes": 1, "repeats": -1},
    )


def unschedule_tick(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name="minute tick").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0001_initial"),
        ("django_q", "0018_task_success_index"),
    ]
    operations = [migrations.RunPython(schedule_tick, unschedule_tick)]
