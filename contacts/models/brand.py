from django.db import models


class Purpose(models.TextChoices):
    """Why a message is sent. Consent is given for a purpose; `conversational` and `compliance` need none."""

    MARKETING = "marketing", "Marketing"
    TRANSACTIONAL = "transactional", "Transactional"
    CONVERSATIONAL = "conversational", "Conversational"
    COMPLIANCE = "compliance", "Compliance"


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
    sending_paused = models.BooleanField(default=False, help_text="Kill switch: nothing leaves for this brand.")

    def __str__(self) -> str:
        return self.name
