"""May this message leave now? The judge of `contacts.permission`, plus what is about the message itself.

One way for all: the send path under the contacts' locks, the waterfall before launch, the contact page, the API.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from campaigns.models import Campaign, CampaignState, OutboundMessage, Sender
from contacts import facts, gathering, permission, quiet_hours
from contacts.gathering import PERSON_FIELDS, Person
from contacts.models import Brand, ConsentSource, Contact, Purpose

__all__ = ["PERSON_FIELDS", "Decision", "Person", "context_of", "decide", "explain", "judge_all"]

LOOK_AGAIN = timedelta(minutes=1)  # after which a brand whose sending is switched off is asked again

# Reasons that are about the message, in the same shape as those of the judge.
SENTENCES = {
    "CONTACT_GONE": "Not sent: this contact was deleted before the message could leave.",
    "CAMPAIGN_STOPPED": "Not sent: the campaign was paused or cancelled.",
    "POISON": "Not sent: preparing this message ended the worker three times. Look at its text and fields.",
    "OPTED_OUT": "Cancelled: this person opted out while the message was waiting.",
    "CAMPAIGN_CANCELLED": "Cancelled: the campaign was cancelled.",
    "REFUSED": "The gateway refused this message.",
    "TRIES_USED_UP": "The gateway could not be reached in {attempts} attempts.",
    "NOT_SEEN": "The gateway never saw this message; it was not sent again by machine.",
    "NO_PROOF": "Nobody can tell whether this message was sent.",
}


class Leaving(Protocol):
    """A row on its way out, as `campaigns.batch.Row` is."""

    id: int
    purpose: str
    campaign_id: int | None
    contact_id: int | None
    subscriber_key: str
    phone: str
    send_by: datetime | None
    compliance_kind: str
    created_at: datetime
    person: Person
    body: str
    refusal: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a row: may leave, waits `until`, is kept back with `code`, or (no code) is left alone."""

    may_leave: bool
    code: str
    until: datetime | None
    record: dict[str, Any] | None


_LEFT_ALONE = Decision(False, "", None, None)


def context_of(
    sender: Sender, *, purpose: str, brand: Brand | None = None, send_by: datetime | None = None
) -> facts.Context:
    """What everybody a message goes to shares."""
    speaks = brand or sender.brand
    return facts.Context(
        purpose=purpose,
        brand_id=speaks.pk,
        brand_name=speaks.name,
        is_paused=speaks.sending_paused,
        sender=sender.value,
        sender_kind=sender.kind,
        is_sender_registered=sender.is_registered,
        send_by=send_by,
    )


def judge_all(
    people: Sequence[Person],
    *,
    context: facts.Context,
    at: datetime,
    bodies: Sequence[str | None] | None = None,
) -> list[facts.Verdict]:
    """A verdict per person, in order: three queries whatever their number."""
    known = gathering.standing([person.subscriber_key for person in people])
    about = gathering.facts_of(people, context=context, known=known, bodies=bodies)
    return [permission.judge(one, at) for one in about]


def explain(
    contact: Contact, *, sender: Sender, purpose: Purpose, at: datetime, body: str | None = None
) -> facts.Verdict:
    """What may be sent to this contact from this sender now, and why."""
    context = context_of(sender, purpose=purpose)
    return permission.judge(gathering.facts_about(contact, context=context, body=body), at)


def decide(rows: Sequence[Leaving], *, sender: Sender, present: Collection[int], at: datetime) -> list[Decision]:
    """The authoritative decision on each row; the caller holds the locks of the contacts in `present`."""
    sending = set(
        Campaign.objects.filter(
            pk__in={row.campaign_id for row in rows if row.campaign_id}, state=CampaignState.SENDING
        ).values_list("pk", flat=True)
    )
    paused = Brand.objects.filter(pk=sender.brand_id, sending_paused=True).exists()
    known = gathering.standing([row.subscriber_key for row in rows])
    judging = _Judging(sender, paused=paused, known=known, at=at)
    decisions = []
    for row in rows:
        if row.campaign_id and row.campaign_id not in sending:
            decisions.append(_LEFT_ALONE)
        elif row.contact_id not in present:
            decisions.append(_gone(known.get(row.subscriber_key), at))
        elif row.refusal:
            decisions.append(_blocked(row.refusal, at, detail={"fields": ", ".join(row.missing)}))
        else:
            decisions.append(judging.decide(row))
    return decisions


