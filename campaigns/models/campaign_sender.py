from django.db import models

from campaigns.models.campaign import Campaign
from campaigns.models.sender import Sender


class CampaignSender(models.Model):
    """A further sender of a campaign and the countries whose numbers it serves there, ISO codes in upper case.

    `Campaign.sender` serves every country no row names. Senders that name the same country share its people; the
    campaign's own sender shares them where it has a row too (`campaigns/sender_choice.py`).
    """

    # the constraint's index begins with the campaign
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="further_senders", db_index=False)
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="+", db_index=False)
    countries = models.JSONField(default=list)
    strikes = models.PositiveIntegerField(default=0, editable=False)  # as `Campaign.strikes`, of this sender

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "sender"], name="sender_once_per_campaign")]
        indexes = [
            # the choice of lanes and each batch: the campaigns of a sender
            models.Index(fields=["sender", "campaign"], name="campaigns_of_further_sender"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}/{self.sender_id}: {', '.join(self.countries)}"
