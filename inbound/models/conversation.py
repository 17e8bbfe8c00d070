from django.conf import settings
from django.db import models
from django.db.models import Q

from campaigns.models import OutboundMessage, Sender
from contacts.models import Contact
from smsdesk.public_ids import PublicIdModel


class ConversationState(models.TextChoices):
    OPEN = "open", "Open"
    PENDING = "pending", "Waiting for the customer"
    RESOLVED = "resolved", "Resolved"


class Conversation(PublicIdModel):
    """The thread of one contact with one of our senders; at most one of them is not resolved."""

    prefix = "cnv"

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="conversations")
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=ConversationState, default=ConversationState.OPEN)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    is_unread = models.BooleanField(default=True)
    last_inbound_at = models.DateTimeField(null=True)
    last_activity_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)  # rises with every change of the thread: its ETag
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "sender"],
                condition=~Q(state="resolved"),
                name="one_open_conversation_per_contact_and_sender",
            )
        ]
        indexes = [
            models.Index(fields=["state", "-last_activity_at"], name="inbox_list"),  # the inbox's list
            models.Index(fields=["last_activity_at", "id"], name="conversation_paging"),  # API
        ]
        permissions = [
            ("reply_conversation", "Can reply in conversations"),
            ("assign_conversation", "Can assign conversations to others"),
            ("review_hold", "Can decide whether a text is an opt-out"),
        ]

    def __str__(self) -> str:
        return self.ref


class Reply(models.Model):
    """An agent's answer: which ledger row carries it, and who wrote it."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="replies")
    message = models.OneToOneField(OutboundMessage, on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    form_token = models.UUIDField(unique=True)  # one sending per form that was opened
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"reply {self.message_id}"


class Note(models.Model):
    """A private remark of an agent; never leaves the house."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=4000)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"note {self.pk}"


class ConversationEventKind(models.TextChoices):
    OPENED = "opened", "Opened"
    ASSIGNED = "assigned", "Assigned"
    RESOLVED = "resolved", "Resolved"
    REOPENED = "reopened", "Reopened"
    OPTED_OUT = "opted_out", "Opted out"
    OPTED_IN = "opted_in", "Opted in"
    HELD = "held", "Held for review"
    RELEASED = "released", "Read as no opt-out"


class ConversationEvent(models.Model):
    """What happened to a conversation, by whom; shown in the thread."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=10, choices=ConversationEventKind)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    detail = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.kind


class Draft(models.Model):
    """What an agent has typed and not sent, per conversation."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="drafts")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    text = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "author"], name="one_draft_per_agent_and_thread")
        ]

    def __str__(self) -> str:
        return f"draft {self.conversation_id}"
