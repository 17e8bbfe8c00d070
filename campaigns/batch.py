"""One batch of one lane: read, submit, call, record. The heart of "never twice, never after STOP".

1. *read* the lane's next due rows and render them: no lock, no write.
2. *submit*, one transaction committed before a byte leaves: the lane is still ours; the contacts are locked in
   id order; facts are read and judged under that lock; `queued → submitting` for those who may, `skipped` or a
   later `due_at` for the others. STOP takes the same contact lock.
3. *call* the gateway, no transaction open, first byte within a second of a moment before the submit statement.
4. *record*, one transaction, by (token, `submitting`), and the lane is handed back.

A crash before the commit of 2 changes nothing; after it, this one batch is in `submitting` and the reaper makes
it `unknown`, never `queued`. Lock order everywhere: lane, contacts by id, ledger rows by id, counts of parts by id.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from campaigns import allowances, careful, due_rows, eligibility, lanes, preference_links, rendering, states
from campaigns.models import (
    Campaign,
    GatewayAccount,
    MessageInMotion,
    OutboundMessage,
    OutboundState,
    Sender,
)
from campaigns.times import TIMES
from contacts.models import Contact
from smsdesk import bulk_sql, clock, failpoints, sms_text
from smsdesk.gateways import registry
from smsdesk.gateways.contract import Deadline, SenderAddress, SubmitItem

MOST = 200  # rows of one batch
# The same where the gateway can say of each message whether it has it: there a dead worker's rows are settled by
# asking, however many they are.
MOST_WITH_LOOKUP = 500


@dataclass(slots=True)
class Row:
    """A ledger row on its way out, with the contact's fields its text and its verdict need."""

    id: int
    public_id: UUID
    purpose: str
    brand_id: int
    campaign_id: int | None
    contact_id: int | None
    subscriber_key: str
    phone: str
    send_by: datetime | None
    text: str
    compliance_kind: str
    created_at: datetime
    attempts: int
    deaths: int
    outcome_open: bool
    submitted_at: datetime | None  # by an earlier try
    lane_id: int
    sender_id: int
    person: eligibility.Person
    body: str = ""
    encoding: str = ""
    parts: int = 0
    refusal: str = ""  # why the text cannot be made for this person
    missing: tuple[str, ...] = ()  # the fields it lacks
    counted: tuple[int, ...] = ()  # the counts of parts (`campaigns/allowances.py`) it was added to


@dataclass(slots=True)
class Batch:
    """What goes into one submit: rows of the lanes that were won together, and the facts they share."""

    together: Sequence[lanes.Won]
    senders: dict[int, Sender]  # all of one account
    rows: list[Row]
    campaigns: dict[int, Campaign]
    is_lost: bool = False  # the lanes, found out in submit
    spent: frozenset[int] = frozenset()  # campaigns whose budget has no room for their next message

    @property
    def account(self) -> GatewayAccount:
        return self.senders[self.together[0].sender_id].account

    @property
    def goes_alone(self) -> bool:
        return any(won.is_careful or won.is_probe for won in self.together)

    @property
    def room(self) -> dict[int, float]:
        """Parts that may leave, by lane: about a second's worth, at least one message."""
        first = {row.lane_id: float(row.parts) for row in reversed(self.rows)}
        return {won.lane_id: max(won.rate, first.get(won.lane_id, 0.0)) for won in self.together}

    @property
    def planned(self) -> dict[int, float]:
        """Parts that leave at most, by lane."""
        parts: Counter[int] = Counter()
        for row in self.rows:
            parts[row.lane_id] += row.parts
        return {lane_id: min(room, float(parts[lane_id])) for lane_id, room in self.room.items()}


@dataclass(frozen=True, slots=True)
class Submitted:
    """Rows that are committed as `submitting`, `at` by the database's clock; called before `deadline` or not."""

    rows: dict[UUID, Row]
    senders: Mapping[int, Sender]
    deadline: Deadline
    at: datetime

    def items(self) -> list[SubmitItem]:
        """For the gateway, which shall not try longer than until the offer ends."""
        addresses = {pk: SenderAddress(value=one.value, kind=one.kind) for pk, one in self.senders.items()}
        return [
            SubmitItem(
                reference=row.public_id,
                sender=addresses[row.sender_id],
                to=row.phone,
                body=row.body,
                encoding=row.encoding,
                parts=row.parts,
                validity=row.send_by - self.at if row.send_by else None,
            )
            for row in self.rows.values()
        ]


# --- 1 read ---------------------------------------------------------------------------------------------


