"""Wake-ups. Each may run zero, one or several times, at once and anywhere: rows decide."""

from campaigns import draining, pulse, sending
from campaigns.models import Campaign, CampaignState, MessageInMotion, OutboundState
from smsdesk import clock
from smsdesk.models import Heartbeat


def drain() -> None:
    """Send for 20 s; wake a successor shortly before, or at the end, if there is something due."""
    if draining.drain(relieve=relieve):
        wake_if_due()


def tick() -> None:
    """The minute tick: heals whatever a lost task would have done."""
    Heartbeat.objects.update_or_create(name="tick", defaults={"beat_at": clock.database_now()})
    wake_if_due()  # first: a gateway that hangs keeps whoever asks it for a while
    pulse.heal()
    wake_if_due()


def wake_if_due() -> None:
    """A drain, where rows are due and the drains that run are not enough."""
    if _is_any_sending():
        sending.wake_all()
    elif _is_single_due():
        sending.wake()


def relieve() -> bool:
    """A drain that leaves soon calls the next one; False where nothing is due."""
    if not _is_any_sending() and not _is_single_due():
        return False
    sending.wake_another()
    return True


def _is_any_sending() -> bool:
    return Campaign.objects.filter(state=CampaignState.SENDING).exists()


def _is_single_due() -> bool:
    queued = MessageInMotion.objects.filter(state=OutboundState.QUEUED, campaign=None)
    return queued.filter(due_at__lte=clock.database_now()).exists()
