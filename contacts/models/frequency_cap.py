from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from contacts.models.brand import Brand, Purpose


class CapPeriod(models.TextChoices):
    HOURS = "hours", "Rolling hours"
    MONTH = "month", "Calendar month (UTC)"


class WhenCapped(models.TextChoices):
    WAIT = "wait", "Wait until it may be sent"
    SKIP = "skip", "Skip this person"


class FrequencyCap(models.Model):
    """At most so many messages of one purpose to one person in a period, across all campaigns.

    The month is for what was promised at sign-up ("up to 4 msgs/mo"). Caps of states stand in quiet hours rules.
    """

    brand = models.ForeignKey(
        Brand,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="frequency_caps",
        help_text="Empty: messages of all brands count together.",
    )
    purpose = models.CharField(
        max_length=14,
        choices=[(p.value, p.label) for p in (Purpose.MARKETING, Purpose.TRANSACTIONAL)],
        default=Purpose.MARKETING,
    )
    most = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)], help_text="Messages to one person.")
    period = models.CharField(max_length=5, choices=CapPeriod, default=CapPeriod.HOURS)
    hours = models.PositiveIntegerField(default=24, validators=[MinValueValidator(1)])
    when_capped = models.CharField(max_length=4, choices=WhenCapped, default=WhenCapped.WAIT)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["brand", "purpose", "hours"]
        constraints = [
            models.CheckConstraint(condition=Q(most__gte=1), name="cap_lets_somebody_through"),
            models.CheckConstraint(condition=Q(hours__gte=1, hours__lte=8_784), name="cap_period_is_within_a_year"),
        ]

    def __str__(self) -> str:
        period = "a calendar month" if self.period == CapPeriod.MONTH else f"{self.hours} h"
        return f"{self.most} {self.purpose} in {period}"
