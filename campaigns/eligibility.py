"""May this message leave now? The judge of `contacts.permission`, plus what is about the message itself.

One way for all: the send path under the contacts' locks, the waterfall before launch, the contact page, the API.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from campaigns import preference_links, rendering
from campaigns.models import Campaign, CampaignState, OutboundMessage, Sender, SenderKind
from contacts import facts, gathering, permission, reply_lint
from contacts.gathering import PERSON_FIELDS, Person
from contacts.models import Brand, ConsentSource, Contact, Purpose

__all__ = ["PERSON_FIELDS", "Decision", "Person", "context_of", "decide", "explain"]

LOOK_AGAIN = timedelta(minutes=1)  # after which a brand whose sending is switched off is asked again

# Reasons that are about the message, in the same shape as those of the judge.
SENTENCES = {
    "CONTACT_GONE": "Not sent: this contact was deleted before the message could leave.",
    "CAMPAIGN_STOPPED": "Not sent: the campaign was paused or cancelled.",
    "POISON": "Not sent: preparing this message ended the worker three times. Look at its text and fields.",
    "OPTED_OUT": "Cancelled: this person opted out while the message was waiting.",
    "MERGED": "Cancelled: this contact was merged into another one, which has its own number.",
    "TAKEN_BACK": "Cancelled: somebody took this message back before it left.",
    "CAMPAIGN_CANCELLED": "Cancelled: the campaign was cancelled.",
    "REFUSED": "The gateway refused this message.",
    "TRIES_USED_UP": "The gateway could not be reached in {attempts} attempts.",
    "NOT_SEEN": "The gateway never saw this message; it was not sent again by machine.",
    "NO_PROOF": "Nobody can tell whether this message was sent.",
    "RESTORED": "The database was restored from a backup; nobody can tell whether this had been sent by then.",
    "TREATED_AS_SENT": "Nobody could tell whether it was sent; a person decided that it counts as sent.",
    "CLOSED": "Nobody can tell whether it was sent; a person decided to leave it at that.",
    "SENT_AGAIN": "Nobody can tell whether it was sent; a person sent it again as another message.",
}


class Leaving(Protocol):
    """A row on its way out, as `campaigns.batch.Row` is."""

    id: int
    purpose: str
    brand_id: int
    campaign_id: int | None
    contact_id: int | None
    subscriber_key: str
    phone: str
    send_by: datetime | None
    compliance_kind: str
    created_at: datetime
    outcome_open: bool
    submitted_at: datetime | None
    lane_id: int
    sender_id: int
    person: Person
    body: str
    parts: int
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
    sender: Sender,
    *,
    purpose: str,
    brand: Brand | None = None,
    send_by: datetime | None = None,
    campaign: Campaign | None = None,
) -> facts.Context:
    """What everybody a message goes to shares."""
    context = replace(
        gathering.base_context(brand or sender.brand, purpose=purpose),
        sender=sender.value,
        sender_kind=sender.kind,
        is_sender_registered=sender.is_registered,
        registered_in=frozenset({sender.country, *sender.registered_in}),
        send_by=send_by,
    )
    if campaign is None:
        return context
    ages = [age for age in (context.age_min, campaign.min_age) if age is not None]
    return replace(
        context,
        age_min=max(ages, default=None),
        has_optout_link=rendering.links_out(campaign.body),
        restricted=campaign.get_restricted_display().lower() if campaign.restricted else "",
        when_capped=campaign.when_capped,
    )


def of_text(context: facts.Context, contact: Contact, *, text: str, now: datetime) -> facts.Context:
    """The context of a text that was written for this contact alone, and may carry their way out."""
    if contact.pk is None or not _needs_way_out(context.sender_kind, context.purpose):
        return context
    return replace(context, has_optout_link=bool(preference_links.leading_out({0: (contact.pk, text)}, now=now)))


def _needs_way_out(sender_kind: str, purpose: str) -> bool:
    return sender_kind == SenderKind.ALPHANUMERIC and purpose == Purpose.MARKETING


def explain(
    contact: Contact, *, sender: Sender, purpose: Purpose, at: datetime, body: str | None = None
) -> facts.Verdict:
    """What may be sent to this contact from this sender now, and why."""
    context = context_of(sender, purpose=purpose)
    return permission.judge(gathering.facts_about(contact, context=context, at=at, body=body), at)


def decide(
    rows: Sequence[Leaving],
    *,
    senders: Mapping[int, Sender],
    present: Collection[int],
    room: Mapping[int, float],
    at: datetime,
) -> list[Decision]:
    """The authoritative decision on each row; the caller holds the locks of the contacts in `present`.

    Those behind the last one that `room` (in parts, by lane) lets leave are left alone.
    """
    sending = Campaign.objects.filter(state=CampaignState.SENDING).in_bulk(
        {row.campaign_id for row in rows if row.campaign_id}
    )
    judging = _Judging(senders, sending=sending, at=at)
    judging.gather([row for row in rows if row.contact_id in present])
    decisions: list[Decision] = []
    left: Counter[int] = Counter()
    full: set[int] = set()
    for row in rows:
        if left[row.lane_id] and left[row.lane_id] + row.parts > room[row.lane_id]:
            full.add(row.lane_id)
        if row.lane_id in full or (row.campaign_id and row.campaign_id not in sending):
            decisions.append(_LEFT_ALONE)
        elif row.contact_id not in present:
            decisions.append(_gone(row.subscriber_key, at))
        elif row.refusal:
            decisions.append(_blocked(row.refusal, at, detail={"fields": ", ".join(row.missing)}))
        else:
            decisions.append(judging.decide(row))
            left[row.lane_id] += row.parts if decisions[-1].may_leave else 0
    return decisions


class _Judging:
    """Contexts are shared by the rows of a batch that have the same sender, purpose, end and campaign."""

    def __init__(self, senders: Mapping[int, Sender], *, sending: Mapping[int, Campaign], at: datetime) -> None:
        self._senders = senders
        # As they are now: a switch may have been turned.
        self._brands = Brand.objects.in_bulk({sender.brand_id for sender in senders.values()})
        self._sending = sending
        self._at = at
        self._contexts: dict[tuple[int, str, datetime | None, int | None], facts.Context] = {}
        self._known = gathering.Known({})
        self._leading_out: set[int] = set()  # rows whose text carries the person's own way out
        self._version = gathering.rules_version()

    def gather(self, rows: Sequence[Leaving]) -> None:
        for row in rows:
            # The phone on the message is the one that counts, whatever the contact has become meanwhile.
            row.person.phone, row.person.subscriber_key = row.phone, row.subscriber_key
        contexts = [self._context(row) for row in rows]
        self._known = gathering.know([row.person for row in rows], contexts=contexts, at=self._at)
        by_hand = {
            row.id: (row.contact_id, row.body)
            for row in rows
            if row.contact_id
            and not row.campaign_id
            and _needs_way_out(self._senders[row.sender_id].kind, row.purpose)
        }
        self._leading_out = preference_links.leading_out(by_hand, now=self._at) if by_hand else set()

    def decide(self, row: Leaving) -> Decision:
        context = self._context(row)
        earlier = row.submitted_at if row.outcome_open else None
        if earlier is not None:
            self._known.forget_sent(row.subscriber_key, purpose=row.purpose, brand_id=row.brand_id, at=earlier)
        about = gathering.facts_of([row.person], context=context, known=self._known, bodies=[row.body])[0]
        if row.id in self._leading_out:
            about = replace(about, context=replace(context, has_optout_link=True))
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
        may_leave = verdict.outcome == "allowed"
        left_at = self._at if may_leave else earlier
        if left_at is not None:
            self._known.note_sent(row.subscriber_key, purpose=row.purpose, brand_id=row.brand_id, at=left_at)
        return Decision(may_leave, verdict.code, until, record)

    def _context(self, row: Leaving) -> facts.Context:
        key = (row.sender_id, row.purpose, row.send_by, row.campaign_id)
        known = self._contexts.get(key)
        if known is None:
            campaign = self._sending.get(row.campaign_id) if row.campaign_id else None
            sender = self._senders[row.sender_id]
            brand = self._brands[sender.brand_id]
            known = self._contexts[key] = context_of(
                sender, purpose=row.purpose, brand=brand, send_by=row.send_by, campaign=campaign
            )
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
            compliance_parts=reply_lint.parts(row.body, about.context.brand_name),
        ),
        stopped_at=row.created_at,
        has_confirmation=row.compliance_kind == "optout_confirm" and earlier.exists(),
    )


def _gone(subscriber_key: str, at: datetime) -> Decision:
    """The row outlived its contact: erased, or deleted some other way. Rare, so it may ask by itself."""
    stands = gathering.standing([subscriber_key]).get(subscriber_key, gathering.Standing())
    erased = [one.since for one in stands.suppressions if one.source == ConsentSource.ERASURE and one.since]
    if erased:
        return _blocked("ERASED", at, detail={"date": f"{erased[0]:%Y-%m-%d}"})
    return _blocked("CONTACT_GONE", at)


def _blocked(code: str, at: datetime, *, detail: dict[str, Any] | None = None) -> Decision:
    return Decision(False, code, None, {"outcome": "blocked", "code": code, "at": at.isoformat(), **(detail or {})})
