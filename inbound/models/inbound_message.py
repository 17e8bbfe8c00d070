from django.db import models

from campaigns.models import GatewayAccount, OutboundMessage, Sender
from contacts.models import Contact
from inbound.models.keyword import Keyword
from smsdesk.public_ids import PublicIdModel


class Intent(models.TextChoices):
    OPT_OUT = "opt_out", "Opt-out"
    OPT_IN = "opt_in", "Opt-in"
    HELP = "help", "Help"
    NONE = "none", "None"


class InboundMessage(PublicIdModel):
    """A text somebody sent us, exactly once per gateway id."""

    prefix = "inb"

    account = models.ForeignKey(GatewayAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    event_key = models.CharField(max_length=128)
    gateway_id = models.CharField(max_length=128, blank=True)
    phone = models.CharField(max_length=32)  # canonical E.164, or as given when it is not a number
    subscriber_key = models.CharField(max_length=44)
    # Indexed for the database itself, which looks here whenever a contact is deleted.
    contact = models.ForeignKey(Contact, on_delete=models.SET_NULL, null=True, related_name="inbound_messages")
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    conversation = models.ForeignKey(
        "inbound.Conversation", on_delete=models.PROTECT, null=True, related_name="inbound_messages"
    )
    text = models.TextField(blank=True)
    intent = models.CharField(max_length=8, choices=Intent, default=Intent.NONE)
    confidence = models.CharField(max_length=8, blank=True)  # exact, strong, review
    rule = models.CharField(max_length=60, blank=True)  # which rule of inbound/intent.py fired
    keyword = models.ForeignKey(Keyword, on_delete=models.SET_NULL, null=True, related_name="+")
    answers = models.ForeignKey(  # the message of ours this most likely answers
        OutboundMessage, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    occurred_at = models.DateTimeField()  # by the gateway's clock where it tells one
    received_at = models.DateTimeField()
    raw = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "event_key"], name="inbound_gateway_id_once"),
        ]
        indexes = [
            models.Index(fields=["subscriber_key", "id"], name="inbound_of_phone"),  # contact page, thread
        ]

    def __str__(self) -> str:
        return self.ref
