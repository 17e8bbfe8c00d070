"""One batch of one lane: read, submit, call, record. The heart of "never twice, never after STOP".

1. *read* the lane's next due rows and render them: no lock, no write.
2. *submit*, one transaction committed before a byte leaves: the lane is still ours; the contacts are locked in
   id order; facts are read and judged under that lock; `queued → submitting` for those who may, `skipped` or a
   later `due_at` for the others. STOP takes the same contact lock.
3. *call* the gateway, no transaction open, first byte within a second of a moment before the submit statement.
4. *record*, one transaction, by (token, `submitting`), and the lane is handed back.

A crash before the commit of 2 changes nothing; after it, this one batch is in `submitting` and the reaper makes
it `unknown`, never `queued`. Lock order everywhere: lane, contacts by id, ledger rows by id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from campaigns import eligibility, lanes, preference_links, rendering
from campaigns.models import Campaign, OutboundMessage, OutboundState, Priority, Sender
from campaigns.times import TIMES
from contacts.models import Contact
from smsdesk import bulk_sql, clock, sms_text
from smsdesk.gateways.contract import Deadline, SubmitItem

MOST = 200  # rows of one batch
MOST_CAMPAIGNS = 50  # whose rows are read for one batch
MOST_ATTEMPTS = 3  # of a row that kills its worker


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
    outcome_open: bool
    submitted_at: datetime | None  # by an earlier try
    person: eligibility.Person
    body: str = ""
    encoding: str = ""
    parts: int = 0
    refusal: str = ""  # why the text cannot be made for this person
    missing: tuple[str, ...] = ()  # the fields it lacks


@dataclass(slots=True)
class Batch:
    """What goes into one submit: rows of one lane and the facts they share."""

    won: lanes.Won
    sender: Sender
    rows: list[Row]
    campaigns: dict[int, Campaign]

    @property
    def parts(self) -> int:
        return sum(row.parts for row in self.rows)


@dataclass(frozen=True, slots=True)
class Submitted:
    """Rows that are committed as `submitting` and must be called before `deadline`."""

    items: tuple[SubmitItem, ...]
    rows: dict[UUID, Row]
    deadline: Deadline


# --- 1 read ---------------------------------------------------------------------------------------------


def read(won: lanes.Won, *, most: int = MOST) -> Batch:
    """The lane's most urgent due rows, rendered: about what it may send in one second, at most `most`."""
    sender = Sender.objects.select_related("account", "brand").get(pk=won.sender_id)
    campaigns = Campaign.objects.in_bulk(_next_campaigns(won))
    limit = 1 if won.is_careful else max(1, min(most, int(won.rate)))
    ids = _next_ids(won.lane_id, list(campaigns), limit=limit)
    rows = _rows(ids)
    batch = Batch(won=won, sender=sender, rows=rows, campaigns=campaigns)
    if won.is_careful:
        _count_attempt(batch)
    for row in batch.rows:
        _render(row, batch)
    _cut_to_pace(batch)
    return batch


def _next_campaigns(won: lanes.Won) -> list[int]:
    """The campaigns whose rows are due first; a sender may have thousands that wait for the morning."""
    statement = f"""
        SELECT id FROM (
            SELECT c.id, (
                SELECT MIN(o.due_at) FROM campaigns_outboundmessage o
                WHERE o.lane_id = %s AND o.campaign_id = c.id AND o.state = 'queued' AND o.due_at <= {lanes.clock()}
            ) AS first FROM campaigns_campaign c WHERE c.sender_id = %s AND c.state = 'sending'
        ) AS due WHERE first IS NOT NULL ORDER BY first, id LIMIT {MOST_CAMPAIGNS}"""
    with connection.cursor() as cursor:
        cursor.execute(statement, [won.lane_id, won.sender_id])
        return [row[0] for row in cursor.fetchall()]


def _next_ids(lane_id: int, campaign_ids: Sequence[int], *, limit: int) -> list[int]:
    """Ids by priority, then due time; each branch is one short index scan."""
    now = lanes.clock()
    base = (
        "SELECT id, priority, due_at FROM campaigns_outboundmessage "
        f"WHERE lane_id = %s AND state = 'queued' AND due_at <= {now} AND "
    )
    order = f" ORDER BY due_at, id LIMIT {limit}"
    single = f"{base} campaign_id IS NULL AND priority = %s {order}"
    branches = [f"SELECT * FROM ({single}) AS p{priority}" for priority in Priority.values]
    branches += [f"SELECT * FROM ({base} campaign_id = %s {order}) AS c{pk}" for pk in campaign_ids]
    parameters = [value for key in (*Priority.values, *campaign_ids) for value in (lane_id, key)]
    statement = f"{' UNION ALL '.join(branches)} ORDER BY priority, due_at, id LIMIT {limit}"
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [row[0] for row in cursor.fetchall()]


