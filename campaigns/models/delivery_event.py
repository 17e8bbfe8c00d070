from django.db import models
from django.db.models import Q

from campaigns.models.gateway_account import GatewayAccount
from campaigns.models.outbound import OutboundMessage


class DeliveryEvent(models.Model):
    """One receipt as it came, once. Without a message it waits 7 days to be matched."""

    account = models.ForeignKey(GatewayAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    event_key = models.CharField(max_length=128)
    message = models.ForeignKey(
        OutboundMessage, on_delete=models.DO_NOTHING, null=True, related_name="events", db_constraint=False
    )
    reference = models.UUIDField(null=True)
    gateway_id = models.CharField(max_length=128, blank=True)
    word = models.CharField(max_length=60)  # the gateway's own
    state = models.CharField(max_length=11, blank=True)  # ours; "" moves nothing
    code = models.CharField(max_length=40, blank=True)
    error_class = models.CharField(max_length=12, blank=True)
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    raw = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "event_key"], name="each_receipt_once"),
        ]
        indexes = [
            # matched again by the minute tick
            models.Index(fields=["received_at"], condition=Q(message=None), name="unmatched_receipts"),
        ]

    def __str__(self) -> str:
        return f"{self.word} {self.gateway_id}"
