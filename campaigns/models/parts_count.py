from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign
from campaigns.models.sender import Sender
from contacts.models import Brand


class PartsCount(models.Model):
    """Parts that left, or may have: of a sender or a brand on one day, or of a campaign in all.

    Only of what has a daily cap or a budget (`campaigns/allowances.py`).
    """

    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    brand = models.ForeignKey(Brand, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    day = models.DateField(null=True)  # in the zone of the cap; null for a campaign
    until = models.DateTimeField(null=True)  # when that day ends
    used = models.BigIntegerField(default=0)
    # Parts of the message that did not fit any more: campaigns wait until there is room for so many.
    asked = models.PositiveSmallIntegerField(default=1)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["sender", "day"], name="one_count_per_sender_and_day"),
            models.UniqueConstraint(fields=["brand", "day"], name="one_count_per_brand_and_day"),
            models.UniqueConstraint(fields=["campaign"], name="one_count_per_campaign"),
            models.CheckConstraint(
                condition=Q(sender__isnull=False, brand=None, campaign=None, day__isnull=False, until__isnull=False)
                | Q(sender=None, brand__isnull=False, campaign=None, day__isnull=False, until__isnull=False)
                | Q(sender=None, brand=None, campaign__isnull=False, day=None, until=None),
                name="counts_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sender_id or self.brand_id or self.campaign_id} {self.day or ''}: {self.used}"
