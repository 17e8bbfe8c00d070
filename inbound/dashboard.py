"""What the inbox puts on the first page."""

from collections.abc import Iterable

from django.conf import settings
from django.urls import reverse

from campaigns.dashboard import per_day
from inbound import hold_queue, inbox
from inbound.models import ConversationState, InboundMessage, Reply
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


@dashboard.needs.add(permission="inbound.review_hold", order=2)
def doubts_running_out(moment: Moment) -> Iterable[Need]:
    alarming = hold_queue.count_alarming(now=moment.now)
    yield Need("Texts that may be opt-outs and count as such soon", alarming, reverse("inbox_holds"), "bad")


@dashboard.needs.add(permission="inbound.review_hold", order=12)
def doubts(moment: Moment) -> Iterable[Need]:
    yield Need("Texts that may be opt-outs", hold_queue.count(), reverse("inbox_holds"), "wait")


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
