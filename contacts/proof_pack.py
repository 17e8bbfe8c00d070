"""Everything that proves what one person agreed to, took back, and what was decided about messages to them.

`assemble` gathers it, `as_json` writes it for machines; `contacts/proof_pages.py` prints it for a court.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contacts import anchoring, chain, consent, testimony
from contacts.models import (
    ConsentEvent,
    ConsentSource,
    ConsentState,
    Contact,
    EventKind,
    LedgerAnchor,
    Purpose,
    Suppression,
)

FORMAT = "smsdesk-proof/1"
WALKED = 20_000  # events of the whole ledger that are verified while somebody waits for the pack

GIVES = frozenset({EventKind.OPT_IN, EventKind.IMPORT, EventKind.CONFIRM})
TAKES = frozenset(
    {
        EventKind.OPT_OUT,
        EventKind.SUPPRESS,
        EventKind.ERASE,
        EventKind.EXPIRE,
        EventKind.REASSIGN,
        EventKind.RETRACT,
    }
)


@dataclass(frozen=True, slots=True)
class ChainProof:
    """What was verified of the ledger, and the head it was verified against."""

    is_whole: bool
    said: str
    head_seq: int
    head_hash: str
    anchor: LedgerAnchor | None  # the earliest head given away that covers this person's last event


@dataclass(frozen=True, slots=True)
class StopKept:
    """One opt-out, and what left for this phone between it and the person's return, the required answer aside."""

    event: ConsentEvent
    until: datetime | None  # None: it stands
    left: tuple[testimony.Decision, ...]


@dataclass(slots=True)
class Pack:
    contact: Contact
    made_at: datetime
    made_by: str
    events: list[ConsentEvent]  # in the order they were recorded
    states: list[ConsentState]
    suppressions: list[Suppression]
    decisions: list[testimony.Decision]
    texts: list[testimony.Text]
    proof: ChainProof
    stops: list[StopKept] = field(default_factory=list)


def assemble(contact: Contact, *, by: str, now: datetime) -> Pack:
    key = contact.subscriber_key
    events = sorted(consent.history(key), key=lambda event: event.seq)
    decisions = sorted(testimony.decisions.about(key), key=lambda one: (one.made_at or one.created_at, one.message))
    pack = Pack(
        contact=contact,
        made_at=now,
        made_by=by,
        events=events,
        states=list(
            ConsentState.objects.filter(subscriber_key=key).select_related("brand").order_by("brand", "purpose")
        ),
        suppressions=list(
            Suppression.objects.filter(subscriber_key=key, lifted_by=None).select_related("brand").order_by("since")
        ),
        decisions=decisions,
        texts=sorted(testimony.texts.about(key), key=lambda text: (text.received_at, text.id)),
        proof=_verify(events),
    )
    pack.stops = [_kept(event, pack) for event in events if event.kind == EventKind.OPT_OUT]
    return pack


def evidence_of(event: ConsentEvent) -> dict[str, str] | None:
    """The document behind an event; None when there is none, or it has been erased."""
    evidence = getattr(event, "evidence", None)
    return dict(evidence.document) if evidence else None


def _verify(events: list[ConsentEvent]) -> ChainProof:
    head = chain.anchor()
    last = events[-1].seq if events else 0
    start = _start(head[0])
    anchor = anchoring.covering(last) if last else None
    broken = next((found for event in events if (found := chain.own_break(event))), None)
    broken = broken or (chain.check_anchor(anchor.seq, anchor.hash) if anchor else None)
    if broken is None and head[0] - start[0] <= WALKED:
        broken = chain.first_break(after=start)
        extent = "The whole ledger" if not start[0] else f"The ledger from event {start[0]} on"
        said = f"{extent} was verified when this document was made, up to event {head[0]}: it is unbroken."
    else:
        said = "Each event of this person, and its place between its neighbours, was verified: they are intact."
    if broken is not None:
        said = f"The verification FAILED at event {broken.seq}: {broken.reason}."
    return ChainProof(broken is None, said, *head, anchor)


def _start(head_seq: int) -> tuple[int, str]:
    """From where to walk: the beginning, or in a long ledger the latest head that was handed out."""
    if head_seq <= WALKED:
        return 0, chain.GENESIS
    latest = LedgerAnchor.objects.filter(seq__gt=0, seq__lte=head_seq).order_by("-seq").first()
    return (latest.seq, latest.hash) if latest else (0, chain.GENESIS)


def _kept(stop: ConsentEvent, pack: Pack) -> StopKept:
    """Was it honoured? From its recording until the person's own return to that brand."""
    until = min(
        (e.recorded_at for e in pack.events if _comes_back(e, stop)),
        default=None,
    )
    left = [
        one
        for one in pack.decisions
        if one.left_at is not None
        and stop.recorded_at < one.left_at
        and (until is None or one.left_at < until)
        and one.purpose != Purpose.COMPLIANCE
        and stop.brand_id in (None, one.brand_id)
        and ("*" in stop.purposes or one.purpose in stop.purposes)
    ]
    return StopKept(stop, until, tuple(left))


