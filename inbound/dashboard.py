"""What the inbox puts on the first page."""

from collections.abc import Iterable

from django.conf import settings
from django.urls import reverse

from campaigns.dashboard import per_day
from contacts.models import Hold
from inbound import inbox
from inbound.models import Conversation, ConversationState, InboundMessage, Reply
from smsdesk import dashboard
from smsdesk.dashboard import Figure, Lesson, Link, Moment, Need, Series


@dashboard.figures.add(permission="inbound.view_conversation", order=20)
def open_conversations(moment: Moment) -> Iterable[Figure]:
    unresolved = inbox.visible_to(moment.user).exclude(state=ConversationState.RESOLVED)
    free = unresolved.filter(assigned_to=None).count()
    yield Figure("Open conversations", f"{unresolved.count():,}", f"{free:,} assigned to nobody")


@dashboard.needs.add(permission="inbound.view_conversation", order=15)
def unread(moment: Moment) -> Iterable[Need]:
    waiting = inbox.visible_to(moment.user).filter(state=ConversationState.OPEN, assigned_to=None)
    yield Need("Conversations nobody has taken", waiting.count(), f"{reverse('inbox')}?view=unassigned", "busy")


@dashboard.needs.add(permission="inbound.view_conversation", order=12)
def doubts(moment: Moment) -> Iterable[Need]:
    held = Hold.objects.filter(closed_at=None)
    keys = list(held.values_list("subscriber_key", flat=True)[:2])
    thread = Conversation.objects.filter(contact__subscriber_key__in=keys).order_by("-last_activity_at").first()
    one = len(keys) == 1 and thread is not None
    url = reverse("inbox_thread", args=[thread.ref]) if one and thread else reverse("inbox")
    yield Need("Texts that may be opt-outs", held.count(), url, "bad")


@dashboard.chart.add(permission="inbound.view_inboundmessage", order=10)
def heard(moment: Moment) -> Iterable[Series]:
    yield Series("In", per_day(InboundMessage.objects.all(), "received_at", moment, name="in"))


@dashboard.quick_actions.add(permission="inbound.view_conversation", order=20)
def answer(moment: Moment) -> Iterable[Link]:
    yield Link("Open the inbox", reverse("inbox"))


@dashboard.navigation.add(permission="inbound.view_conversation", order=10)
def page(moment: Moment) -> Iterable[Link]:
    yield Link("Inbox", reverse("inbox"))


@dashboard.lessons.add(permission="inbound.view_conversation", order=10)
def join(moment: Moment) -> Iterable[Lesson]:
    if settings.SIMULATOR_URL:
        today = InboundMessage.objects.filter(keyword__isnull=False).exists()
        yield Lesson("Text JOIN from a handset and watch the reply", today, f"{settings.SIMULATOR_URL}/phones")


@dashboard.lessons.add(permission="inbound.reply_conversation", order=40)
def first_answer(moment: Moment) -> Iterable[Lesson]:
    answered = Reply.objects.filter(author_id=moment.user.pk).exists()
    yield Lesson("Answer somebody from the inbox", answered, reverse("inbox"))
