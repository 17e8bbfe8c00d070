"""Replies to marketing that were not read as STOP and that nobody has dealt with: the law's time runs for them too.

Dealt with means answered, resolved or opted out. Every such reply shows its age, because the reading leaks.
"""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from contacts import business_days
from contacts.models import Purpose, Suppression
from contacts.standing import EVERY
from inbound.models import Conversation, ConversationEvent, ConversationEventKind, InboundMessage, Intent, Reply
from smsdesk import phones


def replies() -> "QuerySet[InboundMessage]":
    """Of the conversation of the outer query, the earliest first."""
    opted_out = Suppression.objects.filter(
        Q(brand=None) | Q(brand=OuterRef("sender__brand")),
        subscriber_key=OuterRef("subscriber_key"),
        lifted_by=None,
        purpose=EVERY,
    )
    later = {"conversation": OuterRef("conversation"), "created_at__gte": OuterRef("received_at")}
    return InboundMessage.objects.filter(
        ~Exists(Reply.objects.filter(**later)),
        ~Exists(ConversationEvent.objects.filter(kind=ConversationEventKind.RESOLVED, **later)),
        ~Exists(opted_out),
        conversation=OuterRef("pk"),
        intent=Intent.NONE,
        keyword=None,
        answers__purpose=Purpose.MARKETING,
    ).order_by("id")


def since(conversation: Conversation) -> datetime | None:
    """When the earliest of them came, if there is one."""
    rows = Conversation.objects.filter(pk=conversation.pk).annotate(since=replies().values("received_at")[:1])
    came_at: datetime | None = rows.values_list("since", flat=True).first()
    return came_at


def clock(conversation: Conversation, *, since: datetime, now: datetime) -> business_days.Clock:
    return business_days.clock(
        since,
        now=now,
        zones=phones.time_zones(conversation.contact.phone),
        country=conversation.sender.brand.default_country,
    )
