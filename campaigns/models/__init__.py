from campaigns.models.campaign import Campaign, CampaignState, Restricted
from campaigns.models.delivery_event import DeliveryEvent
from campaigns.models.gateway_account import CarrierOptOut, GatewayAccount, GatewayKind
from campaigns.models.outbound import MessageKind, OutboundMessage, OutboundState, Priority
from campaigns.models.sender import Lane, Sender, SenderKind

__all__ = [
    "Campaign",
    "CampaignState",
    "CarrierOptOut",
    "DeliveryEvent",
    "GatewayAccount",
    "GatewayKind",
    "Lane",
    "MessageKind",
    "OutboundMessage",
    "OutboundState",
    "Priority",
    "Restricted",
    "Sender",
    "SenderKind",
]
