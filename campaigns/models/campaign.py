from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from campaigns.models.sender import Sender
from contacts.models import Brand, ContactList, Purpose, Segment, WhenCapped
from smsdesk.public_ids import PublicIdModel


class CampaignState(models.TextChoices):
    DRAFT = "draft", "Draft"
    AWAITING_APPROVAL = "awaiting_approval", "Awaiting approval"
    SCHEDULED = "scheduled", "Scheduled"
    PREPARING = "preparing", "Preparing"
    SENDING = "sending", "Sending"
    PAUSED = "paused", "Paused"
    FINISHED = "finished", "Finished"
    CANCELLED = "cancelled", "Cancelled"


class Restricted(models.TextChoices):
    """Content carriers restrict (SHAFT and what CTIA lists beside it): only behind an age check."""

    ALCOHOL = "alcohol", "Alcohol"
    TOBACCO = "tobacco", "Tobacco and vaping"
    FIREARMS = "firearms", "Firearms"
    GAMBLING = "gambling", "Gambling"
    SEX = "sex", "Sexual content"
    CANNABIS = "cannabis", "Cannabis"


class Campaign(PublicIdModel):
    """One text to an audience. A draft is the wizard's state; from launch on, text and audience are frozen."""

    prefix = "cmp"

    name = models.CharField(max_length=120)
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, null=True, related_name="campaigns")
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, null=True, related_name="campaigns")
    purpose = models.CharField(max_length=14, choices=Purpose, default=Purpose.MARKETING)
    body = models.TextField(blank=True, max_length=1600)  # Liquid
    include = models.ManyToManyField(ContactList, related_name="included_in", blank=True)
    exclude = models.ManyToManyField(ContactList, related_name="excluded_from", blank=True)
    include_segments: "models.ManyToManyField[Segment, IncludedSegment]" = models.ManyToManyField(
        Segment, through="IncludedSegment", related_name="included_in", blank=True
    )
    exclude_segments: "models.ManyToManyField[Segment, ExcludedSegment]" = models.ManyToManyField(
        Segment, through="ExcludedSegment", related_name="excluded_from", blank=True
    )
    # The segments' rules as they were at launch: changing one later does not change a launched audience.
    frozen_rules = models.JSONField(null=True, editable=False)
    # When the snapshot began: days in rules count from here, however long it takes and is interrupted.
    audience_at = models.DateTimeField(null=True, editable=False)
    state = models.CharField(max_length=17, choices=CampaignState, default=CampaignState.DRAFT)
    send_at = models.DateTimeField(null=True, blank=True)  # null: at once when launched
    latest_start = models.DateTimeField(null=True, blank=True)  # later than this it is not begun by machine
    send_by = models.DateTimeField(null=True, blank=True)  # end of the offer: nothing leaves from here on
    budget = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )  # parts that may leave in all; null: as many as the audience takes
    when_capped = models.CharField(
        max_length=4, choices=WhenCapped, blank=True, default="", db_default=""
    )  # "": as each frequency cap says
    restricted = models.CharField(max_length=10, choices=Restricted, blank=True, default="", db_default="")
    min_age = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(13), MaxValueValidator(99)]
    )
    paused_reason = models.CharField(max_length=300, blank=True)
    strikes = models.PositiveIntegerField(default=0, editable=False)  # refusals of text or sender in a row
    watched_until = models.DateTimeField(
        null=True, editable=False
    )  # its answers are counted (`campaigns/strikes.py`)
    audience_size = models.BigIntegerField(default=0)  # rows the snapshot made
    duplicates = models.BigIntegerField(default=0)  # audience members who already had a row
    cut_through = models.BigIntegerField(null=True)  # highest contact id in a range of the snapshot
    # Of versions that cut none, which may run beside this one in a deploy: up to here everybody has a row.
    prepared_through = models.BigIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    launched_at = models.DateTimeField(null=True)
    prepared_at = models.DateTimeField(null=True)  # the snapshot is complete
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at", "id"], name="campaign_paging"),  # API and admin lists
            # the minute tick: what is due, what is being prepared, what may be finished
            models.Index(
                fields=["state", "send_at"],
                condition=Q(state__in=["scheduled", "preparing", "sending"]),
                name="campaigns_in_motion",
            ),
            # each batch: is a campaign of its sender under watch?
            models.Index(
                fields=["sender", "watched_until"],
                condition=Q(watched_until__isnull=False),
                name="campaigns_watched",
            ),
        ]
        permissions = [
            ("approve_campaign", "Can approve campaigns"),
            ("send_campaign", "Can launch campaigns"),
            ("pause_campaign", "Can pause, resume and cancel campaigns"),
        ]

    def __str__(self) -> str:
        return self.name


class AnswerCount(models.Model):
    """What gateways answered of a campaign that is watched, half a minute each; kept for an hour."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="answer_counts", db_index=False)
    slot = models.BigIntegerField()  # half minutes since 1970
    answered = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)  # or nobody knows

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "slot"], name="one_count_per_half_minute")]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.failed} of {self.answered}"


class IncludedSegment(models.Model):
    """A segment a campaign goes to. The segment stays as long as the campaign does, which says whom it reached."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "segment"], name="segment_included_once")]

    def __str__(self) -> str:
        return f"{self.campaign_id}/{self.segment_id}"


class ExcludedSegment(models.Model):
    """A segment a campaign leaves out. Deleting it would let these people in, so it stays too."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "segment"], name="segment_excluded_once")]

    def __str__(self) -> str:
        return f"{self.campaign_id}/{self.segment_id}"
