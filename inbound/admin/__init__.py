from inbound.admin import inbound_message, keyword

__all__ = ["inbound_message", "keyword"]
