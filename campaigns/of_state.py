"""Messages of one state, found in a ledger of any size: it has no index on what changes on a message's way."""

from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper, QuerySet, Subquery

from campaigns.models import MessageInMotion, OutboundMessage, OutboundState

# Those that `MessageInMotion` names.
IN_MOTION = (OutboundState.QUEUED, OutboundState.SUBMITTING, OutboundState.UNKNOWN, OutboundState.PARKED)
# Ids and times of making rise together, but for a snapshot or a request that took its time.
ASIDE = timedelta(days=1)


def of_state(rows: "QuerySet[OutboundMessage]", state: str) -> "QuerySet[OutboundMessage]":
    """Those of `rows` in this state.

    Lists are walked in the order of `created_at`. Of messages in motion, which may be a few among millions, only
    the days are walked in which they were made.
    """
    rows = rows.filter(state=state)
    if state not in IN_MOTION:
        return rows
    moving = MessageInMotion.objects.filter(state=state)

    def made(order: str) -> Subquery:
        end = OutboundMessage.objects.filter(pk__in=moving.order_by(order).values("pk")[:1])
        return Subquery(end.values("created_at"))

    begin = ExpressionWrapper(made("pk") - ASIDE, output_field=DateTimeField())
    end = ExpressionWrapper(made("-pk") + ASIDE, output_field=DateTimeField())
    return rows.filter(motion__state=state, created_at__gte=begin, created_at__lte=end)