def _comes_back(event: ConsentEvent, stop: ConsentEvent) -> bool:
    returns = event.kind in (EventKind.LIFT, EventKind.CLARIFY, EventKind.CONFIRM) or (
        event.kind == EventKind.OPT_IN and ConsentSource(event.source).is_own_act
    )
    is_later = event.seq > stop.seq and event.occurred_at > stop.occurred_at
    return returns and is_later and (stop.brand_id is None or event.brand_id in (None, stop.brand_id))


# --- for machines ---------------------------------------------------------------------------------------


def as_json(pack: Pack) -> dict[str, Any]:
    """Plain values; with it and SHA-256 anybody can verify the events again."""
    contact = pack.contact
    return {
        "format": FORMAT,
        "made_at": _iso(pack.made_at),
        "made_by": pack.made_by,
        "contact": {"id": contact.ref, "phone": contact.phone, "name": contact.name},
        "phone_key": contact.subscriber_key,
        "consents": [_state(one) for one in pack.states],
        "suppressions": [_suppression(one) for one in pack.suppressions],
        "events": [_event(event) for event in pack.events],
        "opt_outs": [_stop(stop) for stop in pack.stops],
        "texts": [_text(text) for text in pack.texts],
        "decisions": [_decision(one) for one in pack.decisions],
        "chain": _chain(pack.proof),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _brand(one: ConsentEvent | Suppression | ConsentState) -> str | None:
    return one.brand.name if one.brand else None


def _state(one: ConsentState) -> dict[str, Any]:
    return {
        "brand": _brand(one),
        "purpose": one.purpose,
        "is_active": one.is_active,
        "is_proven": one.is_proven,
        "is_confirmed": one.is_confirmed,
        "basis": one.basis,
        "occurred_at": _iso(one.occurred_at),
        "expires_at": _iso(one.expires_at),
    }


def _suppression(one: Suppression) -> dict[str, Any]:
    return {"brand": _brand(one), "purpose": one.purpose, "source": one.source, "since": _iso(one.since)}


def _event(event: ConsentEvent) -> dict[str, Any]:
    evidence = getattr(event, "evidence", None)
    return {
        "number": event.seq,
        "kind": event.kind,
        "brand": _brand(event),
        "purposes": event.purposes,
        "basis": event.basis,
        "source": event.source,
        "actor": event.actor,
        "occurred_at": _iso(event.occurred_at),
        "recorded_at": _iso(event.recorded_at),
        "expires_at": _iso(event.expires_at),
        "is_proven": event.is_proven,
        "evidence": evidence_of(event),
        "evidence_erased": bool(event.evidence_commitment) and evidence is None,
        "evidence_commitment": event.evidence_commitment,
        "committed_text": chain.committed_text(evidence) if evidence else None,
        "previous_hash": event.prev_hash,
        "hashed_text": chain.hashed_text(event),
        "hash": event.hash,
    }


def _stop(stop: StopKept) -> dict[str, Any]:
    return {
        "event": stop.event.seq,
        "brand": _brand(stop.event),
        "occurred_at": _iso(stop.event.occurred_at),
        "recorded_at": _iso(stop.event.recorded_at),
        "stands_until": _iso(stop.until),
        "messages_left_meanwhile": [one.message for one in stop.left],
    }


def _text(text: testimony.Text) -> dict[str, Any]:
    return {
        "id": text.id,
        "occurred_at": _iso(text.occurred_at),
        "received_at": _iso(text.received_at),
        "to": text.to,
        "text": text.text,
        "read_as": text.read_as,
    }


def _decision(one: testimony.Decision) -> dict[str, Any]:
    return {
        "message": one.message,
        "made_at": _iso(one.made_at),
        "created_at": _iso(one.created_at),
        "what": one.what,
        "brand": one.brand,
        "purpose": one.purpose,
        "sender": one.sender,
        "outcome": one.outcome,
        "code": one.code,
        "reason": one.reason,
        "rules": one.rules,
        "state": one.state,
        "left_at": _iso(one.left_at),
        "ended_at": _iso(one.ended_at),
        "text": one.text,
    }


def _chain(proof: ChainProof) -> dict[str, Any]:
    anchor = proof.anchor
    return {
        "is_whole": proof.is_whole,
        "result": proof.said,
        "head": {"number": proof.head_seq, "hash": proof.head_hash},
        "anchor": {
            "number": anchor.seq,
            "hash": anchor.hash,
            "taken_at": _iso(anchor.taken_at),
            "kept_in": anchor.kept_in,
        }
        if anchor
        else None,
        "how_to_verify": (
            "For each event: SHA-256 of previous_hash followed by hashed_text is hash. Where evidence is shown, "
            "SHA-256 of committed_text is evidence_commitment, which stands in hashed_text. The first event of the "
            "ledger follows 64 zeros."
        ),
    }
