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

from campaigns import audience, eligibility, preference_links, ranges, reasons, rendering
from campaigns.models import Campaign, Sender
from contacts import facts, gathering, likeness
from contacts.models import ListMembership
from contacts.segments import rules
from smsdesk import sms_text

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
    judge = likeness.Judge(context=_context(campaign, campaign.sender), at=at)
    everybody = audience.contacts_of(campaign, at=audience.instant(campaign, now=now))
    until = time.monotonic() + seconds
    coming = ranges.after(tally.through, campaign=campaign, audience_of=everybody, judge=judge, until=until)
    with closing(coming), _no_collector():
        for found in coming:
            _examine(tally, found, template=template, brand=campaign.brand.name, judge=judge)
            if time.monotonic() > until:
                break
    tally.is_done = audience.end_of_range(campaign, tally.through, size=1) is None
    return tally


@contextmanager
def _no_collector() -> Iterator[None]:
    """A hundred thousand small objects, none of them in a circle: looking for circles took a third of the time."""
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


def _examine(
    tally: Tally,
    found: ranges.Range,
    *,
    template: rendering.Template | None,
    brand: str,
    judge: likeness.Judge,
) -> None:
    texts = [_text(person, template, brand=brand) for person in found.people]
    bodies = [text.body if text and not text.code else None for text in texts]
    verdicts = judge.verdicts(found.people, read=found.read, bodies=bodies)
    alike = Counter(zip(map(id, verdicts), (text.code if text else "" for text in texts), strict=True))
    by_id = {id(verdict): verdict for verdict in verdicts}
    for (verdict_id, text_code), count in alike.items():
        _count_verdict(tally, by_id[verdict_id], text_code, count)
    for contact_id, text, verdict in zip(found.ids, texts, verdicts, strict=True):
        if text is None:
            continue
        if text.code:
            for name in text.missing if text.code == rendering.FIELD_EMPTY else ():
                _count(tally.missing, name)
        elif verdict.outcome != "blocked":
            _count_length(tally, text, contact_id)
    tally.examined += len(found.people)
    tally.through = found.through


def _count_verdict(tally: Tally, verdict: facts.Verdict, text_code: str, count: int) -> None:
    if text_code or verdict.outcome == "blocked":
        code = text_code or verdict.code
        tally.blocked[code] = tally.blocked.get(code, 0) + count
    elif verdict.until is None:
        tally.will_send += count
    else:
        code, moment = verdict.code, verdict.until.isoformat()
        tally.waiting[code] = tally.waiting.get(code, 0) + count
        tally.waits_from[code] = min(moment, tally.waits_from.get(code, moment))
        tally.waits_to[code] = max(moment, tally.waits_to.get(code, moment))


def _text(
    person: eligibility.Person, template: rendering.Template | None, *, brand: str
) -> rendering.Rendered | None:
    if template is None:
        return None
    known = {
        "name": person.name,
        "external_id": person.external_id,
        "country": person.country,
        "language": person.language,
        "attributes": person.attributes,
    }
    link = preference_links.example() if template.may_link_out else ""
    return template.render(rendering.fields_of(known, brand=brand, link=link, names=template.names))


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _count_length(tally: Tally, text: rendering.Rendered, contact_id: int) -> None:
    _count(tally.parts, str(text.parts))
    weight = 160 if text.encoding == "ucs2" else 70
    if 2 * len(text.body) * weight <= tally.longest_units:
        return  # no character takes more than two units
    # Units of the two encodings are compared by the share of a part they take.
    units = sms_text.measure(text.body).units * weight
    if units > tally.longest_units:
        tally.longest_units, tally.longest_contact = units, contact_id


def key(campaign: Campaign) -> str:
    """Changes with all that a tally rests on but the people: text, audience, segments, rules, sender, brand."""
    assert campaign.sender is not None  # `is_countable`
    chosen: list[object] = [
        sorted(one.values_list("pk", flat=True)) for one in (campaign.include, campaign.exclude)
    ]
    for segments in (campaign.include_segments, campaign.exclude_segments):
        chosen.append(sorted((pk, moment.timestamp()) for pk, moment in segments.values_list("pk", "updated_at")))
    shared = sorted(asdict(_context(campaign, campaign.sender)).items())
    # A set has another order in every process.
    chosen += [(name, sorted(value) if isinstance(value, frozenset) else value) for name, value in shared]
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
