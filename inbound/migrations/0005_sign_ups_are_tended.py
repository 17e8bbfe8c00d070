from django.db import migrations

from inbound import wording_guard

NAME = "round of sign-ups"


def guard(apps, schema_editor):
    wording_guard.install(schema_editor)


def unguard(apps, schema_editor):
    wording_guard.remove(schema_editor)


def schedule_round(apps, schema_editor):
    schedule = apps.get_model("django_q", "Schedule")
    schedule.objects.get_or_create(
        name=NAME,
        defaults={
            "func": "inbound.tasks.tend_sign_ups",
            "schedule_type": "I",
            "minutes": 5,
            "repeats": -1,
        },
    )


def unschedule_round(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    """The schedule, and the triggers: on SQLite a later change of the wordings' table would drop them."""

    dependencies = [
        ("inbound", "0004_opt_in_forms"),
        ("django_q", "0018_task_success_index"),
    ]
    operations = [
        migrations.RunPython(guard, unguard),
        migrations.RunPython(schedule_round, unschedule_round),
    ]
