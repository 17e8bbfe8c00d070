from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign
from campaigns.models.outbound import OutboundMessage
from campaigns.models.sender import Lane
from contacts.models import Contact


class MessageInMotion(models.Model):
    """Where in the ledger there is work: a narrow row for each message queued, submitting, unknown or parked.

    Nothing here gives a right to act, the message's own row does. It is an index the ledger keeps of itself
    (`campaigns/followers.py`: triggers write it, in the same statement), apart from the ledger so that a message's
    way through its states touches no index of the large table.
    """

    message = models.OneToOneField(
        OutboundMessage, on_delete=models.DO_NOTHING, primary_key=True, related_name="motion", db_constraint=False
    )
    state = models.CharField(max_length=11)
    lane = models.ForeignKey(
        Lane, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    priority = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    next_lookup_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            # a lane's next batch and the choice of the most urgent lane: messages without campaign …
            models.Index(
                fields=["lane", "priority", "due_at", "message"],
                condition=Q(state="queued", campaign=None),
                name="queued_single",
            ),
            # … and campaigns, each by itself, so that a paused one of a million rows is never walked through;
            # also whether a campaign is finished, and what is left of a cancelled one
            models.Index(
                fields=["campaign", "lane", "due_at", "message"],
                condition=Q(state="queued", campaign__isnull=False),
                name="queued_of_campaign",
            ),
            # reaper, lane winner: the few rows that may be in a call
            models.Index(
                fields=["lane", "submitted_at"], condition=Q(state="submitting"), name="submitting_by_lane"
            ),
            # reconciler and the parked page
            models.Index(
                fields=["state", "next_lookup_at"],
                condition=Q(state__in=["unknown", "parked"]),
                name="outcome_not_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} {self.state}"


class TakenMessage(models.Model):
    """What a gateway took or named: when, for whom, by which id. Written by the ledger, like `MessageInMotion`."""

    message = models.OneToOneField(
        OutboundMessage, on_delete=models.DO_NOTHING, primary_key=True, related_name="taken", db_constraint=False
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    gateway_id = models.CharField(max_length=128)
    accepted_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            # receipts that carry only the gateway's id
            models.Index(fields=["gateway_id"], condition=~Q(gateway_id=""), name="by_gateway_id"),
            # segments: who was sent or got something within some days, without walking through older rows
            models.Index(
                fields=["accepted_at", "contact"], condition=Q(accepted_at__isnull=False), name="sent_to_contacts"
            ),
            models.Index(
                fields=["delivered_at", "contact"],
                condition=Q(delivered_at__isnull=False),
                name="delivered_to_contacts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} {self.gateway_id}"
