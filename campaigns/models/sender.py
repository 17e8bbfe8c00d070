from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from campaigns.models.gateway_account import GatewayAccount
from contacts.models import Brand
from smsdesk import phones
from smsdesk.local_days import check_zone


class SenderKind(models.TextChoices):
    ALPHANUMERIC = "alphanumeric", "Alphanumeric name"
    SHORT_CODE = "short_code", "Short code"
    TEN_DLC = "10dlc", "10DLC number"
    TOLL_FREE = "toll_free", "Toll-free number"
    LONG_NUMBER = "long_number", "Long number"


class Sender(models.Model):
    """Our number or name: what it may do, where, and how fast."""

    value = models.CharField(max_length=16)  # E.164 with +, short code, or 1–11 characters
    kind = models.CharField(max_length=12, choices=SenderKind)
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="senders")
    account = models.ForeignKey(GatewayAccount, on_delete=models.PROTECT, related_name="senders")
    country = models.CharField(max_length=2, default="US")
    parts_per_second = models.FloatField(default=1.0)
    is_registered = models.BooleanField(
        default=True, help_text="10DLC campaign, toll-free verification or sender id registration done."
    )
    registered_in = models.JSONField(
        default=list,
        blank=True,
        help_text='Countries besides its own in which it is registered, for example ["AE", "SA"]. There, only '
        "registered senders are let through.",
    )
    daily_cap = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Parts a day, counted from when the cap is set. Empty: as many as the provider takes.",
    )
    # Null, not "": SQLite would make the table anew for it, and lose the table's guards.
    day_zone = models.CharField(  # noqa: DJ001
        max_length=64,
        null=True,
        blank=True,
        validators=[check_zone],
        help_text="Where the day of the cap begins and ends at midnight, like America/Los_Angeles. Empty: UTC.",
    )
    is_default = models.BooleanField(default=False, help_text="Used where a brand's message names no sender.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "value"], name="one_sender_per_account_and_value"),
            models.CheckConstraint(condition=models.Q(parts_per_second__gt=0), name="sender_rate_is_positive"),
        ]

    def __str__(self) -> str:
        return self.value

    def clean(self) -> None:
        codes = self.registered_in
        if not isinstance(codes, list) or not all(isinstance(c, str) and phones.is_country(c) for c in codes):
            raise ValidationError({"registered_in": 'Give two-letter country codes, for example ["AE"].'})

    @property
    def is_two_way(self) -> bool:
        return self.kind != SenderKind.ALPHANUMERIC


class Lane(models.Model):
    """Lock, fencing token and rate limiter of a sender in one row. Times are the database's clock."""

    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="lanes")
    number = models.PositiveSmallIntegerField(default=0)
    token = models.UUIDField(null=True)  # random, never a counter: a restored backup would repeat it
    lease_until = models.DateTimeField()
    next_free_at = models.DateTimeField()
    holder = models.CharField(max_length=120, blank=True)  # host:pid:start time of the process in charge
    failures = models.PositiveSmallIntegerField(default=0)  # won and not recorded, in a row

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "number"], name="one_lane_per_number")]

    def __str__(self) -> str:
        return f"{self.sender_id}/{self.number}"
