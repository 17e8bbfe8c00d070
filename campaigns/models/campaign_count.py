from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign

# What people and messages are counted by.
KEYS = ("campaign", "minute", "state", "code", "waiting_for", "error_code", "error_class")
SUMS = ("messages", "replies", "opt_outs", "parts")


class CampaignCount(models.Model):
    """How many of a campaign's messages stand where; reports add these up instead of reading millions of messages.

    Triggers write one row for each statement that moves messages, with what came (+) and went (-), so that lanes
    never wait for each other (`campaigns/counting.py`); each minute they are summed.
    """

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    minute = models.DateTimeField(null=True)  # of its last submission
    state = models.CharField(max_length=11)
    code = models.CharField(max_length=40)
    waiting_for = models.CharField(max_length=20)
    error_code = models.CharField(max_length=40)
    error_class = models.CharField(max_length=12)
    messages = models.BigIntegerField()
    replies = models.BigIntegerField()
    opt_outs = models.BigIntegerField()
    parts = models.BigIntegerField()
    is_summed = models.BooleanField()

    class Meta:
        default_permissions = ()
        indexes = [
            # reports
            models.Index(fields=["campaign", "minute", "state"], name="counts_of_campaign"),
            # what is to be summed
            models.Index(fields=["id"], condition=Q(is_summed=False), name="counts_to_sum"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.state}: {self.messages}"
