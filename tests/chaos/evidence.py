"""What the judge is given: the carrier's log and the journal, and, only then, what the database says.

Read with plain SQL: the judge shares no line of code with what it judges.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from smsdesk.simulator import journal
from tests.chaos import acts


@dataclass(frozen=True, slots=True)
class Row:
    """One message of the ledger. Times are seconds, 0 where there is none."""

    reference: str
    state: str
    code: str
    kind: str
    purpose: str
    campaign: str  # its name, which is its word; "" for single messages
    campaign_state: str
    phone: str
    sender: str
    text: str
    submit_no: int
    due_at: float
    submitted_at: float
    accepted_at: float
    outcome_open: bool
    waiting_for: str
    evidence: str = ""
    error_class: str = ""


@dataclass(slots=True)
class Evidence:
    carrier: list[dict[str, Any]]
    acts: list[dict[str, Any]]
    rows: list[Row]
    campaigns: dict[str, str]  # name → state
    inbound: "Counter[str]"  # gateway id → rows
    receipts: "Counter[tuple[str, str]]"  # reference, state → rows
    suppressed: set[str]  # phones
    contacts: "Counter[str]"  # phone → rows
    rates: dict[str, float]  # sender → parts a second
    scale: float
    is_lookup_exact: bool
    read_at: float
    asleep: set[str] = field(default_factory=set)
    people: dict[str, list[str]] = field(default_factory=dict)  # list → phones
    most_submitting: dict[str, int] = field(default_factory=dict)  # sender → most rows of a lane at once
    held: float = 0.0  # seconds for which the way to the carrier may hold what was sent
    deadlocks: int = 0  # that the database had to end
    is_only_deployed: bool = False  # nothing but deploys was done to the desk
    canaries: Sequence[str] = ()
    phones: set[str] = field(default_factory=set)  # no log may hold one
    logs: Sequence[Path] = ()


_LEDGER = """
    SELECT o.public_id, o.state, o.code, o.kind, o.purpose, COALESCE(c.name, ''), COALESCE(c.state, ''), o.phone,
        s.value, o.text, o.submit_no, o.due_at, o.submitted_at, o.accepted_at, o.outcome_open, o.waiting_for,
        o.evidence, o.error_class
    FROM campaigns_outboundmessage o JOIN campaigns_sender s ON s.id = o.sender_id
    LEFT JOIN campaigns_campaign c ON c.id = o.campaign_id ORDER BY o.id"""
_INBOUND = "SELECT gateway_id, COUNT(*) FROM inbound_inboundmessage GROUP BY gateway_id"
_RECEIPTS = "SELECT reference, gateway_id, state, COUNT(*) FROM campaigns_deliveryevent GROUP BY 1, 2, 3"
_SUPPRESSED = """
    SELECT DISTINCT k.phone FROM contacts_contact k
    JOIN contacts_suppression s ON s.subscriber_key = k.subscriber_key
    WHERE s.lifted_by_id IS NULL"""
_CONTACTS = "SELECT phone, COUNT(*) FROM contacts_contact GROUP BY phone"
_CAMPAIGNS = "SELECT name, state FROM campaigns_campaign"
_OPEN = """
    SELECT o.state, COUNT(*) FROM campaigns_outboundmessage o LEFT JOIN campaigns_campaign c ON c.id = o.campaign_id
    WHERE o.state IN ('queued', 'submitting', 'unknown')
        AND NOT (o.state = 'unknown' AND o.purpose = 'marketing' AND {})
        AND NOT (o.state = 'queued' AND COALESCE(c.state, '') IN ('paused', 'draft')) GROUP BY o.state"""


class Database:
    """Reads the desk's database, whichever it is; a connection for each question, so that it may go and come."""

    def __init__(self, *, url: str = "", path: Path | None = None) -> None:
        self._url, self._path = url, path
        self._kept: psycopg.Connection[Any] | None = None

    def ask(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        if self._path is not None:
            connection = sqlite3.connect(self._path, timeout=20)
            try:
                return connection.execute(statement, parameters).fetchall()
            finally:
                connection.close()
        with psycopg.connect(self._url, connect_timeout=3) as server:
            return server.execute(
                statement.replace("%", "%%") if not parameters else statement, parameters or None
            ).fetchall()

    def ask_often(self, statement: str) -> list[tuple[Any, ...]]:
        """On a connection that is kept, until it breaks."""
        if self._path is not None:
            return self.ask(statement)
        if self._kept is None or self._kept.closed:
            self._kept = psycopg.connect(self._url, connect_timeout=3, autocommit=True)
        try:
            return self._kept.execute(statement).fetchall()
        except psycopg.Error:
            self._kept.close()
            raise

    def tell(self, statement: str) -> None:
        if self._path is not None:
            with sqlite3.connect(self._path, timeout=20) as connection:
                connection.execute(statement)
            return
        with psycopg.connect(self._url, connect_timeout=3) as server:
            server.execute(statement)

    def open_rows(self, *, is_lookup_exact: bool) -> dict[str, int]:
        """What is not settled yet, without what may wait for hours."""
        return dict(self.ask(_OPEN.format("FALSE" if is_lookup_exact else "TRUE")))

    def submitting(self) -> list[tuple[str, int]]:
        return self.ask_often(
            "SELECT s.value, COUNT(*) FROM campaigns_outboundmessage o JOIN campaigns_lane l ON l.id = o.lane_id "
            "JOIN campaigns_sender s ON s.id = l.sender_id WHERE o.state = 'submitting' GROUP BY l.id, s.value"
        )


def collect(
    database: Database, *, carrier_log: Path, journal_file: Path, rates: dict[str, float], scale: float,
    is_lookup_exact: bool,
) -> Evidence:  # fmt: skip
    carrier = list(journal.read(carrier_log))
    told = acts.read(journal_file)
    rows = [
        Row(
            reference=plain(row[0]), state=row[1], code=row[2], kind=row[3], purpose=row[4], campaign=row[5],
            campaign_state=row[6], phone=row[7], sender=row[8], text=row[9], submit_no=row[10],
            due_at=seconds(row[11]), submitted_at=seconds(row[12]), accepted_at=seconds(row[13]),
            outcome_open=bool(row[14]), waiting_for=row[15],
            evidence=row[16] if isinstance(row[16], str) else json.dumps(row[16]),
            error_class=row[17],
        )
        for row in database.ask(_LEDGER)
    ]  # fmt: skip
    by_gateway_id = {line["gateway_id"]: plain(line["reference"]) for line in carrier if line["kind"] == "accepted"}
    receipts: Counter[tuple[str, str]] = Counter()
    for reference, gateway_id, state, count in database.ask(_RECEIPTS):
        receipts[plain(reference) or by_gateway_id.get(gateway_id, ""), state] += count
    return Evidence(
        carrier=carrier,
        acts=told,
        rows=rows,
        campaigns=dict(database.ask(_CAMPAIGNS)),
        inbound=Counter(dict(database.ask(_INBOUND))),
        receipts=receipts,
        suppressed={row[0] for row in database.ask(_SUPPRESSED)},
        contacts=Counter(dict(database.ask(_CONTACTS))),
        rates=rates,
        scale=scale,
        is_lookup_exact=is_lookup_exact,
        read_at=datetime.now(UTC).timestamp(),
    )


def plain(reference: object) -> str:
    """A reference without dashes, as every dialect and database writes it differently."""
    return str(reference).replace("-", "").lower() if reference else ""


def seconds(moment: object) -> float:
    if moment is None or moment == "":
        return 0.0
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    assert isinstance(moment, datetime)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