def read(
    together: Sequence[lanes.Won],
    *,
    most: int = MOST_WITH_LOOKUP,
    at_least: int = 1,
    beside_urgent: int = MOST_WITH_LOOKUP,
) -> Batch:
    """The lanes' most urgent due rows, rendered: about what each may send in one second, `most` on one lane.

    Whoever goes before campaigns takes `beside_urgent` of their rows along.

    `at_least` so many of a lane are looked at, though fewer may leave: those before them may all have to wait.
    """
    senders = Sender.objects.select_related("account", "brand").in_bulk({won.sender_id for won in together})
    is_capped = any(one.daily_cap or one.brand.daily_cap for one in senders.values())
    campaigns = Campaign.objects.in_bulk(due_rows.campaigns(together, is_capped=is_capped))
    most = min(most, most_of(senders[together[0].sender_id].account))
    limits = {
        won.lane_id: 1 if won.is_careful or won.is_probe else max(at_least, min(most, int(won.rate)))
        for won in together
    }
    rows = _rows(due_rows.ids(limits, list(campaigns), beside_urgent=beside_urgent))
    failpoints.hit("batch.read")
    batch = Batch(together=together, senders=senders, rows=rows, campaigns=campaigns)
    poisoned = careful.count(together, batch.rows)
    batch.rows = [row for row in batch.rows if row.id not in poisoned]
    for row in batch.rows:
        _render(row, batch)
    failpoints.hit("batch.rendered")
    return batch


def most_of(account: GatewayAccount) -> int:
    """Rows of one batch through this account."""
    return MOST_WITH_LOOKUP if registry.capabilities(account.kind).lookup == "exact" else MOST


_OWN = (
    "id", "public_id", "purpose", "brand_id", "campaign_id", "contact_id", "subscriber_key", "phone", "send_by",
    "text", "compliance_kind", "created_at", "attempts", "deaths", "outcome_open",
    "submitted_at", "lane_id", "sender_id",
)  # fmt: skip


def _rows(ids: Sequence[int]) -> list[Row]:
    if not ids:
        return []
    found: list[Any] = list(OutboundMessage.objects.filter(bulk_sql.numbered("id", ids)).values_list(*_OWN))
    people = _people({values[_CONTACT] for values in found if values[_CONTACT]})
    by_id: dict[int, Row] = {}
    for values in found:
        fields: list[Any] = [*values, eligibility.Person(*people.get(values[_CONTACT], _NOBODY))]
        by_id[values[0]] = Row(*fields)
    return [by_id[row_id] for row_id in ids if row_id in by_id]


def _people(ids: Collection[int]) -> dict[int, list[Any]]:
    """By id. Not joined to the messages: a planner with old statistics reads all contacts for a join."""
    found = Contact.objects.filter(bulk_sql.numbered("id", ids)).values_list("id", *eligibility.PERSON_FIELDS)
    return {pk: fields for pk, *fields in found}


_CONTACT = _OWN.index("contact_id")
_NOBODY: list[Any] = [None] * len(eligibility.PERSON_FIELDS)


def _render(row: Row, batch: Batch) -> None:
    campaign = batch.campaigns.get(row.campaign_id) if row.campaign_id else None
    if campaign is None:
        measure = sms_text.measure(row.text)
        row.body, row.encoding, row.parts = row.text, measure.encoding, measure.parts
        return
    person = row.person
    template = rendering.compile(campaign.body)
    link = preference_links.of_message(row.public_id, now=timezone.now()) if template.may_link_out else ""
    values = rendering.fields_of(
        {
            "name": person.name,
            "external_id": person.external_id,
            "country": person.country,
            "language": person.language,
            "attributes": person.attributes,
        },
        brand=batch.senders[row.sender_id].brand.name,
        link=link,
        names=template.names,
    )
    rendered = template.render(values)
    row.body, row.encoding, row.parts = rendered.body, rendered.encoding, rendered.parts
    row.refusal, row.missing = rendered.code, rendered.missing


# --- 2 submit -------------------------------------------------------------------------------------------


def submit(batch: Batch) -> Submitted | None:
    """Commit who may leave. None: the lanes were lost, or nobody of the batch may leave now."""
    with transaction.atomic():
        planned = batch.planned
        pauses = {won.lane_id: planned[won.lane_id] / won.rate for won in batch.together}
        held = lanes.renew(batch.together, pauses=pauses)
        failpoints.hit("submit.lane_checked")
        rows = [row for row in batch.rows if row.lane_id in held]
        if not rows:
            batch.is_lost = True
            return None
        present = _lock_contacts(rows)
        failpoints.hit("submit.contacts_locked")
        # A new statement each, so that its snapshot is younger than the locks.
        now = clock.database_now()
        decisions = eligibility.decide(rows, senders=batch.senders, present=present, room=batch.room, at=now)
        allowed = [(row, d) for row, d in zip(rows, decisions, strict=True) if d.may_leave]
        kept = [(row, d) for row, d in zip(rows, decisions, strict=True) if not d.may_leave]
        if kept:  # they are written before the others, and whoever cancels writes them in the order of their ids
            states.lock_rows(row.id for row in rows)
        leaving = _within_allowances(allowed, batch, now=now)
        # Judged as if a message left before that does not: left alone, the next look judges again.
        going = {row.id for row, _ in leaving}
        staying = {row.subscriber_key for row, _ in allowed if row.id not in going}
        _keep_back([(row, d) for row, d in kept if row.subscriber_key not in staying], now=now)
        failpoints.hit("submit.after_recheck")
        # Read before the statement, not after COMMIT: a freeze in between must count.
        elapsed = clock.Elapsed()
        taken = set(_mark_submitting(batch.together[0], leaving))
        if len(taken) < len(leaving):
            _park_expired([row.id for row, _ in leaving if row.id not in taken])
            allowances.give_back(row for row, _ in leaving if row.id not in taken)
        if not taken:
            lanes.refund(batch.together, pauses=pauses)
        failpoints.hit("submit.before_commit")
    failpoints.hit("submit.after_commit")
    if not taken:
        return None
    chosen = [row for row, _ in leaving if row.id in taken]
    return Submitted(
        rows={row.public_id: row for row in chosen},
        senders=batch.senders,
        deadline=Deadline(elapsed, TIMES.first_byte),
        at=now,
    )


