from django.db import models


class Text(models.Model):
    """A text to one phone, as such a table looks at first: without an index on state, which would cost."""

    phone = models.CharField(max_length=16)
    body = models.TextField()
    state = models.CharField(max_length=10, default="queued")
    gateway_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "peers"

    def __str__(self) -> str:
        return f"{self.phone} {self.state}"
