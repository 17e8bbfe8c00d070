from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from smsdesk import phones
from smsdesk.local_days import check_zone


class Purpose(models.TextChoices):
    """Why a message is sent. Consent is given for a purpose; `conversational` and `compliance` need none."""

    MARKETING = "marketing", "Marketing"
    TRANSACTIONAL = "transactional", "Transactional"
    CONVERSATIONAL = "conversational", "Conversational"
    COMPLIANCE = "compliance", "Compliance"


def blocked_at_first() -> list[str]:
    return ["TR"]  # carriers prohibit promotional traffic from abroad


class Brand(models.Model):
    """Who speaks. Consent belongs to a brand and never passes to another."""

    name = models.CharField(max_length=60, unique=True, help_text="Stands in every marketing text.")
    slug = models.SlugField(max_length=40, unique=True)
    default_country = models.CharField(
        max_length=2, default="US", help_text="Two letters; how numbers without + are read."
    )
    stop_reply = models.CharField(
        max_length=320,
        default="{brand}: You are unsubscribed and will get no more messages. "
        "Reply START to resubscribe, HELP for help.",
    )
    start_reply = models.CharField(
        max_length=320,
        default="{brand}: You are subscribed again. Up to 4 msgs/mo. Msg & data rates may apply. "
        "Reply HELP for help, STOP to cancel.",
    )
    help_reply = models.CharField(
        max_length=320,
        default="{brand}: Questions? Answer here and a person will read it. "
        "Msg & data rates may apply. Reply STOP to cancel.",
    )
    double_opt_in = models.BooleanField(
        default=False, help_text="Marketing waits until the person has confirmed the sign-up with a second yes."
    )
    min_age = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(13), MaxValueValidator(99)],
        help_text="Full years. Whoever is younger or has no birth date on record gets nothing. Empty: no check.",
    )
    blocked_countries = models.JSONField(
        default=blocked_at_first,
        blank=True,
        help_text='Two-letter countries to which no marketing is sent, for example ["TR"].',
    )
    daily_cap = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Parts a day over all senders of the brand, such as T-Mobile's cap; counted from when it is set. "
        "Empty: no cap.",
    )
    # Null, not "": SQLite would make the table anew for it, and lose the table's guards.
    day_zone = models.CharField(  # noqa: DJ001
        max_length=64,
        null=True,
        blank=True,
        validators=[check_zone],
        help_text="Where the day of the cap begins and ends at midnight; T-Mobile's: America/Los_Angeles. "
        "Empty: UTC.",
    )
    sending_paused = models.BooleanField(default=False, help_text="Kill switch: nothing leaves for this brand.")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        codes = self.blocked_countries
        if not isinstance(codes, list) or not all(isinstance(c, str) and phones.is_country(c) for c in codes):
            raise ValidationError(
                {"blocked_countries": 'Give two-letter country codes, for example ["TR"]; [] blocks none.'}
            )
