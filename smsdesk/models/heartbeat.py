from django.db import models


class Heartbeat(models.Model):
    """The last sign of progress of one worker process, by the database's clock."""

    name = models.CharField(max_length=120, unique=True)  # "tick", or host:pid of a worker
    beat_at = models.DateTimeField()
    detail = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name
