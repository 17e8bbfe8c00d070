import django.db.models.deletion
from django.db import migrations, models

from campaigns import followers


def install(apps, schema_editor):
    followers.install(schema_editor)
    followers.fill(schema_editor)
    if schema_editor.connection.vendor == "postgresql":
        # Room on each page for the next version of its rows: then no index is written when a state changes.
        schema_editor.execute("ALTER TABLE campaigns_outboundmessage SET (fillfactor = 50)")
        for table in ("campaigns_messageinmotion", "campaigns_lane"):
            schema_editor.execute(
                f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000)"
            )


def remove(apps, schema_editor):
    followers.remove(schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0007_strikes_and_error_rate'),
        ('contacts', '0021_places_go_with_their_owners'),
    ]

    operations = [
        migrations.CreateModel(
            name='MessageInMotion',
            fields=[
                ('message', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='motion', serialize=False, to='campaigns.outboundmessage')),
                ('state', models.CharField(max_length=11)),
                ('priority', models.PositiveSmallIntegerField()),
                ('due_at', models.DateTimeField()),
                ('submitted_at', models.DateTimeField(null=True)),
                ('next_lookup_at', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='TakenMessage',
            fields=[
                ('message', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='taken', serialize=False, to='campaigns.outboundmessage')),
                ('gateway_id', models.CharField(max_length=128)),
                ('accepted_at', models.DateTimeField(null=True)),
                ('delivered_at', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.RemoveIndex(
            model_name='outboundmessage',
            name='queued_single',
        ),
        migrations.RemoveIndex(
            model_name='outboundmessage',
            name='queued_of_campaign',
        ),
        migrations.RemoveIndex(
            model_name='outboundmessage',
            name='submitting_by_lane',
        ),
        migrations.RemoveIndex(
            model_name='outboundmessage',
            name='outcome_not_known',
        ),
        migrations.RemoveIndex(
            model_name='outboundmessage',
            name='by_gateway_id',
        ),
        migrations.RemoveIndex(
            model_name='outboundmessage',
            name='report_of_campaign',
        ),
        migrations.RemoveIndex(
            model_name='outboundmessage',
            name='sent_to_contacts',
        ),
        migrations.RemoveIndex(
            model_name='outboundmessage',
            name='delivered_to_contacts',
        ),
        migrations.AddField(
            model_name='messageinmotion',
            name='campaign',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='campaigns.campaign'),
        ),
        migrations.AddField(
            model_name='messageinmotion',
            name='lane',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='campaigns.lane'),
        ),
        migrations.AddField(
            model_name='takenmessage',
            name='contact',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='contacts.contact'),
        ),
        migrations.AddIndex(
            model_name='messageinmotion',
            index=models.Index(condition=models.Q(('campaign', None), ('state', 'queued')), fields=['lane', 'priority', 'due_at', 'message'], name='queued_single'),
        ),
        migrations.AddIndex(
            model_name='messageinmotion',
            index=models.Index(condition=models.Q(('campaign__isnull', False), ('state', 'queued')), fields=['campaign', 'lane', 'due_at', 'message'], name='queued_of_campaign'),
        ),
        migrations.AddIndex(
            model_name='messageinmotion',
            index=models.Index(condition=models.Q(('state', 'submitting')), fields=['lane', 'submitted_at'], name='submitting_by_lane'),
        ),
        migrations.AddIndex(
            model_name='messageinmotion',
            index=models.Index(condition=models.Q(('state__in', ['unknown', 'parked'])), fields=['state', 'next_lookup_at'], name='outcome_not_known'),
        ),
        migrations.AddIndex(
            model_name='takenmessage',
            index=models.Index(condition=models.Q(('gateway_id', ''), _negated=True), fields=['gateway_id'], name='by_gateway_id'),
        ),
        migrations.AddIndex(
            model_name='takenmessage',
            index=models.Index(condition=models.Q(('accepted_at__isnull', False)), fields=['accepted_at', 'contact'], name='sent_to_contacts'),
        ),
        migrations.AddIndex(
            model_name='takenmessage',
            index=models.Index(condition=models.Q(('delivered_at__isnull', False)), fields=['delivered_at', 'contact'], name='delivered_to_contacts'),
        ),
        migrations.RunPython(install, remove),
    ]
