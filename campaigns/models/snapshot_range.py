from django.db import models

from campaigns.models.campaign import Campaign


class SnapshotRange(models.Model):
    """People of a campaign's audience who have no ledger row yet: those with contact ids above `low`, up to `high`.

    Gone in the commit that makes their rows (`campaigns/snapshot.py`).
    """

    # the constraint's index begins with the campaign
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="ranges", db_index=False)
    low = models.BigIntegerField()
    high = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["campaign", "low"], name="range_cut_once")]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.low} to {self.high}"
