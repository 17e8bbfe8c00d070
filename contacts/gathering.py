"""What `permission.judge` needs to know of people, gathered in bulk: three queries for any number of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts import facts, permission, quiet_hours
from contacts.models import Brand, ConsentState, Contact, Hold, Purpose, Suppression, ZoneSource
from smsdesk import bulk_sql, phones

PERSON_FIELDS = (
    "phone", "subscriber_key", "name", "external_id", "language", "country", "region",
    "time_zone", "time_zone_source", "attributes", "is_dead", "last_inbound_at",
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
    is_dead: bool
    last_inbound_at: datetime | None


@dataclass(slots=True)
class Standing:
    """What our ledgers say of one phone."""

    consents: tuple[facts.Consent, ...] = ()
    suppressions: tuple[facts.Suppressed, ...] = ()
    is_held: bool = False


_PURPOSES = {purpose: frozenset({purpose}) for purpose in Purpose.values}
_NOTHING_KNOWN = Standing()


def standing(subscriber_keys: Collection[str]) -> dict[str, Standing]:
    """By subscriber key: consents, standing suppressions, holds. A key without any of them is absent.

    Consents of every brand: "wrong brand" is a reason of its own.
    """
    found: defaultdict[str, Standing] = defaultdict(Standing)
    is_one_of_them = bulk_sql.among("subscriber_key", subscriber_keys)
    states = ConsentState.objects.filter(is_one_of_them).values_list(
        "subscriber_key", "brand_id", "purpose", "basis", "occurred_at", "expires_at", "is_active",
        "is_confirmed", "is_proven", "event_id",
    )  # fmt: skip
    for key, brand, purpose, *rest in states:
        one = found[key]
        details: Sequence[Any] = rest
        one.consents = (*one.consents, facts.Consent(brand, _PURPOSES[purpose], *details))
    suppressions = Suppression.objects.filter(is_one_of_them, lifted_by=None)
    for key, *rest in suppressions.values_list("subscriber_key", "brand_id", "purpose", "source", "since"):
        one = found[key]
        scope: Sequence[Any] = rest
        one.suppressions = (*one.suppressions, facts.Suppressed(*scope))
    for key in Hold.objects.filter(is_one_of_them, closed_at=None).values_list("subscriber_key", flat=True):
        found[key].is_held = True
    return dict(found)


def facts_of(
    people: Sequence[Person],
    *,
    context: facts.Context,
    known: Mapping[str, Standing],
    bodies: Sequence[str | None] | None = None,
) -> list[facts.Facts]:
    """The facts about each person, in order; `bodies` are the rendered texts, None where there is none."""
    book = quiet_hours.load_rules()
    return [
        _facts(person, context, known.get(person.subscriber_key, _NOTHING_KNOWN), book, body)
        for person, body in zip(people, bodies or [None] * len(people), strict=True)
    ]


def facts_about(contact: Contact, *, context: facts.Context, body: str | None = None) -> facts.Facts:
    """The facts about one contact."""
    person = Person(*(getattr(contact, name) for name in PERSON_FIELDS))
    known = standing([contact.subscriber_key])
    return facts_of([person], context=context, known=known, bodies=[body])[0]


def may_i(contact: Contact, *, brand: Brand, purpose: Purpose, at: datetime) -> facts.Verdict:
    """ "What may I send now?": the verdict for a text nobody has written yet, from a number people can answer."""
    context = facts.Context(
        purpose=purpose, brand_id=brand.pk, brand_name=brand.name, is_paused=brand.sending_paused
    )
    return permission.judge(facts_about(contact, context=context), at)


def _facts(
    person: Person,
    context: facts.Context,
    known: Standing,
    book: quiet_hours.RuleBook,
    body: str | None,
) -> facts.Facts:
    stated = person.time_zone_source == ZoneSource.STATED
    return facts.Facts(
        context=context,
        number=person.phone,
        region=person.country,
        kind=phones.kind(person.phone),  # checked when it was stored, but numbering plans change
        zones=phones.time_zones(person.phone),
        rules=book.rules_for(person.country, person.region),
        consents=known.consents,
        suppressions=known.suppressions,
        body=body,
        last_inbound_at=person.last_inbound_at,
        is_held=known.is_held,
        is_dead=person.is_dead,
        # When a person last read how to stop is not recorded: so every marketing text says it, the strict reading.
        needs_optout_line=True,
        contact_zones=(person.time_zone,) if person.time_zone and not stated else (),
        zone_override=person.time_zone if stated else "",
    )
