from django.conf import settings
from django.db import models

from campaigns.models.outbound import OutboundMessage
from smsdesk.models import ApiKey


class Answer(models.TextChoices):
    """What a person decided on a message nobody knows the outcome of."""

    SENT = "sent", "Treat as sent"
    CLOSE = "close", "Close"
    AGAIN = "again", "Send again"


class Settlement(models.Model):
    """Who settled a parked message, when, how and why. One for each message, however many press at once."""

    message = models.OneToOneField(OutboundMessage, on_delete=models.PROTECT, related_name="settlement")
    answer = models.CharField(max_length=5, choices=Answer)
    reason = models.CharField(max_length=300)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=150)  # as they were called; they may be gone one day
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.message_id}: {self.answer}"
