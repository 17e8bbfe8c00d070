from django.db import models


class LedgerAnchor(models.Model):
    """Our note of a head of the ledger that was handed to somebody outside: when, and where it lies.

    The note itself proves nothing, whoever owns the database can write it; the copy outside does.
    """

    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    taken_at = models.DateTimeField()
    kept_in = models.CharField(max_length=300)  # a file or a mail address

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seq", "hash", "kept_in"], name="each_head_anchored_once")]

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash[:12]}"
