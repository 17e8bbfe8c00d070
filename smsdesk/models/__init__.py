from smsdesk.models.api_key import ApiKey, IdempotentAnswer, KeyUsage, Scope
from smsdesk.models.heartbeat import Heartbeat

__all__ = ["ApiKey", "Heartbeat", "IdempotentAnswer", "KeyUsage", "Scope"]
