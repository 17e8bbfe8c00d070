"""What `permission.judge` needs to know of people, gathered in bulk: three queries for any number of them.

One more asks what they were sent, where a cap bears on any of them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from contacts import facts, frequency, permission, rule_book
from contacts.frequency import Sent
from contacts.models import Brand, ConsentState, Contact, EventKind, Hold, Purpose, Suppression, ZoneSource
from contacts.rule_book import Rule
from smsdesk import area_codes, bulk_sql, phones

PERSON_FIELDS = (
    "phone", "subscriber_key", "name", "external_id", "language", "country", "region",
    "time_zone", "time_zone_source", "attributes", "birth_date", "line_type", "dead_since", "last_inbound_at",
)  # fmt: skip


@dataclass(slots=True)
class Person:
    """A contact's fields as read by `values_list(*PERSON_FIELDS)`; all None where the contact is gone."""

    phone: str
    subscriber_key: str
    name: str
    external_id: str | None
    language: str
    country: str
    region: str
    time_zone: str
    time_zone_source: str
    attributes: Mapping[str, Any]
    birth_date: date | None
    line_type: str
    dead_since: datetime | None
    last_inbound_at: datetime | None


@dataclass(slots=True)
class Standing:
    """What our ledgers say of one phone."""

    consents: tuple[facts.Consent, ...] = ()
    suppressions: tuple[facts.Suppressed, ...] = ()
    is_held: bool = False

    def is_reassigned(self, brand_id: int) -> bool:
        """Whether consent to the brand ended with a new owner of the number, who has agreed to nothing since."""
        own = [one for one in self.consents if one.brand_id == brand_id]
        return any(one.ended_by == EventKind.REASSIGN for one in own) and not any(one.is_active for one in own)


@dataclass(slots=True)
class Known:
    """What our ledgers say of some phones: where they stand, and what they were sent (by key and purpose)."""

    standing: dict[str, Standing]
    sent: dict[tuple[str, str], list[Sent]] = field(default_factory=dict)

    def note_sent(self, key: str, *, purpose: str, brand_id: int, at: datetime) -> None:
        """One more message is on its way: the next one to the same phone in this batch must count it."""
        self.sent.setdefault((key, purpose), []).append((brand_id, at))

    def forget_sent(self, key: str, *, purpose: str, brand_id: int, at: datetime) -> None:
        """A message that goes again under its own key is one message: it does not count against itself."""
        moments = self.sent.get((key, purpose), [])
        if (brand_id, at) in moments:
            moments.remove((brand_id, at))


class Ledgers(NamedTuple):
    """The rows of our ledgers that bear on some phones today; what was lifted or closed does not."""

    consents: "QuerySet[ConsentState]"
    suppressions: "QuerySet[Suppression]"
    holds: "QuerySet[Hold]"


# When a person last read how to stop is not recorded: so every marketing text says it, the strict reading.
NEEDS_OPTOUT_LINE = True
_PURPOSES = {purpose: frozenset({purpose}) for purpose in Purpose.values}
_NOTHING_KNOWN = Standing()


def base_context(brand: Brand, *, purpose: str) -> facts.Context:
    """What everybody shares who gets a message of this brand and purpose, from a number people can answer."""
    is_marketing = purpose == Purpose.MARKETING
    return facts.Context(
        purpose=purpose,
        brand_id=brand.pk,
        brand_name=brand.name,
        is_paused=brand.sending_paused,
        needs_confirmation=brand.double_opt_in and is_marketing,
        age_min=brand.min_age,
        countries_blocked=frozenset(brand.blocked_countries),
        caps=frequency.load().of(purpose, brand_id=brand.pk),
    )


def rules_version() -> str:
    """Changes with any row of the desk's rules that bears on a decision: quiet hours, closed days, caps."""
    return f"{rule_book.load().version}.{frequency.load().version}"


def know(people: Sequence[Person], *, contexts: Collection[facts.Context], at: datetime) -> Known:
    """What our ledgers say of these people, for messages of these contexts at this instant."""
    return Known(standing([person.subscriber_key for person in people]), sent(people, contexts=contexts, at=at))


def sent(
    people: Sequence[Person], *, contexts: Collection[facts.Context], at: datetime
) -> dict[tuple[str, str], list[Sent]]:
    """What caps may count at `at`, by key and purpose; no query where no cap bears on any of these people."""
    found: dict[tuple[str, str], list[Sent]] = {}
    for purpose in {context.purpose or Purpose.MARKETING.value for context in contexts}:
        caps = [cap for one in contexts if (one.purpose or Purpose.MARKETING) == purpose for cap in one.caps]
        capped = [one.subscriber_key for one in people if caps or permission.caps_by_law(rules(one), purpose)]
        for key, messages in sent_to(capped, purpose=purpose, caps=caps, at=at).items():
            found[key, purpose] = messages
    return found


