from django.db import models

from campaigns.models import OutboundMessage, Sender
from contacts.models import Brand, Purpose


class KeywordAction(models.TextChoices):
    OPT_IN = "opt_in", "Opt in"
    REPLY = "reply", "Reply only"


class Keyword(models.Model):
    """A word people text to us. STOP, START and HELP families are not rows: they are judged before, always."""

    word = models.CharField(max_length=30)  # upper case, no spaces
    aliases = models.JSONField(default=list, blank=True)
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="keywords")
    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    action = models.CharField(max_length=10, choices=KeywordAction)
    purpose = models.CharField(max_length=14, choices=Purpose, default=Purpose.MARKETING)
    call_to_action = models.TextField(
        blank=True, help_text="The words people saw where they were asked to text this: the proof of consent."
    )
    reply = models.CharField(max_length=480)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["brand", "word"], name="one_keyword_per_brand_and_word")]

    def __str__(self) -> str:
        return self.word


class AutomaticReply(models.Model):
    """An answer the desk gave by itself; the loop guard counts these under the contact lock."""

    subscriber_key = models.CharField(max_length=44)
    kind = models.CharField(max_length=40)  # stop, start, help, keyword:<id>
    message = models.OneToOneField(OutboundMessage, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["subscriber_key", "created_at"], name="loop_guard")]

    def __str__(self) -> str:
        return self.kind
