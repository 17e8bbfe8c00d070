import csv
import json
from pathlib import Path

import contacts.models.brand
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


TABLE = Path(__file__).parent.parent / "data" / "quiet_hours.csv"


def complete(apps, schema_editor):
    """Limits of states' laws, and the profiles: shipped switched off, chosen by an operator."""
    rules = apps.get_model("contacts", "QuietHoursRule").objects
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known = rules.filter(code=row["code"])
            if row["daily_most"]:
                known.filter(daily_most=None).update(daily_most=int(row["daily_most"]))
            if not row["replaces"]:
                continue
            if not known.exists():
                rules.create(
                    code=row["code"],
                    windows=json.loads(row["windows_json"]),
                    closed_on_holidays=row["holidays"] == "closed",
                    daily_most=int(row["daily_most"]) if row["daily_most"] else None,
                    kind=row["kind"],
                    source=row["source"],
                    confidence=row["confidence"],
                    note=row["note"],
                )
            known.filter(replaces="").update(is_active=False, replaces=row["replaces"])


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0006_undo_of_imports'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClosedDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(help_text='Whose day: a rule such as US-LA or FR; * is everywhere.', max_length=20)),
                ('day', models.DateField()),
                ('reason', models.CharField(max_length=300)),
                ('added_by', models.CharField(blank=True, editable=False, max_length=150)),
            ],
            options={
                'ordering': ['-day', 'code'],
            },
        ),
        migrations.CreateModel(
            name='FrequencyCap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(choices=[('marketing', 'Marketing'), ('transactional', 'Transactional')], default='marketing', max_length=14)),
                ('most', models.PositiveSmallIntegerField(help_text='Messages to one person.', validators=[django.core.validators.MinValueValidator(1)])),
                ('period', models.CharField(choices=[('hours', 'Rolling hours'), ('month', 'Calendar month (UTC)')], default='hours', max_length=5)),
                ('hours', models.PositiveIntegerField(default=24, validators=[django.core.validators.MinValueValidator(1)])),
                ('when_capped', models.CharField(choices=[('wait', 'Wait until it may be sent'), ('skip', 'Skip this person')], default='wait', max_length=4)),
                ('is_active', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['brand', 'purpose', 'hours'],
            },
        ),
        migrations.RemoveField(
            model_name='contact',
            name='is_dead',
        ),
        migrations.AddField(
            model_name='brand',
            name='blocked_countries',
            field=models.JSONField(blank=True, default=contacts.models.brand.blocked_at_first, help_text='Two-letter countries to which no marketing is sent, for example ["TR"].'),
        ),
        migrations.AddField(
            model_name='brand',
            name='double_opt_in',
            field=models.BooleanField(default=False, help_text='Marketing waits until the person has confirmed the sign-up with a second yes.'),
        ),
        migrations.AddField(
            model_name='brand',
            name='min_age',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Full years. Whoever is younger or has no birth date on record gets nothing. Empty: no check.', null=True, validators=[django.core.validators.MinValueValidator(13), django.core.validators.MaxValueValidator(99)]),
        ),
        migrations.AddField(
            model_name='consentstate',
            name='ended_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=10),
        ),
        migrations.AddField(
            model_name='contact',
            name='birth_date',
            field=models.DateField(blank=True, help_text='Asked for where a program has a minimum age.', null=True),
        ),
        migrations.AddField(
            model_name='contact',
            name='dead_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='contact',
            name='line_type',
            field=models.CharField(blank=True, choices=[('', 'Not looked up'), ('mobile', 'Mobile'), ('fixed', 'Landline'), ('toll_free', 'Toll-free')], db_default='', default='', max_length=10),
        ),
        migrations.AddField(
            model_name='quiethoursrule',
            name='daily_most',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Most marketing messages to one person in 24 hours, where the law of the place limits them.', null=True, validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AddField(
            model_name='quiethoursrule',
            name='replaces',
            field=models.CharField(blank=True, db_default='', default='', help_text='A profile: while it is active, it stands for every row of this country and of its states.', max_length=2),
        ),
        migrations.AddConstraint(
            model_name='quiethoursrule',
            constraint=models.UniqueConstraint(condition=models.Q(('is_active', True), models.Q(('replaces', ''), _negated=True)), fields=('replaces',), name='one_active_profile_per_country'),
        ),
        migrations.RunPython(complete, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='closedday',
            constraint=models.UniqueConstraint(fields=('code', 'day'), name='each_day_closed_once'),
        ),
        migrations.AddField(
            model_name='frequencycap',
            name='brand',
            field=models.ForeignKey(blank=True, help_text='Empty: messages of all brands count together.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='frequency_caps', to='contacts.brand'),
        ),
        migrations.AddConstraint(
            model_name='frequencycap',
            constraint=models.CheckConstraint(condition=models.Q(('most__gte', 1)), name='cap_lets_somebody_through'),
        ),
        migrations.AddConstraint(
            model_name='frequencycap',
            constraint=models.CheckConstraint(condition=models.Q(('hours__gte', 1), ('hours__lte', 8784)), name='cap_period_is_within_a_year'),
        ),
    ]