class _Judging:
    """Contexts are shared by the rows of a batch that have the same purpose and end."""

    def __init__(self, sender: Sender, *, paused: bool, known: dict[str, gathering.Standing], at: datetime) -> None:
        self._sender = sender
        self._paused = paused
        self._known = known
        self._at = at
        self._contexts: dict[tuple[str, datetime | None], facts.Context] = {}
        self._version = quiet_hours.load_rules().version

    def decide(self, row: Leaving) -> Decision:
        context = self._context(row)
        # The phone on the message is the one that counts, whatever the contact has become meanwhile.
        row.person.phone, row.person.subscriber_key = row.phone, row.subscriber_key
        about = gathering.facts_of([row.person], context=context, known=self._known, bodies=[row.body])[0]
        if row.compliance_kind:
            about = _of_compliance(about, row, at=self._at)
        verdict = permission.judge(about, self._at)
        record = {
            "outcome": verdict.outcome,
            "code": verdict.code,
            "at": self._at.isoformat(),
            "rules": self._version,
            **verdict.detail,
        }
        until = verdict.until
        if verdict.code == "SENDING_PAUSED":
            # The switch is turned back one day: what waits for it is held, not given up.
            until = self._at + LOOK_AGAIN
        if until is not None:
            record["until"] = until.isoformat()
        return Decision(verdict.outcome == "allowed", verdict.code, until, record)

    def _context(self, row: Leaving) -> facts.Context:
        key = (row.purpose, row.send_by)
        known = self._contexts.get(key)
        if known is None:
            known = context_of(self._sender, purpose=row.purpose, send_by=row.send_by)
            known = self._contexts[key] = replace(known, is_paused=self._paused)
        return known


def _of_compliance(about: facts.Facts, row: Leaving, *, at: datetime) -> facts.Facts:
    """The answer to a STOP: when STOP arrived, and whether it was answered already."""
    earlier = OutboundMessage.objects.filter(
        subscriber_key=row.subscriber_key,
        compliance_kind=row.compliance_kind,
        submit_no__gt=0,
        created_at__gt=at - timedelta(hours=24),
    ).exclude(pk=row.id)
    return replace(
        about,
        context=replace(
            about.context,
            compliance_kind=row.compliance_kind,
            compliance_parts=permission_parts(row.body, about.context.brand_name),
        ),
        stopped_at=row.created_at,
        has_confirmation=row.compliance_kind == "optout_confirm" and earlier.exists(),
    )


def permission_parts(body: str, brand: str) -> frozenset[str]:
    """Which of the parts an opt-in confirmation must have its text contains."""
    folded = body.casefold()
    marks = {
        "brand": brand.casefold() in folded,
        "program": len(folded) > 20,
        "frequency": any(word in folded for word in ("msg/", "msgs/", "message frequency", "per month", "/mo")),
        "rates": "rates" in folded,
        "help": "help" in folded,
        "stop": "stop" in folded,
    }
    return frozenset(part for part, found in marks.items() if found)


def _gone(known: gathering.Standing | None, at: datetime) -> Decision:
    """The row outlived its contact: erased, or deleted some other way."""
    erased = [one.since for one in known.suppressions if one.source == ConsentSource.ERASURE] if known else []
    if erased and erased[0]:
        return _blocked("ERASED", at, detail={"date": f"{erased[0]:%Y-%m-%d}"})
    return _blocked("CONTACT_GONE", at)


def _blocked(code: str, at: datetime, *, detail: dict[str, Any] | None = None) -> Decision:
    return Decision(False, code, None, {"outcome": "blocked", "code": code, "at": at.isoformat(), **(detail or {})})
