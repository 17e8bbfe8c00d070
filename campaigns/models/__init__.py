from campaigns.models.campaign import AnswerCount, Campaign, CampaignState, Restricted
from campaigns.models.campaign_count import CampaignCount
from campaigns.models.campaign_sender import CampaignSender
from campaigns.models.delivery_event import DeliveryEvent
from campaigns.models.gateway_account import CarrierOptOut, GatewayAccount, GatewayKind
from campaigns.models.instance import Instance
from campaigns.models.motion import MessageInMotion, TakenMessage
from campaigns.models.outbound import MessageKind, OutboundMessage, OutboundState, Priority
from campaigns.models.parts_count import PartsCount
from campaigns.models.sender import Lane, Sender, SenderKind
from campaigns.models.settlement import Answer, Settlement
from campaigns.models.snapshot_range import SnapshotRange

__all__ = [
    "Answer",
    "AnswerCount",
    "Campaign",
    "CampaignCount",
    "CampaignSender",
    "CampaignState",
    "CarrierOptOut",
    "DeliveryEvent",
    "GatewayAccount",
    "GatewayKind",
    "Instance",
    "Lane",
    "MessageInMotion",
    "MessageKind",
    "OutboundMessage",
    "OutboundState",
    "PartsCount",
    "Priority",
    "Restricted",
    "Sender",
    "SenderKind",
    "Settlement",
    "SnapshotRange",
    "TakenMessage",
]
