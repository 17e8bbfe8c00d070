from django.db import models


class QuietHoursRule(models.Model):
    """Local hours in which marketing may be sent in a country or state: half-open windows per weekday.

    Seeded from `contacts/data/quiet_hours.csv`; every row may be edited, and each edit is a new `version`.
    """

    code = models.CharField(max_length=20, unique=True)  # "*", "US", "US-TX", "FR-af2m2026"
    windows = models.JSONField(help_text='{"Mon": ["08:00", "21:00"], …}: a missing day is closed.')
    closed_on_holidays = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    kind = models.CharField(max_length=10, blank=True)
    source = models.CharField(max_length=300, blank=True)
    confidence = models.CharField(max_length=10, blank=True)
    note = models.TextField(blank=True)
    verified_on = models.DateField(null=True, blank=True)
    edited_by = models.CharField(max_length=150, blank=True)
    edited_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "quiet hours rule"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code
