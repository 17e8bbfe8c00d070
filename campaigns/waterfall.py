"""Who of an audience will be sent a text, who waits and who is skipped, and why: counted by the judge that sends.

A large audience is counted in runs of limited time; a `Tally` says how far it has come and goes on from there.
"""

import gc
import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from campaigns import audience, eligibility, ranges, reasons, rendering, sender_choice, texts
from campaigns.models import Campaign, Sender
from contacts import facts, gathering, likeness
from contacts.models import ListMembership
from contacts.segments import rules

Alike = tuple[likeness.Kind, texts.Effect]

AT_ONCE = 5_000  # an audience up to this size is counted in one run


@dataclass
class Tally:
    """Counts so far; a plain value that can be kept between runs."""

    memberships: int = 0  # places on the included lists and in the included segments
    on_lists: int = 0  # different people in them
    audience: int = 0  # without those on an excluded list or in an excluded segment
    examined: int = 0
    through: int = 0  # highest contact id examined
    will_send: int = 0
    blocked: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    waits_from: dict[str, str] = field(default_factory=dict)  # first instant one of them may be sent
    waits_to: dict[str, str] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)  # empty field: people
    parts: dict[str, int] = field(default_factory=dict)  # parts: people, of those who will be sent or wait
    longest_units: int = 0
    longest_contact: int | None = None
    is_done: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the waterfall; `of` is its denominator."""

    code: str
    label: str
    count: int
    of: int
    kind: str  # total, out, wait, go

    @property
    def percent(self) -> float:
        return round(100 * self.count / self.of, 1) if self.of else 0.0


def is_countable(campaign: Campaign) -> bool:
    """Whether brand and sender are known; without them nobody can be judged."""
    return campaign.brand is not None and campaign.sender is not None


def begin(campaign: Campaign, *, now: datetime) -> Tally:
    """Sizes only: three counts, and one more for each included segment."""
    at = audience.instant(campaign, now=now)
    places = ListMembership.objects.filter(list__in=campaign.include.all()).count()
    for rule in audience.rules_of(campaign, "include_segments"):
        places += rules.people(rule, at=at).count()
    return Tally(
        memberships=places,
        on_lists=audience.included(campaign, at=at).count(),
        audience=audience.contacts_of(campaign, at=at).count(),
    )


def advance(tally: Tally, campaign: Campaign, *, now: datetime, seconds: float) -> Tally:
    """Examine the next people for at most about `seconds`, at least one range of ids; the same tally, further on.

    A text that does not compile is judged as if there were none.
    """
    assert campaign.brand is not None  # `is_countable`
    assert campaign.sender is not None
    at = max(campaign.send_at or now, now)
    template = rendering.compile(campaign.body) if campaign.body.strip() else None
    judge = likeness.Judge(context=_context(campaign, campaign.sender), at=at, senders=_senders(campaign))
    until = time.monotonic() + seconds
    wording = texts.Texts(template, brand=campaign.brand.name, judge=judge)
    as_of = audience.instant(campaign, now=now)
    coming = ranges.after(tally.through, campaign=campaign, at=as_of, judge=judge, words=wording.words, until=until)
    with closing(coming), _no_collector():
        for found in coming:
            for group in found.read.groups:
                _examine(tally, group, read=found.read, wording=wording, judge=judge)
            tally.through = found.through
            if time.monotonic() > until:
                break
    tally.is_done = audience.end_of_range(campaign, tally.through, size=1) is None
    return tally


@contextmanager
def _no_collector() -> Iterator[None]:
    """Many small objects, none of them in a circle: looking for circles took a seventh of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def rows(tally: Tally) -> list[Row]:
    """From everybody on the lists down to who will be sent."""
    lines = [Row("", "Places on the chosen lists and segments", tally.memberships, tally.memberships, "total")]
    twice = tally.memberships - tally.on_lists
    if twice:
        lines.append(Row("DUPLICATE", "In more than one of them: counted once", twice, tally.memberships, "out"))
    excluded = tally.on_lists - tally.audience
    if excluded:
        lines.append(Row("EXCLUDED", "On an excluded list or segment", excluded, tally.on_lists, "out"))
    lines.append(Row("", "In the audience", tally.audience, tally.on_lists, "total"))
    of = tally.examined
    for code, count in sorted(tally.blocked.items(), key=lambda item: -item[1]):
        lines.append(Row(code, reasons.summary(code), count, of, "out"))
    for code, count in sorted(tally.waiting.items(), key=lambda item: -item[1]):
        lines.append(Row(code, reasons.summary(code), count, of, "wait"))
    lines.append(Row("OK", "Will be sent at once", tally.will_send, of, "go"))
    return lines


