from django.conf import settings
from django.db import models


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
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class IdempotentAnswer(models.Model):
    """The answer once given to a request that carried an Idempotency-Key; kept for 24 hours."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_sha256 = models.CharField(max_length=64)  # of method, path and body
    status = models.PositiveSmallIntegerField(null=True)  # null: still being worked on
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)  # reader: the daily clean-up

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "key"], name="one_answer_per_idempotency_key")]

    def __str__(self) -> str:
        return self.key
