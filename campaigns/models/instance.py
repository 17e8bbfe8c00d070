from django.db import models


class Instance(models.Model):
    """Which database this is, and whether it may send: one row (`campaigns/restoring.py`)."""

    nonce = models.UUIDField()  # made anew with each release
    database = models.CharField(max_length=120)  # what the database itself said it is
    beats = models.BigIntegerField(default=0)  # only ever rises; hosts remember the last one they saw
    beat_at = models.DateTimeField()
    held_at = models.DateTimeField(null=True)
    known_until = models.DateTimeField(null=True)  # the last beat before it was held: what came after may be lost
    restored_at = models.DateTimeField(
        null=True
    )  # as `held_at`, and kept: receipts of what was lost may still come
    held_reason = models.CharField(max_length=300, blank=True)
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=150, blank=True)

    class Meta:
        default_permissions = ()
        permissions = [("release_desk", "Can release a desk whose database was restored")]
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_instance")]

    def __str__(self) -> str:
        return str(self.nonce)
