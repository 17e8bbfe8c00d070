"""Wake-ups. Each may run zero, one or several times, at once and anywhere: rows decide."""

from campaigns import draining, pulse, sending
from campaigns.models import Campaign, CampaignState, MessageInMotion, OutboundState
from smsdesk import clock
from smsdesk.models import Heartbeat


def drain() -> None:
    """Send for 20 s; wake a successor shortly before, and at the end once more if there is still something due."""
    if draining.drain(relieve=wake_if_due):
        wake_if_due()


def tick() -> None:
    """The minute tick: heals whatever a lost task would have done."""
    Heartbeat.objects.update_or_create(name="tick", defaults={"beat_at": clock.database_now()})
    wake_if_due()  # first: a gateway that hangs keeps whoever asks it for a while
    pulse.heal()
    wake_if_due()


def wake_if_due() -> None:
    """A drain, where rows are due and the drains that run are not enough."""
    now = clock.database_now()
    single = MessageInMotion.objects.filter(state=OutboundState.QUEUED, campaign=None, due_at__lte=now)
    if Campaign.objects.filter(state=CampaignState.SENDING).exists():
        sending.wake_all()
    elif single.exists():
        sending.wake()
