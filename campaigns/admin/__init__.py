from campaigns import dashboard
from campaigns.admin import accounts, campaigns, events, messages, senders

__all__ = ["accounts", "campaigns", "dashboard", "events", "messages", "senders"]
