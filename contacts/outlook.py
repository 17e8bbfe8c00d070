"""What the page of one contact says: where they are, what stands against them, what may be sent now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from contacts import consent, facts, gathering, permission, quiet_hours
from contacts.models import Brand, ConsentEvent, Contact, Hold, Purpose, Suppression, ZoneSource
from smsdesk import phones

PURPOSES = (Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL)
MOST_EVENTS = 200  # shown; the ledger keeps all


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict on a message of one brand and purpose."""

    brand: Brand
    purpose: Purpose
    verdict: facts.Verdict

    @property
    def pill(self) -> str:
        return {"allowed": "pill-ok", "deferred": "pill-wait", "blocked": "pill-bad"}[self.verdict.outcome]

    @property
    def word(self) -> str:
        return {"allowed": "Yes", "deferred": "Later", "blocked": "No"}[self.verdict.outcome]


@dataclass(frozen=True, slots=True)
class LocalTime:
    zone: str
    shown: str


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the consent history in words."""

    event: ConsentEvent
    purposes: str
    evidence: dict[str, str]


def answers(contact: Contact, *, brands: Iterable[Brand], at: datetime) -> list[Answer]:
    """The judge's verdict per brand and purpose, from one reading of the ledgers."""
    person = gathering.person_of(contact)
    asked = [
        (brand, purpose, gathering.base_context(brand, purpose=purpose)) for brand in brands for purpose in PURPOSES
    ]
    known = gathering.know([person], contexts=[context for _, _, context in asked], at=at)
    found = []
    for brand, purpose, context in asked:
        [about] = gathering.facts_of([person], context=context, known=known)
        found.append(Answer(brand, purpose, permission.judge(about, at)))
    return found


def local_times(contact: Contact, *, at: datetime) -> list[LocalTime]:
    """The clock in every zone this person may be in."""
    zones = phones.time_zones(contact.phone)
    if contact.time_zone_source == ZoneSource.STATED:
        zones = (contact.time_zone,)
    elif contact.time_zone:
        zones = tuple(sorted({*zones, contact.time_zone}))
    return [LocalTime(zone, at.astimezone(ZoneInfo(zone)).strftime("%a %H:%M")) for zone in zones if is_zone(zone)]


def is_zone(zone: str) -> bool:
    return zone != quiet_hours.NOT_A_ZONE and quiet_hours.is_zone(zone)


def history(contact: Contact) -> list[Change]:
    return [
        Change(event, _purposes(event), _evidence(event))
        for event in consent.history(contact.subscriber_key)[:MOST_EVENTS]
    ]


def suppressions(contact: Contact) -> list[Suppression]:
    standing = Suppression.objects.filter(subscriber_key=contact.subscriber_key, lifted_by=None)
    return list(standing.select_related("brand").order_by("since"))


def open_hold(contact: Contact) -> Hold | None:
    return Hold.objects.filter(subscriber_key=contact.subscriber_key, closed_at=None).first()


def _purposes(event: ConsentEvent) -> str:
    return ", ".join("every purpose" if one == "*" else one for one in event.purposes)


def _evidence(event: ConsentEvent) -> dict[str, str]:
    """Without what the page shows anyway; empty once it has been erased."""
    evidence = getattr(event, "evidence", None)
    document = evidence.document if evidence else {}
    return {name: value for name, value in document.items() if name not in ("phone", "name")}
