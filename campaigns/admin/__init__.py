from campaigns.admin import accounts, campaigns, events, messages, senders

__all__ = ["accounts", "campaigns", "events", "messages", "senders"]