def _context(campaign: Campaign, sender: Sender) -> facts.Context:
    return eligibility.context_of(
        sender, purpose=campaign.purpose, brand=campaign.brand, send_by=campaign.send_by, campaign=campaign
    )


def _senders(campaign: Campaign) -> likeness.Senders | None:
    """As the snapshot would choose now; None where there is nothing to choose."""
    which = sender_choice.of_contacts(campaign)
    if which is None:
        return None
    return likeness.Senders(which, {one.pk: _context(campaign, one) for one in sender_choice.senders(campaign)})


def _examine(
    tally: Tally, group: likeness.Group, *, read: likeness.Read, wording: texts.Texts, judge: likeness.Judge
) -> None:
    """Whoever is of one kind and gets a text of one effect is counted at once."""
    kinds = judge.kinds(group, read)
    written, effects = wording.of(group)
    everybody = list(zip(kinds, effects, strict=True))
    kept_back = set()
    for alike, count in Counter(everybody).items():
        kind, effect = alike
        verdict = None if effect.code else judge.verdict(group, kind, body=effect.body, fault=effect.fault)
        if verdict is None or verdict.outcome == "blocked":
            _count(tally.blocked, verdict.code if verdict else effect.code, count)
            kept_back.add(alike)
        else:
            _count_reached(tally, verdict, effect, count)
        for name in effect.missing if effect.code == rendering.FIELD_EMPTY else ():
            _count(tally.missing, name, count)
    _note_longest(tally, group.ids, written, everybody, kept_back=kept_back)
    tally.examined += len(everybody)


def _count_reached(tally: Tally, verdict: facts.Verdict, effect: texts.Effect, count: int) -> None:
    if effect.body is not None:
        _count(tally.parts, str(effect.parts), count)
    if verdict.until is None:
        tally.will_send += count
        return
    code, moment = verdict.code, verdict.until.isoformat()
    _count(tally.waiting, code, count)
    tally.waits_from[code] = min(moment, tally.waits_from.get(code, moment))
    tally.waits_to[code] = max(moment, tally.waits_to.get(code, moment))


def _note_longest(
    tally: Tally, ids: list[int], written: list[texts.Text], everybody: list[Alike], *, kept_back: set[Alike]
) -> None:
    """Who gets the longest text; of several the one with the lowest id."""
    is_of_this_range = (tally.longest_contact or 0) > tally.through
    least = tally.longest_units if is_of_this_range else tally.longest_units + 1
    longer = {text for text in written if text.units >= least}
    if not longer:
        return
    for contact_id, text, alike in zip(ids, written, everybody, strict=True):
        if text in longer and alike not in kept_back:
            before = (tally.longest_units, -(tally.longest_contact or 0))
            if (text.units, -contact_id) > before:
                tally.longest_units, tally.longest_contact = text.units, contact_id


def _count(counts: dict[str, int], key: str, count: int) -> None:
    counts[key] = counts.get(key, 0) + count


def key(campaign: Campaign) -> str:
    """Changes with all that a tally rests on but the people: text, audience, segments, rules, sender, brand."""
    chosen: list[object] = [
        sorted(one.values_list("pk", flat=True)) for one in (campaign.include, campaign.exclude)
    ]
    for segments in (campaign.include_segments, campaign.exclude_segments):
        chosen.append(sorted((pk, moment.timestamp()) for pk, moment in segments.values_list("pk", "updated_at")))
    for reach in sender_choice.reaches(campaign):
        assert reach.sender is not None  # `is_countable`
        shared = sorted(asdict(_context(campaign, reach.sender)).items())
        # A set has another order in every process.
        chosen += [(name, sorted(value) if isinstance(value, frozenset) else value) for name, value in shared]
        # Of a pool each gets as many people as its rate is of all.
        chosen.append((reach.sender.pk, sorted(reach.countries), reach.countries and reach.sender.parts_per_second))
    told = [campaign.pk, campaign.updated_at.timestamp(), gathering.rules_version(), chosen]
    return hashlib.sha256(repr(told).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Wait:
    """People who wait for one reason, and when the first and the last of them may be sent."""

    code: str
    count: int
    earliest: datetime
    latest: datetime


def waits(tally: Tally) -> list[Wait]:
    return [
        Wait(
            code,
            count,
            datetime.fromisoformat(tally.waits_from[code]),
            datetime.fromisoformat(tally.waits_to[code]),
        )
        for code, count in sorted(tally.waiting.items())
    ]
