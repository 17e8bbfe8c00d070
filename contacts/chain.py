"""The consent ledger's chain: gapless numbers, each event's hash covers the one before.

Every append takes the one head row last of all locks, so appends come one after another, and the head is held
until the caller commits. So whatever points to an event is written before it (`reserve` gives it its id, foreign
keys are checked at commit), `append` comes last, and the caller commits soon.
"""

import hashlib
import json
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from operator import attrgetter

from django.db import OperationalError, connection, transaction
from django.db.models import Exists, OuterRef

from contacts.models import ConsentEvent, ConsentEvidence, LedgerHead
from smsdesk import bulk_copy, bulk_sql

GENESIS = "0" * 64
_AT_ONCE = 2_000  # events in memory while walking
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
_GAP = secrets.token_hex(16)  # stands where something is put in; nobody can have written it
_OWN = (
    "id",
    "seq",
    "subscriber_key",
    "evidence_commitment",
    "prev_hash",
    "hash",
)  # what events of a series differ in
_COLUMNS = tuple(field.attname for field in ConsentEvent._meta.concrete_fields)


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold."""

    seq: int
    reason: str


def reserve(events: Sequence[ConsentEvent]) -> None:
    """Give events their ids before they are stored; inside the transaction that appends them."""
    for event, event_id in zip(events, bulk_copy.fresh_ids(ConsentEvent, len(events)), strict=True):
        event.pk = event_id


class Overtaken(OperationalError):
    """Somebody appended an event of one of these phones after its history was read: read it again."""


def append(events: Sequence[ConsentEvent]) -> int:
    """Number, hash and store the events in their order; inside the caller's transaction.

    Returns the number of the last event before them: from now on nobody else appends until the caller commits.
    """
    _refuse_outside_transaction()
    reserve([event for event in events if event.pk is None])
    bodies = [_body(event) for event in events]
    head = _locked_head()
    last = head.seq
    for event, body in zip(events, bodies, strict=True):
        event.seq, event.prev_hash = head.seq + 1, head.hash
        event.hash = _hash(event.prev_hash, event.seq, body)
        head.seq, head.hash = event.seq, event.hash
    _store(events)
    LedgerHead.objects.filter(id=1).update(seq=head.seq, hash=head.hash)
    return last


def has_grown(keys: Collection[str], *, after: int, through: int) -> bool:
    """Whether events of these phones were appended between the two numbers, by somebody the caller did not see."""
    if through <= after:
        return False
    between = ConsentEvent.objects.filter(seq__gt=after, seq__lte=through)
    return between.filter(bulk_sql.among("subscriber_key", keys)).exists()


def keep_evidence(documents: Sequence[tuple[ConsentEvent, Mapping[str, str]]]) -> None:
    """Store what stands behind reserved events, and set on each the commitment its hash will cover."""
    rows = []
    for event, document in documents:
        salt, text = secrets.token_hex(16), _canonical(document)
        event.evidence_commitment = _commitment(salt, text)
        rows.append((event.pk, salt, text))
    if rows:
        ids, salts, texts = zip(*rows, strict=True)
        bulk_copy.insert(ConsentEvidence, own={"event": ids, "salt": salts, "document": texts}, shared={})


class Series:
    """Events that differ in nothing but the phone and its evidence: the rows of a file, thousands at a time.

    Written as `keep_evidence` and `append` write single events; what all have in common is worked out once.
    """

    def __init__(self, pattern: ConsentEvent, keys: Sequence[str], *, seen: int) -> None:
        """`seen`: the last event that was there before the histories of the phones were read (`anchor`)."""
        self.ids = bulk_copy.fresh_ids(ConsentEvent, len(keys))
        self._pattern, self._keys, self._seen = pattern, keys, seen
        self._commitments: Sequence[str] = [""] * len(keys)

    def keep_evidence(self, shared: Mapping[str, str], *, name: str, values: Sequence[str]) -> None:
        """Store for each event the document `shared` and, under `name`, its own value."""
        before, after = _canonical({**shared, name: _GAP}).split(f'"{_GAP}"')
        drawn = secrets.token_hex(16 * len(values))
        salts = [drawn[at : at + 32] for at in range(0, len(drawn), 32)]
        texts = [f"{before}{_quoted(value)}{after}" for value in values]
        self._commitments = list(map(_commitment, salts, texts))
        bulk_copy.insert(ConsentEvidence, own={"event": self.ids, "salt": salts, "document": texts}, shared={})

    def append(self) -> None:
        """Number, hash and store the events in the order of their keys; inside the caller's transaction.

        Raises `Overtaken` where a phone's history has grown: the lock of a phone is its contact's row, and a phone
        that was no contact's had none.
        """
        _refuse_outside_transaction()
        beginning, between, end = self._body().split(f'"{_GAP}"')
        head = _locked_head()
        if has_grown(self._keys, after=self._seen, through=head.seq):
            raise Overtaken
        hashes = [head.hash]
        for seq, (key, commitment) in enumerate(zip(self._keys, self._commitments, strict=True), head.seq + 1):
            text = f'{hashes[-1]}{{"seq":{seq},{beginning}"{commitment}"{between}"{key}"{end}'
            hashes.append(hashlib.sha256(text.encode()).hexdigest())
        seqs = range(head.seq + 1, head.seq + len(hashes))
        own = (self.ids, seqs, self._keys, self._commitments, hashes[:-1], hashes[1:])
        shared = {name: getattr(self._pattern, name) for name in _COLUMNS if name not in _OWN}
        shared["purposes"] = _canonical(self._pattern.purposes)
        bulk_copy.insert(ConsentEvent, own=dict(zip(_OWN, own, strict=True)), shared=shared)
        LedgerHead.objects.filter(id=1).update(seq=seqs[-1], hash=hashes[-1])

    def _body(self) -> str:
        """The body of each, with gaps for commitment and phone, which stand in this order; without its bracket."""
        pattern = copy(self._pattern)
        pattern.evidence_commitment = pattern.subscriber_key = _GAP
        return _body(pattern)[1:]


def _store(events: Sequence[ConsentEvent]) -> None:
    if events:
        own = dict(zip(_COLUMNS, zip(*map(attrgetter(*_COLUMNS), events), strict=True), strict=True))
        own["purposes"] = tuple(_canonical(event.purposes) for event in events)
        bulk_copy.insert(ConsentEvent, own=own, shared={})


def hashed_text(event: ConsentEvent) -> str:
    """What, put behind the hash before it, gives the event's hash; for people who check by their own means."""
    return f'{{"seq":{event.seq},{_body(event)[1:]}'


