"""Judging many people at one instant: whoever differs in nothing that bears on the verdict is judged once.

The judge is asked, never imitated. What is known of a person is brought into a form in which all that cannot matter
at this instant is alike: when consent was given matters only in whether it is over by now, and the database says
that. `tests/test_likeness.py` judges random people in both ways.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper

from contacts import content, facts, gathering, lapsing, permission
from contacts.frequency import Sent
from contacts.gathering import Known, Person, Standing
from contacts.models import ConsentState, Hold, Purpose, Suppression
from smsdesk import bulk_sql, phones

Alike = tuple[Any, ...]
# Of a consent, in this order: brand, purpose, basis, is active, ended by, is confirmed, is proven, is over by now.
_CONSENT = ("brand_id", "purpose", "basis", "is_active", "ended_by", "is_confirmed", "is_proven", "is_over")
_SUPPRESSION = ("brand_id", "purpose", "source")


@dataclass(slots=True)
class _Said:
    """What the ledgers say of one phone, without the moments."""

    consents: Alike = ()
    suppressions: Alike = ()
    is_held: bool = False


@dataclass(slots=True)
class Read:
    """What the ledgers say of some people; from `Judge.read`, for `Judge.verdicts`."""

    said: Mapping[str, _Said]
    sent: dict[tuple[str, str], list[Sent]] = field(default_factory=dict)


_NOTHING_SAID = _Said()


class Judge:
    """Verdicts on messages of one context at one instant; their `detail` may be that of somebody alike."""

    def __init__(self, *, context: facts.Context, at: datetime) -> None:
        self._context = context
        self._at = at
        self._purpose = context.purpose or Purpose.MARKETING.value
        self._verdicts: dict[Alike, facts.Verdict] = {}

    def read(self, people: Sequence[Person]) -> Read:
        """All that is asked of the database, in a handful of queries; may run beside `verdicts` of others."""
        said = _said([person.subscriber_key for person in people], at=self._at)
        return Read(said, gathering.sent(people, contexts=[self._context], at=self._at))

    def verdicts(
        self, people: Sequence[Person], *, read: Read, bodies: Sequence[str | None]
    ) -> list[facts.Verdict]:
        """In the order of `people`; `bodies` are the rendered texts, None where there is none."""
        return [self._verdict(person, read, body) for person, body in zip(people, bodies, strict=True)]

    def _verdict(self, person: Person, read: Read, body: str | None) -> facts.Verdict:
        said = read.said.get(person.subscriber_key, _NOTHING_SAID)
        if read.sent and (person.subscriber_key, self._purpose) in read.sent:
            return self._judged(person, said, read, body)  # when they were sent is exact: hardly anybody is alike
        key = self._key(person, said, body)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verdicts[key] = self._judged(person, said, read, body)
        return verdict

    def _judged(self, person: Person, said: _Said, read: Read, body: str | None) -> facts.Verdict:
        known = Known({person.subscriber_key: self._standing(said)}, read.sent)
        [about] = gathering.facts_of([person], context=self._context, known=known, bodies=[body])
        return permission.judge(about, self._at)

    def _key(self, person: Person, said: _Said, body: str | None) -> Alike:
        """Of everything `Facts` says of a person, what may bear on the verdict at this instant."""
        plan = phones.plan(person.phone)
        return (
            plan.kind,
            plan.time_zones,
            person.line_type,
            gathering.rules(person),
            person.country,
            person.time_zone,
            person.time_zone_source,
            said.consents,
            said.suppressions,
            said.is_held,
            person.dead_since is None,
            person.birth_date if self._context.age_min is not None else None,
            person.last_inbound_at if self._purpose == Purpose.CONVERSATIONAL else None,
            None if body is None else self._fault(body, person.country),
        )

    def _fault(self, body: str, region: str) -> str:
        found = content.fault(
            body, context=self._context, region=region, needs_optout_line=gathering.NEEDS_OPTOUT_LINE
        )
        return found.code if found else ""

    def _standing(self, said: _Said) -> Standing:
        return Standing(
            tuple(self._consent(*one) for one in said.consents),
            tuple(facts.Suppressed(*one) for one in said.suppressions),
            said.is_held,
        )

    def _consent(
        self,
        brand_id: int,
        purpose: str,
        basis: str,
        is_active: bool,
        ended_by: str,
        is_confirmed: bool,
        is_proven: bool,
        is_over: bool,
    ) -> facts.Consent:
        """One given at this instant, and over at once where the real one is over."""
        return facts.Consent(
            brand_id,
            frozenset({purpose}),
            basis,
            given_at=self._at,
            expires_at=self._at if is_over else None,
            is_active=is_active,
            ended_by=ended_by,
            is_confirmed=is_confirmed,
            is_proven=is_proven,
        )


def _said(keys: Sequence[str], *, at: datetime) -> dict[str, _Said]:
    """By subscriber key, as `gathering.standing`; a key of which nothing is known is absent."""
    found: defaultdict[str, _Said] = defaultdict(_Said)
    is_one_of_them = bulk_sql.among("subscriber_key", keys)
    is_over = ExpressionWrapper(lapsing.is_over(at), output_field=BooleanField())
    states = ConsentState.objects.filter(is_one_of_them).annotate(is_over=is_over)
    for row in states.values_list(*_CONSENT, "subscriber_key"):
        one = found[row[-1]]
        one.consents = (*one.consents, row[:-1])
    standing = Suppression.objects.filter(is_one_of_them, lifted_by=None)
    for row in standing.values_list(*_SUPPRESSION, "subscriber_key"):
        one = found[row[-1]]
        one.suppressions = (*one.suppressions, row[:-1])
    for key in Hold.objects.filter(is_one_of_them, closed_at=None).values_list("subscriber_key", flat=True):
        found[key].is_held = True
    return dict(found)
