"""Who the agent is talking to, and what may be sent to them: beside the thread."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User

from campaigns import eligibility
from contacts import business_days
from contacts.facts import Verdict
from contacts.models import ConsentState, Hold, Purpose, Suppression
from contacts.standing import EVERY
from inbound import unmatched
from inbound.models import Conversation
from smsdesk import phones


@dataclass(frozen=True, slots=True)
class Sidebar:
    """`verdict` says whether an answer may be sent now; `agents` may be handed the conversation."""

    phone: str
    local_times: list[str]
    consents: list[ConsentState]
    suppressions: list[Suppression]
    hold: Hold | None  # of this brand
    is_held_elsewhere: bool  # a text to another brand waits; everybody's campaigns wait with it
    is_opted_out: bool  # of everything of this brand
    unmatched: business_days.Clock | None  # of a reply to marketing that waits to be dealt with
    verdict: Verdict
    agents: list[User]

    @property
    def may_reply(self) -> bool:
        return self.verdict.outcome == "allowed"


def read(conversation: Conversation, *, reader: User, now: datetime) -> Sidebar:
    contact = conversation.contact
    brand = conversation.sender.brand
    key = contact.subscriber_key
    suppressions = Suppression.objects.filter(subscriber_key=key, lifted_by=None).select_related("brand")
    own = [s for s in suppressions if s.brand_id in (None, brand.pk)]
    held = list(Hold.objects.filter(subscriber_key=key, closed_at=None))
    hold = next((one for one in held if one.brand_id in (None, brand.pk)), None)
    since = unmatched.since(conversation)
    return Sidebar(
        phone=shown_phone(contact.phone, reader=reader),
        local_times=_local_times(contact.time_zone, contact.phone, now),
        consents=list(ConsentState.objects.filter(subscriber_key=key, brand=brand).order_by("purpose")),
        suppressions=own,
        hold=hold,
        is_held_elsewhere=bool(held) and hold is None,
        is_opted_out=any(s.purpose == EVERY for s in own),
        unmatched=unmatched.clock(conversation, since=since, now=now) if since else None,
        verdict=eligibility.explain(contact, sender=conversation.sender, purpose=Purpose.CONVERSATIONAL, at=now),
        agents=_agents() if reader.has_perm("inbound.assign_conversation") else [],
    )


def shown_phone(phone: str, *, reader: User) -> str:
    """In full only for those who may see it."""
    return phones.display(phone) if reader.has_perm("contacts.view_full_phone") else phones.mask(phone)


def _local_times(zone: str, phone: str, now: datetime) -> list[str]:
    """What their clock may say, each reading once: several zones are several answers."""
    zones = (zone,) if zone else phones.time_zones(phone)
    readings = {now.astimezone(ZoneInfo(name)).strftime("%a %H:%M"): name for name in zones}
    return [f"{reading} ({name})" for reading, name in sorted(readings.items(), key=lambda pair: pair[1])][:3]


def _agents() -> list[User]:
    able = User.objects.with_perm("inbound.reply_conversation", backend="django.contrib.auth.backends.ModelBackend")
    return list(able.filter(is_active=True, is_staff=True).order_by("username")[:200])
