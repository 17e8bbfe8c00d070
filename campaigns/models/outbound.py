from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign
from campaigns.models.sender import Lane, Sender
from contacts.models import Brand, Contact, Purpose
from smsdesk import page_links
from smsdesk.models import ApiKey
from smsdesk.public_ids import PublicIdModel


class OutboundState(models.TextChoices):
    QUEUED = "queued", "Queued"
    SKIPPED = "skipped", "Skipped"
    CANCELLED = "cancelled", "Cancelled"
    SUBMITTING = "submitting", "Submitting"
    UNKNOWN = "unknown", "Unknown"
    PARKED = "parked", "Parked"
    ACCEPTED = "accepted", "Accepted"
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    UNDELIVERED = "undelivered", "Not delivered"
    EXPIRED = "expired", "Expired"
    REJECTED = "rejected", "Rejected"


class MessageKind(models.TextChoices):
    CAMPAIGN = "campaign", "Campaign"
    REPLY = "reply", "Agent's reply"
    AUTOMATIC = "automatic", "Automatic reply"
    API = "api", "API"
    TEST = "test", "Test"


class Priority(models.IntegerChoices):
    """Smaller goes first on every lane."""

    URGENT = 10, "Replies and compliance"
    TRANSACTIONAL = 20, "Transactional"
    CAMPAIGN = 50, "Campaign"


class OutboundMessage(PublicIdModel):
    """The ledger: one row for every SMS that leaves or was kept from leaving, and why.

    `public_id` is our reference at the gateway. States and who may move them: `campaigns/sending.py`.
    """

    prefix = "msg"

    kind = models.CharField(max_length=10, choices=MessageKind)
    purpose = models.CharField(max_length=14, choices=Purpose)
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_index=False)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, related_name="messages", db_index=False
    )
    # No constraint in the database: the row outlives the contact, and the constraint halves the snapshot's speed.
    contact = models.ForeignKey(
        Contact,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="messages",
        db_constraint=False,
    )
    subscriber_key = models.CharField(max_length=44)
    phone = models.CharField(max_length=16)
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="+", db_index=False)
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="+", db_index=False)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.CAMPAIGN)

    state = models.CharField(max_length=11, choices=OutboundState, default=OutboundState.QUEUED)
    due_at = models.DateTimeField()
    send_by = models.DateTimeField(null=True)  # from then on it is skipped, not sent
    waiting_for = models.CharField(max_length=20, blank=True)  # quiet_hours, frequency_cap, retry, account …
    code = models.CharField(max_length=40, blank=True)  # why skipped, rejected or cancelled

    # What a message without campaign says; "" for campaigns, whose text is rendered when it leaves.
    text = models.TextField(blank=True, default="")
    compliance_kind = models.CharField(max_length=14, blank=True)  # optout_confirm, help_reply, optin_confirm
    body = models.TextField(blank=True, default="")  # what left, as rendered
    encoding = models.CharField(max_length=4, blank=True)
    parts = models.PositiveSmallIntegerField(null=True)
    verdict = models.JSONField(null=True)  # the decision that let it leave or kept it

    token = models.UUIDField(null=True)  # the lane's token under which it was submitted
    submit_no = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    submitted_at = models.DateTimeField(null=True)
    gateway_id = models.CharField(max_length=128, blank=True)
    outcome_open = models.BooleanField(default=False)
    evidence = models.JSONField(null=True)  # what is known of an unknown outcome: lookups, last answer
    next_lookup_at = models.DateTimeField(null=True)

    accepted_at = models.DateTimeField(null=True)
    final_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=40, blank=True)  # the gateway's word
    error_class = models.CharField(max_length=12, blank=True)  # ours (`smsdesk/gateways/errors.py`)

    # Facts written down by `inbound` so that reports read the ledger only.
    replied_at = models.DateTimeField(null=True)
    opted_out_at = models.DateTimeField(null=True)

    idempotency_key = models.CharField(max_length=300, null=True, unique=True)  # noqa: DJ001  unique
    # The key it was sent with; another owner's keys do not see it.
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "message"
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "subscriber_key"],
                condition=Q(campaign__isnull=False, kind="campaign"),
                name="once_per_campaign_and_phone",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["skipped", "rejected"]) | ~Q(code=""), name="refused_has_code"
            ),
            models.CheckConstraint(
                condition=~Q(state="submitting") | Q(token__isnull=False, submitted_at__isnull=False),
                name="submitting_has_token",
            ),
        ]
        indexes = [
            # a lane's next batch and the choice of the most urgent lane: messages without campaign …
            models.Index(
                fields=["lane", "priority", "due_at", "id"],
                condition=Q(state="queued", campaign=None),
                name="queued_single",
            ),
            # … and campaigns, each by itself, so that a paused one of a million rows is never walked through
            models.Index(
                fields=["lane", "campaign", "due_at", "id"],
                condition=Q(state="queued", campaign__isnull=False),
                name="queued_of_campaign",
            ),
            # reaper, lane winner, STOP drain: the few rows that may be in a call
            models.Index(
                fields=["lane", "submitted_at"], condition=Q(state="submitting"), name="submitting_by_lane"
            ),
            # reconciler and the parked page
            models.Index(
                fields=["state", "next_lookup_at"],
                condition=Q(state__in=["unknown", "parked"]),
                name="outcome_not_known",
            ),
            # receipts that carry only the gateway's id
            models.Index(fields=["gateway_id"], condition=~Q(gateway_id=""), name="by_gateway_id"),
            # report of a campaign, and its finish
            models.Index(fields=["campaign", "state"], name="report_of_campaign"),
            # what one person got: contact page, caps, STOP, conversation
            models.Index(fields=["subscriber_key", "id"], name="messages_of_phone"),
            # segments: who was sent, answered or left within some days, without walking through older rows
            models.Index(
                fields=["accepted_at", "contact"], condition=Q(accepted_at__isnull=False), name="sent_to_contacts"
            ),
            models.Index(
                fields=["final_at", "contact"], condition=Q(state="delivered"), name="delivered_to_contacts"
            ),
            models.Index(
                fields=["replied_at", "contact"], condition=Q(replied_at__isnull=False), name="replied_by_contacts"
            ),
            models.Index(
                fields=["opted_out_at", "contact"],
                condition=Q(opted_out_at__isnull=False),
                name="opted_out_by_contacts",
            ),
            # API and admin lists
            models.Index(fields=["created_at", "id"], name="message_paging"),
            # API list of a key that sees only what its owner's keys sent
            models.Index(
                fields=["api_key", "created_at", "id"],
                condition=Q(api_key__isnull=False),
                name="message_paging_of_api_key",
            ),
        ]
        permissions = [
            ("view_message_body", "Can read message texts"),
            ("settle_parked", "Can settle parked messages"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def shown_text(self) -> str:
        """What it said, or is to say, as others than its recipient may read it."""
        return page_links.hidden(self.body or self.text)