def committed_text(evidence: ConsentEvidence) -> str:
    """What gives the evidence's commitment as its SHA-256."""
    return evidence.salt + _canonical(evidence.document)


def commitment(evidence: ConsentEvidence) -> str:
    return _commitment(evidence.salt, _canonical(evidence.document))


def first_break(*, after: tuple[int, str] = (0, GENESIS)) -> Break | None:
    """Walk the ledger from its beginning, or from the event `after` (number, hash) on; None when it holds.

    Erased evidence is no break, changed evidence is. Events appended meanwhile are walked too.
    """
    head = anchor()
    seq, previous = after
    if seq and (lost := check_anchor(seq, previous)):
        return lost
    for event in _from(seq):
        seq += 1
        if found := _fault(event, seq=seq, previous=previous):
            return Break(seq, found)
        previous = event.hash
    if seq > head[0]:
        head = anchor()  # others have appended; a head read after their events is not behind them
    is_whole = head == (seq, previous) or (head[0] > seq and check_anchor(*head) is None)
    return None if is_whole else Break(min(head[0], seq) + 1, f"the ledger ends at {seq}, its head says {head[0]}")


def own_break(event: ConsentEvent) -> Break | None:
    """Whether this event alone is as it was written, and tied to its neighbours."""
    seq = event.seq
    before = ConsentEvent.objects.filter(seq=seq - 1).values_list("hash", flat=True).first()
    after = ConsentEvent.objects.filter(seq=seq + 1).values_list("prev_hash", flat=True).first()
    found = _fault(event, seq=seq, previous=GENESIS if seq == 1 else before or "")
    if found is None and after not in (None, event.hash):
        found = "the event after it follows another"
    return Break(seq, found) if found else None


