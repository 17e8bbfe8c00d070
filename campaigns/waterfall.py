"""Who of an audience will be sent a text, who waits and who is skipped, and why: counted by the judge that sends.

A large audience is counted in runs of limited time; a `Tally` says how far it has come and goes on from there.
"""

import hashlib
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from campaigns import audience, eligibility, preference_links, reasons, rendering
from campaigns.models import Campaign
from contacts.models import Contact, ListMembership
from contacts.segments import rules
from smsdesk import sms_text

CHUNK = 1_000  # contacts read, rendered and judged at a time
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
    """Examine the next people for at most about `seconds`, at least one chunk; the same tally, further on.

    A text that does not compile is judged as if there were none.
    """
    at = max(campaign.send_at or now, now)
    template = rendering.compile(campaign.body) if campaign.body.strip() else None
    people = audience.contacts_of(campaign, at=audience.instant(campaign, now=now))
    until = time.monotonic() + seconds
    while not tally.is_done:
        _examine(tally, people, campaign=campaign, template=template, at=at)
        if time.monotonic() > until:
            break
    return tally


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


def _examine(
    tally: Tally,
    people: "QuerySet[Contact]",
    *,
    campaign: Campaign,
    template: rendering.Template | None,
    at: datetime,
) -> None:
    """The next chunk of people, in id order."""
    assert campaign.brand is not None  # `is_countable`
    assert campaign.sender is not None
    found = list(
        people.filter(pk__gt=tally.through).order_by("pk").values_list("pk", *eligibility.PERSON_FIELDS)[:CHUNK]
    )
    chunk = [eligibility.Person(*values[1:]) for values in found]
    context = eligibility.context_of(
        campaign.sender,
        purpose=campaign.purpose,
        brand=campaign.brand,
        send_by=campaign.send_by,
        campaign=campaign,
    )
    texts = [_text(person, template, brand=campaign.brand.name) for person in chunk]
    bodies = [text.body if text and not text.code else None for text in texts]
    verdicts = eligibility.judge_all(chunk, context=context, at=at, bodies=bodies)
    for (contact_id, *_), text, verdict in zip(found, texts, verdicts, strict=True):
        if text is not None and text.code:
            _count(tally.blocked, text.code)
            for name in text.missing if text.code == rendering.FIELD_EMPTY else ():
                _count(tally.missing, name)
        elif verdict.outcome == "blocked":
            _count(tally.blocked, verdict.code)
        else:
            _count_reached(tally, verdict.code, verdict.until)
            if text is not None:
                _count_length(tally, text, contact_id)
    tally.examined += len(chunk)
    tally.through = found[-1][0] if found else tally.through
    tally.is_done = len(chunk) < CHUNK


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
    return template.render(rendering.fields_of(known, brand=brand, link=link))


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _count_reached(tally: Tally, code: str, until: datetime | None) -> None:
    if until is None:
        tally.will_send += 1
        return
    _count(tally.waiting, code)
    moment = until.isoformat()
    tally.waits_from[code] = min(moment, tally.waits_from.get(code, moment))
    tally.waits_to[code] = max(moment, tally.waits_to.get(code, moment))


def _count_length(tally: Tally, text: rendering.Rendered, contact_id: int) -> None:
    _count(tally.parts, str(text.parts))
    # Units of the two encodings are compared by the share of a part they take.
    units = sms_text.measure(text.body).units * (160 if text.encoding == "ucs2" else 70)
    if units > tally.longest_units:
        tally.longest_units, tally.longest_contact = units, contact_id


def audience_key(campaign: Campaign) -> str:
    """Changes when another list or segment is chosen or a segment is changed, which `updated_at` does not show."""
    chosen: list[object] = [
        sorted(one.values_list("pk", flat=True)) for one in (campaign.include, campaign.exclude)
    ]
    for segments in (campaign.include_segments, campaign.exclude_segments):
        chosen.append(sorted((pk, moment.timestamp()) for pk, moment in segments.values_list("pk", "updated_at")))
    return hashlib.sha256(repr(chosen).encode()).hexdigest()


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
