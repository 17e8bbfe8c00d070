from django.db import models


class SeededRole(models.Model):
    """What the group of this name was once given, so that what a desk took away is not given again."""

    name = models.CharField(max_length=150, unique=True)
    permissions = models.JSONField(default=list)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