def stray_evidence() -> int | None:
    """The lowest event id for which evidence is kept and of which the ledger knows nothing."""
    is_known = Exists(ConsentEvent.objects.filter(pk=OuterRef("event_id")))
    return ConsentEvidence.objects.exclude(is_known).order_by("pk").values_list("pk", flat=True).first()


def _from(seq: int) -> Iterator[ConsentEvent]:
    """The events after number `seq`, a bounded number in memory, each statement short."""
    while True:
        rows = ConsentEvent.objects.select_related("evidence").filter(seq__gt=seq).order_by("seq")[:_AT_ONCE]
        batch = list(rows)
        yield from batch
        if len(batch) < _AT_ONCE:
            return
        seq = batch[-1].seq


def _fault(event: ConsentEvent, *, seq: int, previous: str) -> str | None:
    if event.seq != seq:
        return f"event {seq} is missing; {event.seq} follows {seq - 1}"
    if event.prev_hash != previous:
        return "it does not follow the event before it"
    if event.hash != _hash(previous, seq, _body(event)):
        return "its content does not match its hash"
    evidence = getattr(event, "evidence", None)
    if evidence is not None and commitment(evidence) != event.evidence_commitment:
        return "its evidence was changed"
    return None


def _refuse_outside_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Consent events are appended inside a transaction.")


def anchor() -> tuple[int, str]:
    """Number and hash of the last event: what an outside witness keeps."""
    head = LedgerHead.objects.filter(id=1).first()
    return (head.seq, head.hash) if head else (0, GENESIS)


def check_anchor(seq: int, digest: str) -> Break | None:
    """None when event `seq` is still there with this hash: only an outside witness shows a lost end."""
    kept = ConsentEvent.objects.filter(seq=seq).values_list("hash", flat=True).first()
    if kept == digest or (seq == 0 and digest == GENESIS):
        return None
    return Break(seq, "the anchor says it existed; it is gone" if kept is None else "the anchor says otherwise")


def _commitment(salt: str, document: str) -> str:
    return hashlib.sha256((salt + document).encode()).hexdigest()


def _locked_head() -> LedgerHead:
    rows = LedgerHead.objects.select_for_update(no_key=True).filter(id=1)
    head = rows.first()
    if head is None:
        # Two at once are safe: one inserts, the other waits for it. A head lost by an accident starts at 1
        # again, which the unique `seq` refuses.
        LedgerHead.objects.bulk_create([LedgerHead(id=1)], ignore_conflicts=True)
        head = rows.get()
    return head


def _body(event: ConsentEvent) -> str:
    """The row without its number as canonical JSON; nothing in it names the person."""
    return _canonical(
        {
            "actor": event.actor,
            "basis": str(event.basis),
            "brand": event.brand_id,
            "evidence": event.evidence_commitment,
            "expires_at": _instant(event.expires_at),
            "is_proven": event.is_proven,
            "kind": str(event.kind),
            "occurred_at": _instant(event.occurred_at),
            "purposes": [str(purpose) for purpose in event.purposes],
            "recorded_at": _instant(event.recorded_at),
            "source": str(event.source),
            "subscriber_key": event.subscriber_key,
        }
    )


def _hash(previous: str, seq: int, body: str) -> str:
    return hashlib.sha256(f'{previous}{{"seq":{seq},{body[1:]}'.encode()).hexdigest()


def _canonical(value: Mapping[str, object] | Sequence[str]) -> str:
    return _ENCODER.encode(value)


@lru_cache(maxsize=64)
def _instant(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="microseconds") if moment else None
