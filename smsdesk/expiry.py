"""What the desk keeps for a limited time and then drops."""

from datetime import datetime, timedelta

from smsdesk.models import IdempotentAnswer

ANSWERS_KEPT = timedelta(hours=24)


def drop_old_answers(*, now: datetime) -> int:
    """Drop the answers to repeated requests after 24 hours; safe at any time. How many went."""
    return IdempotentAnswer.objects.filter(created_at__lt=now - ANSWERS_KEPT).delete()[0]
