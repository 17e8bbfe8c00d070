import django.db.models.deletion
from django.db import migrations, models

from campaigns import counting


def install(apps, schema_editor):
    counting.install(schema_editor)
    counting.fill(schema_editor)


def remove(apps, schema_editor):
    counting.remove(schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0012_a_ledger_that_checks_its_owners_at_once'),
    ]

    operations = [
        migrations.CreateModel(
            name='CampaignCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField(null=True)),
                ('state', models.CharField(max_length=11)),
                ('code', models.CharField(max_length=40)),
                ('waiting_for', models.CharField(max_length=20)),
                ('error_code', models.CharField(max_length=40)),
                ('error_class', models.CharField(max_length=12)),
                ('messages', models.BigIntegerField()),
                ('replies', models.BigIntegerField()),
                ('opt_outs', models.BigIntegerField()),
                ('parts', models.BigIntegerField()),
                ('is_summed', models.BooleanField()),
                ('campaign', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='campaigns.campaign')),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['campaign', 'minute', 'state'], name='counts_of_campaign'), models.Index(condition=models.Q(('is_summed', False)), fields=['id'], name='counts_to_sum')],
            },
        ),
        migrations.RunPython(install, remove),
    ]