def _within_allowances(
    leaving: Sequence[tuple[Row, "eligibility.Decision"]], batch: Batch, *, now: datetime
) -> list[tuple[Row, "eligibility.Decision"]]:
    """Those that no daily cap and no budget holds back. Of the others, only those without campaign are written."""
    taken = allowances.take([row for row, _ in leaving], senders=batch.senders, campaigns=batch.campaigns, at=now)
    batch.spent = taken.spent
    by_id = {row.id: row for row, _ in leaving}
    waiting = [
        (by_id[held.row.id], eligibility.Decision(False, "DAILY_CAP", held.limit.until, held.record))
        for held in taken.held
        if not held.row.campaign_id
    ]
    _keep_back(waiting, now=now)
    return [(row, decision) for row, decision in leaving if row.id in taken.going]


def undo(together: Sequence[lanes.Won], *, rows: Sequence[Row] = ()) -> None:
    """Submit failed, perhaps at its commit, and nothing was called: what it may have committed is queued again.

    The lanes first: where the old transaction is still on its way, this waits until its end is known. What `rows`
    counted is given back, of those that are found committed.
    """
    with transaction.atomic():
        lanes.slow(together, seconds=1.0)
        own = MessageInMotion.objects.filter(
            lane__in=[won.lane_id for won in together], state=OutboundState.SUBMITTING
        )
        ours = OutboundMessage.objects.filter(
            pk__in=own.values("message"), state=OutboundState.SUBMITTING, token=together[0].token
        )
        counted = [row for row in rows if row.counted]
        committed = set(ours.values_list("pk", flat=True)) if counted else ()
        ours.update(state=OutboundState.QUEUED)
        allowances.give_back(row for row in counted if row.id in committed)
        careful.forgive(together, rows)


def _lock_contacts(rows: Sequence[Row]) -> set[int]:
    """Lock the batch's contacts in id order; the ids that still exist. NO KEY: inserts that point to them go on."""
    ids = [row.contact_id for row in rows if row.contact_id]
    locked = Contact.objects.select_for_update(no_key=True).filter(bulk_sql.numbered("id", ids)).order_by("id")
    return set(locked.values_list("id", flat=True))


def _mark_submitting(won: lanes.Won, leaving: Sequence[tuple[Row, "eligibility.Decision"]]) -> list[int]:
    token = won.token if connection.vendor == "postgresql" else won.token.hex
    return bulk_sql.update_rows(
        OutboundMessage,
        columns=("body", "encoding", "parts", "verdict"),
        rows=sorted((row.id, row.body, row.encoding, row.parts, d.record) for row, d in leaving),
        # What an earlier submit left behind says nothing about this one, least of all that nothing was written.
        also=f"state = 'submitting', token = %s, submit_no = o.submit_no + 1, submitted_at = {lanes.clock()}, "
        "waiting_for = '', code = '', evidence = NULL, error_class = '', error_code = '', gateway_id = ''",
        # An open outcome goes again only under a key that still protects it.
        where=f"o.state = 'queued' AND (o.open_until IS NULL OR o.open_until > {lanes.clock()})",
        parameters=[token],
    )


def _park_expired(ids: Sequence[int]) -> None:
    """Rows that may have left before, and whose key protects another try no more: a person decides."""
    expired = OutboundMessage.objects.filter(pk__in=ids, state=OutboundState.QUEUED, outcome_open=True)
    expired.filter(open_until__lte=clock.database_now()).update(state=OutboundState.PARKED, code="NO_PROOF")


def _keep_back(kept: Sequence[tuple[Row, "eligibility.Decision"]], *, now: datetime) -> None:
    """`skipped` with the reason, or a later `due_at`; a row that may have left before is parked, not skipped."""
    rows: list[tuple[Any, ...]] = []
    for row, decision in kept:
        if decision.until is not None:
            rows.append((row.id, "queued", "", decision.until, decision.code.lower(), None, decision.record))
        elif decision.code:
            state = OutboundState.PARKED if row.outcome_open else OutboundState.SKIPPED
            rows.append((row.id, state.value, decision.code, now, "", now, decision.record))
    bulk_sql.update_rows(
        OutboundMessage,
        columns=("state", "code", "due_at", "waiting_for", "final_at", "verdict"),
        rows=sorted(rows, key=lambda r: r[0]),
        where="o.state = 'queued'",
    )


def backoff(attempts: int) -> timedelta:
    """5 s, 10 s, 20 s … at most 10 minutes."""
    return timedelta(seconds=min(600, 5 * 2 ** min(attempts, 10)))