_OWN = (
    "id", "public_id", "purpose", "brand_id", "campaign_id", "contact_id", "subscriber_key", "phone", "send_by",
    "text", "compliance_kind", "created_at", "attempts", "outcome_open",
    "submitted_at",
)  # fmt: skip


def _rows(ids: Sequence[int]) -> list[Row]:
    if not ids:
        return []
    found = OutboundMessage.objects.filter(id__in=ids).values_list(
        *_OWN, *(f"contact__{name}" for name in eligibility.PERSON_FIELDS)
    )
    own = len(_OWN)
    values: Any
    by_id: dict[int, Row] = {}
    for values in found:
        fields: list[Any] = [*values[:own], eligibility.Person(*values[own:])]
        by_id[values[0]] = Row(*fields)
    return [by_id[row_id] for row_id in ids if row_id in by_id]


def _count_attempt(batch: Batch) -> None:
    """Careful mode: the attempt is counted before the row can kill its worker again; the third is the last."""
    poisoned = []
    for row in batch.rows:
        OutboundMessage.objects.filter(pk=row.id, state=OutboundState.QUEUED).update(attempts=row.attempts + 1)
        if row.attempts >= MOST_ATTEMPTS:
            poisoned.append(row.id)
    if poisoned:
        OutboundMessage.objects.filter(pk__in=poisoned, state=OutboundState.QUEUED, outcome_open=False).update(
            state=OutboundState.SKIPPED, code="POISON"
        )
        OutboundMessage.objects.filter(pk__in=poisoned, state=OutboundState.QUEUED, outcome_open=True).update(
            state=OutboundState.PARKED, code="POISON"
        )
        batch.rows = [row for row in batch.rows if row.id not in poisoned]


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
        brand=batch.sender.brand.name,
        link=link,
    )
    rendered = template.render(values)
    row.body, row.encoding, row.parts = rendered.body, rendered.encoding, rendered.parts
    row.refusal, row.missing = rendered.code, rendered.missing


def _cut_to_pace(batch: Batch) -> None:
    """Throughput is counted in parts: at most a second's worth, at least one message."""
    total = 0
    kept: list[Row] = []
    for row in batch.rows:
        total += row.parts
        if kept and total > batch.won.rate:
            break
        kept.append(row)
    batch.rows = kept


# --- 2 submit -------------------------------------------------------------------------------------------


def submit(batch: Batch) -> Submitted | None:
    """Commit who may leave. None: the lane was lost, or nobody of the batch may leave now."""
    with transaction.atomic():
        if not lanes.renew(batch.won, pause=batch.parts / batch.won.rate):
            return None
        present = _lock_contacts(batch.rows)
        # A new statement each, so that its snapshot is younger than the locks.
        now = clock.database_now()
        decisions = eligibility.decide(batch.rows, sender=batch.sender, present=present, at=now)
        leaving = [(row, d) for row, d in zip(batch.rows, decisions, strict=True) if d.may_leave]
        _keep_back([(row, d) for row, d in zip(batch.rows, decisions, strict=True) if not d.may_leave], now=now)
        # Read before the statement, not after COMMIT: a freeze in between must count.
        elapsed = clock.Elapsed()
        taken = set(_mark_submitting(batch.won, leaving))
    if not taken:
        return None
    chosen = {row.public_id: row for row, _ in leaving if row.id in taken}
    return Submitted(
        items=tuple(
            SubmitItem(reference=row.public_id, to=row.phone, body=row.body, encoding=row.encoding, parts=row.parts)
            for row in chosen.values()
        ),
        rows=chosen,
        deadline=Deadline(started=elapsed, limit=TIMES.first_byte),
    )


def undo(won: lanes.Won) -> None:
    """Submit failed, perhaps at its commit, and nothing was called: what it may have committed is queued again.

    The lane first: where the old transaction is still on its way, this waits until its end is known.
    """
    with transaction.atomic():
        lanes.slow(won, seconds=1.0)
        OutboundMessage.objects.filter(lane_id=won.lane_id, state=OutboundState.SUBMITTING, token=won.token).update(
            state=OutboundState.QUEUED
        )


def _lock_contacts(rows: Sequence[Row]) -> set[int]:
    """Lock the batch's contacts in id order; the ids that still exist. NO KEY: inserts that point to them go on."""
    ids = [row.contact_id for row in rows if row.contact_id]
    locked = Contact.objects.select_for_update(no_key=True).filter(id__in=ids).order_by("id")
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
        where="o.state = 'queued'",
        parameters=[token],
    )


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
