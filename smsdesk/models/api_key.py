from django.conf import settings
from django.db import models


class Scope(models.TextChoices):
    """What a key may do. A key has exactly the scopes it was given; none implies another."""

    CONTACTS_READ = "contacts:read", "Read contacts and their consent"
    CONTACTS_WRITE = "contacts:write", "Add and change contacts, record consent"
    CONTACTS_EXPORT = "contacts:export", "Export contacts as a file"
    CONTACTS_DISCLOSE = "contacts:disclose", "Read the proof of consent and everything held on a person"
    CONTACTS_MERGE = "contacts:merge", "Merge contacts for good"
    CONTACTS_ERASE = "contacts:erase", "Erase a person"
    IMPORTS_READ = "imports:read", "Read imports and their reports, which quote cells of the files"
    IMPORTS_WRITE = "imports:write", "Upload files, import and undo imports"
    MESSAGES_SEND = "messages:send", "Send messages"
    MESSAGES_READ = "messages:read", "Read messages"
    MESSAGES_SETTLE = "messages:settle", "Decide on messages whose outcome nobody knows"
    CAMPAIGNS_READ = "campaigns:read", "Read campaigns and their messages"
    CAMPAIGNS_WRITE = "campaigns:write", "Create and change draft campaigns"
    CAMPAIGNS_LAUNCH = "campaigns:launch", "Launch, pause, resume and cancel campaigns"
    CONVERSATIONS_READ = "conversations:read", "Read conversations"
    CONVERSATIONS_WRITE = "conversations:write", "Reply in conversations"
    HOLDS_READ = "holds:read", "Read texts that may be opt-outs"
    HOLDS_REVIEW = "holds:review", "Decide whether they are"


class ApiKey(models.Model):
    """An integrator's key: only its public prefix and the SHA-256 of its secret are kept."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=24, unique=True)  # "sk_live_ab12cd34": found by it, shown in lists
    secret_sha256 = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_keys")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)  # exact to a minute
    requests_per_minute = models.PositiveIntegerField(default=600)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_test(self) -> bool:
        return self.prefix.startswith("sk_test_")


class KeyUsage(models.Model):
    """How many requests a key has made in its current minute. One row per key, raised by one statement."""

    api_key = models.OneToOneField(ApiKey, on_delete=models.CASCADE, primary_key=True, related_name="+")
    minute = models.BigIntegerField()  # minutes since 1970; never moves back
    used = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.used} in minute {self.minute}"


class IdempotentAnswer(models.Model):
    """The answer once given to a request that carried an Idempotency-Key; kept for 24 hours."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_sha256 = models.CharField(max_length=64)  # of method, path and body
    token = models.UUIDField()  # whose attempt this is: a slower one may not store its answer
    status = models.PositiveSmallIntegerField(null=True)  # null: still being worked on
    body = models.TextField(blank=True)  # JSON, byte for byte as it was answered
    started_at = models.DateTimeField()  # of the current attempt; one that does not end is taken over
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)  # reader: expiry.drop_old_answers

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "key"], name="one_answer_per_idempotency_key")]

    def __str__(self) -> str:
        return self.key
