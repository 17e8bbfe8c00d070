from inbound import dashboard
from inbound.admin import inbound_message, keyword

__all__ = ["dashboard", "inbound_message", "keyword"]