def sent_to(
    subscriber_keys: Sequence[str], *, purpose: str, caps: Collection[frequency.Cap], at: datetime
) -> dict[str, list[Sent]]:
    """What `caps`, and those of the law, may count at `at`, by key; one query, none without keys."""
    since = min([at - frequency.DAY, *(cap.since(at) for cap in caps)])
    return frequency.sent(subscriber_keys, purpose=purpose, since=since)


def ledgers(subscriber_keys: Collection[str]) -> Ledgers:
    """Consents of every brand: "wrong brand" is a reason of its own."""
    is_one_of_them = bulk_sql.among("subscriber_key", subscriber_keys)
    return Ledgers(
        ConsentState.objects.filter(is_one_of_them),
        Suppression.objects.filter(is_one_of_them, lifted_by=None),
        Hold.objects.filter(is_one_of_them, closed_at=None),
    )


def standing(subscriber_keys: Collection[str]) -> dict[str, Standing]:
    """By subscriber key: consents, standing suppressions, holds. A key without any of them is absent."""
    found: defaultdict[str, Standing] = defaultdict(Standing)
    consents, suppressions, holds = ledgers(subscriber_keys)
    states = consents.values_list(
        "subscriber_key", "brand_id", "purpose", "basis", "occurred_at", "expires_at", "is_active", "ended_by",
        "is_confirmed", "is_proven", "event_id",
    )  # fmt: skip
    for key, brand, purpose, *rest in states:
        one = found[key]
        details: Sequence[Any] = rest
        one.consents = (*one.consents, facts.Consent(brand, _PURPOSES[purpose], *details))
    for key, *rest in suppressions.values_list("subscriber_key", "brand_id", "purpose", "source", "since"):
        one = found[key]
        scope: Sequence[Any] = rest
        one.suppressions = (*one.suppressions, facts.Suppressed(*scope))
    for key in holds.values_list("subscriber_key", flat=True):
        found[key].is_held = True
    return dict(found)


def facts_of(
    people: Sequence[Person],
    *,
    context: facts.Context,
    known: Known,
    bodies: Sequence[str | None] | None = None,
) -> list[facts.Facts]:
    """The facts about each person, in order; `bodies` are the rendered texts, None where there is none."""
    return [
        _facts(person, context, known, body)
        for person, body in zip(people, bodies or [None] * len(people), strict=True)
    ]


def person_of(contact: Contact) -> Person:
    return Person(*(getattr(contact, name) for name in PERSON_FIELDS))


def facts_about(contact: Contact, *, context: facts.Context, at: datetime, body: str | None = None) -> facts.Facts:
    """The facts about one contact, stored or not: a phone nobody knows may be asked about too."""
    person = person_of(contact)
    known = know([person], contexts=[context], at=at)
    return facts_of([person], context=context, known=known, bodies=[body])[0]


def rules(person: Person) -> tuple[Rule, ...]:
    number_state = area_codes.state(person.phone)
    return rule_book.load().rules_for(person.country, address_state=person.region, number_state=number_state)


def _kind(person: Person) -> str:
    """What the plan says of the number, checked again since plans change; a lookup knows better than the plan."""
    said = phones.kind(person.phone)
    if person.line_type in permission.NO_TEXTS and said != phones.NumberKind.INVALID:
        return person.line_type
    return said


def _facts(person: Person, context: facts.Context, known: Known, body: str | None) -> facts.Facts:
    stated = person.time_zone_source == ZoneSource.STATED
    stands = known.standing.get(person.subscriber_key, _NOTHING_KNOWN)
    return facts.Facts(
        context=context,
        number=person.phone,
        region=person.country,
        kind=_kind(person),
        zones=phones.time_zones(person.phone),
        rules=rules(person),
        consents=stands.consents,
        suppressions=stands.suppressions,
        body=body,
        last_inbound_at=person.last_inbound_at,
        recent=tuple(known.sent.get((person.subscriber_key, context.purpose or Purpose.MARKETING), ())),
        is_held=stands.is_held,
        dead_since=person.dead_since,
        is_reassigned=stands.is_reassigned(context.brand_id),
        needs_optout_line=NEEDS_OPTOUT_LINE,
        contact_zones=(person.time_zone,) if person.time_zone and not stated else (),
        zone_override=person.time_zone if stated else "",
        birth_date=person.birth_date,
    )
