"""Where a person stands, computed from all events of their phone: a pure fold, so order of arrival is nothing.

Events are taken by `occurred_at`; at the same instant an opt-out comes after an opt-in, else arrival decides.
The tables `ConsentState` and `Suppression` are copies of what this says (`contacts/consent.py` writes them).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contacts import bases
from contacts.models import Basis, ConsentEvent, ConsentSource, EventKind, Purpose

EVERY = "*"
_GRANTS = frozenset({EventKind.OPT_IN, EventKind.IMPORT})
_LIFTS = frozenset({EventKind.LIFT, EventKind.CLARIFY})
_SUPPRESSES = frozenset({EventKind.OPT_OUT, EventKind.SUPPRESS, EventKind.ERASE})
_NOT_YET = 2**63  # sequence of an event that is about to be appended

Scope = tuple[int | None, str]  # brand (None: every one) and purpose ("*": every one)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Consent to one purpose of one brand, standing or ended."""

    event: ConsentEvent
    is_active: bool
    is_confirmed: bool = False
    is_opted_out: bool = False  # ended by an opt-out, so the person's return may revive it
    ended_by: str = ""  # the kind of event that ended it

    @property
    def weight(self) -> tuple[bool, int]:
        return self.event.is_proven, bases.rank(self.event.basis)

    @property
    def ends_at(self) -> datetime | None:
        return self.event.expires_at or bases.ends_at(self.event.basis, self.event.occurred_at)

    def is_over(self, at: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= at

    def is_live(self, at: datetime) -> bool:
        return self.is_active and not self.is_over(at)


@dataclass(slots=True)
class Standing:
    """Agreements, standing suppressions (scope → the event that caused it), and what lifted the others."""

    brands: frozenset[int] = frozenset()  # every one the history names
    agreements: dict[tuple[int, str], Agreement] = field(default_factory=dict)
    suppressions: dict[Scope, ConsentEvent] = field(default_factory=dict)
    lifted: dict[Scope, ConsentEvent] = field(default_factory=dict)

    def covers(self, brand_id: int, purpose: str) -> bool:
        return any((b, p) in self.suppressions for b in (None, brand_id) for p in (EVERY, purpose))


def fold(events: Iterable[ConsentEvent]) -> Standing:
    """The standing after all of `events` of one phone, in whatever order they are given."""
    ordered = sorted(events, key=_moment)
    brands = frozenset(event.brand_id for event in ordered if event.brand_id is not None)
    standing = _walk(ordered, brands=brands)
    counting = still_claimed(ordered)
    return standing if len(counting) == len(ordered) else _lowered(standing, to=_walk(counting, brands=brands))


def still_claimed(events: Sequence[ConsentEvent]) -> Sequence[ConsentEvent]:
    """The events without the claims of imports that were undone."""
    undone = {event.actor for event in events if event.kind == EventKind.RETRACT}
    if not undone:
        return events
    return [event for event in events if event.kind != EventKind.IMPORT or event.actor not in undone]


def _lowered(standing: Standing, *, to: Standing) -> Standing:
    """What stands without the claims that were taken back: never more than stood with them.

    So consent given elsewhere survives, and nothing that a claim had covered up comes alive behind it.
    """
    for key, agreement in standing.agreements.items():
        without = to.agreements.get(key)
        if without is None:
            to.agreements[key] = replace(agreement, is_active=False, is_opted_out=False)
        elif without.is_active and not agreement.is_active:
            to.agreements[key] = replace(without, is_active=False)
    return to


def _walk(ordered: Iterable[ConsentEvent], *, brands: frozenset[int]) -> Standing:
    standing = Standing(brands=brands)
    for event in ordered:
        if event.kind in _GRANTS:
            _grant(standing, event)
        elif event.kind in _LIFTS:
            _lift(standing, event)
            _revive(standing, event)
        elif event.kind in _SUPPRESSES:
            _suppress(standing, event)
        elif event.kind == EventKind.EXPIRE:
            _expire(standing, event)
        elif event.kind == EventKind.REASSIGN:
            _end(standing, event, is_opted_out=False)
        elif event.kind == EventKind.CONFIRM:
            _confirm(standing, event)
    return standing


def _moment(event: ConsentEvent) -> tuple[datetime, bool, int]:
    return event.occurred_at, event.kind in _SUPPRESSES, event.seq or _NOT_YET


def _grant(standing: Standing, event: ConsentEvent) -> None:
    is_own_act = ConsentSource(event.source).is_own_act and event.kind == EventKind.OPT_IN
    if event.kind == EventKind.OPT_IN:
        _lift(standing, event)
    for purpose in event.purposes:
        if event.brand_id is None:
            continue
        key = (event.brand_id, purpose)
        is_covered = standing.covers(*key)
        ended_by = EventKind.OPT_OUT.value if is_covered else ""
        new = Agreement(event, is_active=not is_covered, is_opted_out=is_covered, ended_by=ended_by)
        old = standing.agreements.get(key)
        standing.agreements[key] = _stronger(old, new, is_own_act=is_own_act) if old else new


def _stronger(old: Agreement, new: Agreement, *, is_own_act: bool) -> Agreement:
    """A weaker statement never spoils a stronger one that stands, or that the person revives by coming back."""
    if old.is_live(new.event.occurred_at):
        return replace(new, is_confirmed=old.is_confirmed) if new.weight >= old.weight else old
    if old.is_opted_out and old.weight > new.weight and (is_own_act or not new.is_active):
        revived = replace(
            old,
            is_active=new.is_active,
            is_opted_out=not new.is_active,
            ended_by="" if new.is_active else old.ended_by,
        )
        if revived.is_live(new.event.occurred_at) or not new.is_active:
            return revived
    return new


def _lift(standing: Standing, event: ConsentEvent) -> None:
    """Take away the suppressions the event may lift, and keep what it did not ask for.

    One of every purpose is narrowed to marketing; one of every brand goes on for each other brand that ever had
    to do with this phone. (A brand that never had has no consent to send on.)
    """
    for scope, cause in list(standing.suppressions.items()):
        brand_id, purpose = scope
        is_asked = purpose in event.purposes or EVERY in event.purposes or purpose == EVERY
        if brand_id not in (None, event.brand_id) or not is_asked:
            continue
        if not ConsentSource(event.source).lifts(ConsentSource(cause.source)):
            continue
        del standing.suppressions[scope]
        standing.lifted[scope] = event
        kept: set[Scope] = set()
        if brand_id is None and event.brand_id is not None:
            kept = {(other, purpose) for other in standing.brands - {event.brand_id}}
        if purpose == EVERY and not {EVERY, Purpose.MARKETING} & set(event.purposes):
            kept.add((event.brand_id, Purpose.MARKETING.value))
        for one in kept:
            standing.suppressions.setdefault(one, cause)
            standing.lifted.pop(one, None)


def _revive(standing: Standing, event: ConsentEvent) -> None:
    """Coming back revives what the opt-out ended; marketing only on complete, express written consent."""
    for (brand_id, purpose), agreement in list(standing.agreements.items()):
        if brand_id != event.brand_id or not {EVERY, purpose} & set(event.purposes):
            continue
        if not agreement.is_opted_out or standing.covers(brand_id, purpose):
            continue
        if purpose == Purpose.MARKETING and agreement.weight != (True, bases.rank(Basis.EXPRESS_WRITTEN)):
            continue
        standing.agreements[brand_id, purpose] = replace(agreement, is_active=True, is_opted_out=False, ended_by="")


def _suppress(standing: Standing, event: ConsentEvent) -> None:
    # With an erasure the evidence is gone: nothing that rested on it comes back.
    _end(standing, event, is_opted_out=event.kind != EventKind.ERASE)
    for purpose in event.purposes:
        scope = (event.brand_id, purpose)
        cause = standing.suppressions.get(scope)
        # Twice is once.
        if cause is None or ConsentSource(event.source).outweighs(ConsentSource(cause.source)):
            standing.suppressions[scope] = event
            standing.lifted.pop(scope, None)


def _end(standing: Standing, event: ConsentEvent, *, is_opted_out: bool) -> None:
    for (brand_id, purpose), agreement in list(standing.agreements.items()):
        if event.brand_id in (None, brand_id) and {EVERY, purpose} & set(event.purposes):
            is_revivable = is_opted_out and (agreement.is_active or agreement.is_opted_out)
            ended_by = str(event.kind) if agreement.is_active else agreement.ended_by
            standing.agreements[brand_id, purpose] = replace(
                agreement, is_active=False, is_opted_out=is_revivable, ended_by=ended_by
            )


def _expire(standing: Standing, event: ConsentEvent) -> None:
    """End what was over by then. A renewal that was given before, and reported later, goes on."""
    for (brand_id, purpose), agreement in list(standing.agreements.items()):
        is_meant = event.brand_id in (None, brand_id) and {EVERY, purpose} & set(event.purposes)
        if is_meant and agreement.is_over(event.occurred_at):
            ended_by = str(event.kind) if agreement.is_active else agreement.ended_by
            standing.agreements[brand_id, purpose] = replace(
                agreement, is_active=False, is_opted_out=False, ended_by=ended_by
            )


def _confirm(standing: Standing, event: ConsentEvent) -> None:
    for (brand_id, purpose), agreement in list(standing.agreements.items()):
        if brand_id == event.brand_id and {EVERY, purpose} & set(event.purposes) and agreement.is_active:
            standing.agreements[brand_id, purpose] = replace(agreement, is_confirmed=True)
