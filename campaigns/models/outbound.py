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
    # These five are checked for all rows of a statement at once (`campaigns/followers.py`).
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.PROTECT,
        null=True,
        related_name="messages",
        db_index=False,
        db_constraint=False,
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
    sender = models.ForeignKey(
        Sender, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
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
    attempts = models.PositiveSmallIntegerField(default=0)  # that the gateway surely did not take
    deaths = models.SmallIntegerField(default=0, db_default=0)  # of workers that had it alone in hand
    submitted_at = models.DateTimeField(null=True)
    gateway_id = models.CharField(max_length=128, blank=True)
    outcome_open = models.BooleanField(default=False)
    open_until = models.DateTimeField(null=True)  # so long an open outcome may be tried again under its key
    evidence = models.JSONField(null=True)  # what is known of an unknown outcome: lookups, last answer
    next_lookup_at = models.DateTimeField(null=True)

    accepted_at = models.DateTimeField(null=True)
    final_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=40, blank=True)  # the gateway's word
    error_class = models.CharField(max_length=12, blank=True)  # ours (`smsdesk/gateways/errors.py`)

    # Facts written down by `inbound` so that reports read the ledger only.
    replied_at = models.DateTimeField(null=True)
    opted_out_at = models.DateTimeField(null=True)

    # A person sent that one again, whose outcome nobody knew: this may be a second copy.
    resend_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="resends", db_index=False
    )
    idempotency_key = models.CharField(max_length=300, null=True)  # noqa: DJ001  two empty ones are not the same
    # The key it was sent with; another owner's keys do not see it.
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "message"
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "subscriber_key"],
                condition=Q(campaign__isnull=False, kind="campaign"),
                name="once_per_campaign_and_phone",
            ),
            # of those that have one, so that a campaign's million messages write nothing for it
            models.UniqueConstraint(
                fields=["idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="once_per_idempotency_key",
            ),
            models.UniqueConstraint(
                fields=["resend_of"], condition=Q(resend_of__isnull=False), name="sent_again_once"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["skipped", "rejected"]) | ~Q(code=""), name="refused_has_code"
            ),
            models.CheckConstraint(
                condition=~Q(state="submitting") | Q(token__isnull=False, submitted_at__isnull=False),
                name="submitting_has_token",
            ),
        ]
        # Only columns that stay as they are while a message is on its way: what is asked by state, time of
        # acceptance or gateway's id stands in `campaigns/models/motion.py`.
        indexes = [
            # what one person got: contact page, caps, STOP, conversation
            models.Index(fields=["subscriber_key", "id"], name="messages_of_phone"),
            # segments: who answered or left within some days, without walking through older rows
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
            # the people of a campaign, page by page: report, CSV, API
            models.Index(
                fields=["campaign", "created_at", "id"],
                condition=Q(campaign__isnull=False),
                name="message_paging_of_campaign",
            ),
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
