from django.db import migrations, models


def give_holds_their_brand(apps, schema_editor):
    """That of the sender the text was sent to."""
    holds = apps.get_model("contacts", "Hold").objects
    texts = apps.get_model("inbound", "InboundMessage").objects
    for pk, inbound_id in holds.filter(brand=None, inbound_id__isnull=False).values_list("pk", "inbound_id"):
        brand = texts.filter(public_id=inbound_id).values_list("sender__brand", flat=True).first()
        holds.filter(pk=pk).update(brand=brand)


def schedule_watch(apps, schema_editor):
    schedule = apps.get_model("django_q", "Schedule")
    schedule.objects.get_or_create(
        name="clock of held texts",
        defaults={"func": "inbound.tasks.watch_holds", "schedule_type": "I", "minutes": 15, "repeats": -1},
    )


def unschedule_watch(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name="clock of held texts").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("inbound", "0002_index_texts_by_contact"),
        ("contacts", "0011_holds_of_a_brand"),
        ("django_q", "0018_task_success_index"),
    ]
    operations = [
        migrations.RunPython(give_holds_their_brand, migrations.RunPython.noop),
        migrations.RunPython(schedule_watch, unschedule_watch),
        migrations.AlterModelOptions(
            "conversation",
            options={
                "permissions": [
                    ("reply_conversation", "Can reply in conversations"),
                    ("assign_conversation", "Can assign conversations to others"),
                    ("review_hold", "Can decide whether a text is an opt-out"),
                ]
            },
        ),
        migrations.AlterField(
            "conversationevent",
            "kind",
            models.CharField(
                max_length=10,
                choices=[
                    ("opened", "Opened"),
                    ("assigned", "Assigned"),
                    ("resolved", "Resolved"),
                    ("reopened", "Reopened"),
                    ("opted_out", "Opted out"),
                    ("opted_in", "Opted in"),
                    ("held", "Held for review"),
                    ("released", "Read as no opt-out"),
                ],
            ),
        ),
    ]
