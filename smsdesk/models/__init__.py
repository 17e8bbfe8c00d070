from smsdesk.models.api_key import ApiKey, IdempotentAnswer, KeyUsage, Scope
from smsdesk.models.heartbeat import Heartbeat
from smsdesk.models.seeded_role import SeededRole
from smsdesk.models.tally import Tally

__all__ = ["ApiKey", "Heartbeat", "IdempotentAnswer", "KeyUsage", "Scope", "SeededRole", "Tally"]
