"""Judging many people at one instant: whoever differs in nothing that bears on the verdict is judged once.

The judge is asked, never imitated. What is known of a person is brought into a form in which all that cannot matter
at this instant is alike: when consent was given matters only in whether it is over by now, and the database says
that. The database also puts together who is alike, and hands over ids, phones and keys of a group in one cell each.
`tests/test_likeness.py` judges random people in both ways.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import repeat
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.expressions import Combinable

from contacts import content, facts, gathering, lapsing, permission, rule_book
from contacts.frequency import Cap
from contacts.gathering import Known, Person, Standing
from contacts.models import Contact, Purpose
from contacts.rule_book import Rule
from smsdesk import area_codes, packing, phones
from smsdesk.numbering import Plan

Alike = tuple[Any, ...]
MOST_VERDICTS = 50_000  # remembered at a time
# Of a person, besides the phone, the ledgers and the text.
_SHARED = ("country", "region", "time_zone", "time_zone_source", "line_type", "is_dead")
# Of a consent, in this order: brand, purpose, basis, is active, ended by, is confirmed, is proven, is over by now.
_CONSENT = ("brand_id", "purpose", "basis", "is_active", "ended_by", "is_confirmed", "is_proven", "is_over")
_SUPPRESSION = ("brand_id", "purpose", "source")
_HOLD = ("brand_id",)
_SENT_FROM = "sent_from"
_IS_DEAD = ExpressionWrapper(Q(dead_since__isnull=False), output_field=BooleanField())


@dataclass(eq=False, slots=True)
class _Row:
    """One row of a ledger, without the moments; there is only one object for all rows that say the same."""

    kind: str  # consent, suppression, hold, sent
    values: Alike = ()


Said = tuple[_Row, ...]  # all the ledgers say of one phone
Kind = tuple[int, Said]  # the number of a place (`Judge.kinds`), and what the ledgers say


@dataclass
class Group:
    """People whose rows differ in phone and words alone. All lists are in the same order, which means nothing."""

    shared: Mapping[str, Any]
    keys: list[str]
    _cells: Sequence[str]  # ids, phones, words; unpacked when asked for, which is not while the next ones are read

    @cached_property
    def ids(self) -> list[int]:
        return packing.unpacked(self._cells[0])

    @cached_property
    def phones(self) -> list[str]:
        return packing.unpacked(self._cells[1])

    @cached_property
    def words(self) -> list[list[str | None]]:
        """By expression given to `Judge.people`."""
        return [packing.unpacked(cell) for cell in self._cells[2:]]

    @cached_property
    def country(self) -> str:
        return str(self.shared["country"])

    @cached_property
    def sender(self) -> int | None:
        """The one all are sent from, where the judge was told that there are several (`Senders`)."""
        return self.shared.get(_SENT_FROM)

    @cached_property
    def bearing(self) -> Alike:
        return tuple(value for name, value in self.shared.items() if name != "region")


@dataclass
class Read:
    """Some people and what the ledgers say of them."""

    groups: list[Group]
    _rows: list[tuple[_Row, str]]  # and the keys of the phones it is said of, in one cell
    _sent: Mapping[str, _Row]

    @cached_property
    def said(self) -> dict[str, Said]:
        """By subscriber key, as `gathering.standing`; a key of which nothing is known is absent."""
        found: dict[str, Said] = {}
        for one, cell in self._rows:
            row = (one,)
            for key in packing.unpacked(cell):
                found[key] = found[key] + row if key in found else row
        for key, one in self._sent.items():
            found[key] = (*found.get(key, ()), one)
        return found


@dataclass(frozen=True, slots=True)
class Senders:
    """Where people are sent from several: `which` is an expression of a contact, `contexts` are by its value.

    They differ in what is of the sender alone.
    """

    which: Combinable
    contexts: Mapping[int, facts.Context]


class Judge:
    """Verdicts on messages of one context, or one for each of several `senders`, at one instant.

    The `detail` of a verdict may be that of somebody alike.
    """

    def __init__(self, *, context: facts.Context, at: datetime, senders: Senders | None = None) -> None:
        self._context = context
        self._senders = senders
        self._at = at
        self._purpose = context.purpose or Purpose.MARKETING.value
        self._shared = [*_SHARED]
        if context.age_min is not None:
            self._shared.append("birth_date")
        if self._purpose == Purpose.CONVERSATIONAL:
            self._shared.append("last_inbound_at")
        if senders is not None:
            self._shared.append(_SENT_FROM)
        self._rows: dict[Alike, _Row] = {}
        self._places: dict[Alike, int] = {}
        self._examples: list[tuple[Plan, str, str]] = []  # of a place: plan, US state, some phone there
        self._verdicts: dict[Alike, facts.Verdict] = {}

    # --- Reading: may run beside `verdict` of others -------------------------------------------------------

    def people(self, chosen: "QuerySet[Contact]", *, words: Sequence[Combinable]) -> list[Group]:
        """Who is to be judged, in one query; `words`: texts the caller wants of each."""
        columns = {"all_keys": "subscriber_key", "all_ids": "pk", "all_phones": "phone"}
        packed = {name: packing.Packed(column) for name, column in columns.items()}
        packed |= {f"words_{place}": packing.Packed(word) for place, word in enumerate(words)}
        asked = chosen.order_by().annotate(is_dead=_IS_DEAD)
        if self._senders is not None:
            asked = asked.annotate(**{_SENT_FROM: self._senders.which})
        alike = asked.values(*self._shared).annotate(**packed)
        width = len(self._shared)
        groups = []
        for row in alike.values_list(*self._shared, *packed):
            shared = dict(zip(self._shared, row, strict=False))
            groups.append(Group(shared, packing.unpacked(row[width]), row[width + 1 :]))
        return groups

    def read(self, groups: list[Group]) -> Read:
        """What the ledgers say of them, in a handful of queries."""
        keys = [key for group in groups for key in group.keys]
        return Read(groups, list(self._rows_of(keys)), self._sent(groups))

    def _rows_of(self, keys: Sequence[str]) -> Iterator[tuple[_Row, str]]:
        ledgers = gathering.ledgers(keys)
        is_over = ExpressionWrapper(lapsing.is_over(self._at), output_field=BooleanField())
        yield from self._packed("consent", ledgers.consents.annotate(is_over=is_over), _CONSENT)
        yield from self._packed("suppression", ledgers.suppressions, _SUPPRESSION)
        yield from self._packed("hold", ledgers.holds, _HOLD)

    def _packed(self, kind: str, rows: "QuerySet[Any]", columns: Sequence[str]) -> Iterator[tuple[_Row, str]]:
        """Each combination of these columns there is, and the keys of those who have it."""
        alike = rows.order_by().values(*columns).annotate(all_keys=packing.Packed("subscriber_key"))
        for *values, cell in alike.values_list(*columns, "all_keys"):
            yield self._rows.setdefault((kind, *values), _Row(kind, tuple(values))), cell

    def _sent(self, groups: Sequence[Group]) -> dict[str, _Row]:
        """What was sent, where it reaches a cap: when is exact, so hardly anybody is alike."""
        capped: dict[str, list[Cap]] = {}
        for group in groups:
            states = list(map(area_codes.state, group.phones))
            by_state = {state: self._caps(group, state) for state in set(states)}
            if any(by_state.values()):
                caps = map(by_state.__getitem__, states)
                capped |= {key: some for key, some in zip(group.keys, caps, strict=True) if some}
        sent = gathering.sent_to(list(capped), purpose=self._purpose, caps=self._context.caps, at=self._at)
        return {
            key: _Row("sent", tuple(messages))
            for key, messages in sent.items()
            if any(cap.reached(messages, self._at) for cap in capped[key])
        }

    def _caps(self, group: Group, state: str) -> list[Cap]:
        return [*self._context.caps, *permission.caps_by_law(self._rules(group, state), self._purpose)]

    # --- Judging -------------------------------------------------------------------------------------------

    def kinds(self, group: Group, read: Read) -> list[Kind]:
        """In the order of the group: two people of one kind get the same verdict on the same text."""
        places = map(self._place, group.phones)
        return list(zip(places, map(read.said.get, group.keys, repeat(())), strict=False))

    def _place(self, phone: str) -> int:
        plan, state = phones.plan(phone), area_codes.state(phone)
        place = (plan.kind, plan.time_zones, state)
        number = self._places.get(place)
        if number is None:
            number = self._places[place] = len(self._places)
            self._examples.append((plan, state, phone))
        return number

    def verdict(self, group: Group, kind: Kind, *, body: str | None, fault: str) -> facts.Verdict:
        """On the text `body` (None where there is none), of which `fault` says what is wrong (from `fault`)."""
        place, said = kind
        plan, state, _ = self._examples[place]
        rules = self._rules(group, state)  # all that the contact's region and the number's state bear on
        key = (plan.kind, plan.time_zones, rules, group.bearing, said, body is None, fault)
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) >= MOST_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[key] = self._judged(group, kind, body)
        return verdict

    def fault(self, body: str, country: str, *, sender: int | None = None) -> str:
        """What is wrong with a text for people of this country, "" for nothing. `sender`: of several, this one."""
        context = self._context_of(sender)
        found = content.fault(body, context=context, region=country, needs_optout_line=gathering.NEEDS_OPTOUT_LINE)
        return found.code if found else ""

    def _context_of(self, sender: int | None) -> facts.Context:
        return self._context if self._senders is None or sender is None else self._senders.contexts[sender]

    def _rules(self, group: Group, state: str) -> tuple[Rule, ...]:
        return rule_book.load().rules_for(group.country, address_state=group.shared["region"], number_state=state)

    def _judged(self, group: Group, kind: Kind, body: str | None) -> facts.Verdict:
        place, said = kind
        person = self._person(group, self._examples[place][2])
        sent = [message for row in said if row.kind == "sent" for message in row.values]
        known = Known({"": self._standing(said)}, {("", self._purpose): sent})
        context = self._context_of(group.sender)
        [about] = gathering.facts_of([person], context=context, known=known, bodies=[body])
        return permission.judge(about, self._at)

    def _person(self, group: Group, phone: str) -> Person:
        shared = group.shared
        return Person(
            phone=phone,
            subscriber_key="",
            name="",
            external_id=None,
            language="",
            country=shared["country"],
            region=shared["region"],
            time_zone=shared["time_zone"],
            time_zone_source=shared["time_zone_source"],
            attributes={},
            birth_date=shared.get("birth_date"),
            line_type=shared["line_type"],
            dead_since=self._at if shared["is_dead"] else None,
            last_inbound_at=shared.get("last_inbound_at"),
        )

    def _standing(self, said: Said) -> Standing:
        return Standing(
            tuple(self._consent(*row.values) for row in said if row.kind == "consent"),
            tuple(facts.Suppressed(*row.values) for row in said if row.kind == "suppression"),
            any(row.kind == "hold" for row in said),
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
