from django.db import models


class Tally(models.Model):
    """How often something happened in one span of time. Raised by one statement (`smsdesk/tallies.py`)."""

    name = models.CharField(max_length=40)  # what is counted, and how long a span is
    key = models.CharField(max_length=64)  # keyed hash of whose it is: no address is kept for counting
    span = models.BigIntegerField()  # number of the span since 1970
    count = models.PositiveIntegerField()
    ends_at = models.DateTimeField(db_index=True)  # reader: tallies.drop_old

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "key", "span"], name="one_tally_per_span")]

    def __str__(self) -> str:
        return f"{self.name}: {self.count}"
