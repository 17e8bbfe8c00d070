"""What receipts write: their events, each once, and the ledger rows these raise, however many come in one call.

PostgreSQL gets all statements of a call at once, as one transaction: what a receipt costs is mostly waiting for the
database's answer, and here there is one. The ledger's row is found by our reference, else by the gateway's id, and
only among the messages of the same account.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from django.db import connection

from campaigns import states
from campaigns.models import DeliveryEvent, OutboundState
from smsdesk import bulk_sql, sms_text
from smsdesk.gateways.contract import Receipt

_TOLD = ("event_key", "reference", "gateway_id", "word", "state", "code", "error_class", "occurred_at", "raw")
_OWN = "o.sender_id IN (SELECT s.id FROM campaigns_sender s WHERE s.account_id = {account})"


@dataclass(frozen=True, slots=True)
class Stored:
    """What a call's receipts came upon.

    `given_up`: public ids of messages that were kept back or put back though the gateway took them. `failed`: per
    campaign the gateway's code and our class of each message that is known to have failed now.
    """

    given_up: list[Any]
    failed: dict[int, list[tuple[str, str]]] = field(default_factory=dict)


def store(account_id: int, receipts: Sequence[Receipt], *, now: datetime) -> Stored:
    """Each event once, each message raised by the highest word for it, in one transaction."""
    source, told = bulk_sql.table_of(DeliveryEvent, columns=_TOLD, rows=_rows(receipts))
    is_named = all(receipt.reference for receipt in receipts)
    accounts = [account_id] * (2 if is_named else 3)
    events, keys = _events(account_id, sorted({receipt.event_key[:128] for receipt in receipts}))
    raising = _raising(events, is_single=len(receipts) == 1)
    answers = bulk_sql.run_prepared(
        [
            (_inserting(source, is_named=is_named), [*accounts, _adapted(now), *told]),
            *((statement, keys) for statement in raising),
        ]
    )
    given_up, raised = _told_apart(answers[1:])
    stored = Stored(given_up)
    for campaign_id, state, code, kind in raised:
        if campaign_id is not None and states.RANK[OutboundState(state)] == 3:
            stored.failed.setdefault(campaign_id, []).append((code, kind))
    return stored


def match_again(event_ids: Sequence[int]) -> list[int]:
    """Give events that had none their message, and raise it. Which of them have one now."""
    which, ids = f"id IN ({', '.join(['%s'] * len(event_ids))})", list(event_ids)
    matched = _match("e", account="e.account_id", is_named=False)
    named = "e.id" if connection.vendor == "postgresql" else "id"
    update = (
        f"UPDATE campaigns_deliveryevent AS e SET message_id = {matched} "
        f"WHERE e.{which} AND e.message_id IS NULL AND {matched} IS NOT NULL RETURNING {named}"
    )
    events = f"(SELECT * FROM campaigns_deliveryevent WHERE {which}) AS e"
    raising = ((statement, ids) for statement in _raising(events, is_single=False))
    return [row[0] for row in bulk_sql.run_together([(update, ids), *raising])[0]]


def _rows(receipts: Sequence[Receipt]) -> list[tuple[Any, ...]]:
    """In the order of their keys: two calls that tell the same must not wait for each other crosswise."""
    return sorted(
        (
            (
                one.event_key[:128],
                one.reference,
                one.gateway_id[:128],
                one.word[:60],
                one.state,
                one.code[:40],
                one.error_class.value[:12] if one.error_class else "",
                one.at,
                sms_text.storable(one.raw),
            )
            for one in receipts
        ),
        key=lambda row: row[0],
    )


@cache
def _inserting(source: str, *, is_named: bool) -> str:
    return (
        f"INSERT INTO campaigns_deliveryevent (account_id, message_id, received_at, {', '.join(_TOLD)}) "
        f"SELECT {_account()}, {_match('x', account=_account(), is_named=is_named)}, {_moment()}, "
        f"{', '.join(f'x.{name}' for name in _TOLD)} FROM {source} "
        # Without WHERE, SQLite would take ON CONFLICT for the ON of a join.
        "WHERE TRUE ON CONFLICT DO NOTHING"
    )


def _match(told: str, *, account: str, is_named: bool) -> str:
    """SQL of the id of the message a receipt is about, or NULL; `is_named`: all of them carry our reference."""
    own = _OWN.format(account=account)
    ledger = "SELECT o.id FROM campaigns_outboundmessage o"
    by_reference = f"({ledger} WHERE o.public_id = {told}.reference AND {own})"
    if is_named:
        return by_reference
    return (
        f"CASE WHEN {told}.reference IS NOT NULL THEN {by_reference} "
        f"WHEN {told}.gateway_id <> '' THEN ({ledger} JOIN campaigns_takenmessage t ON t.message_id = o.id "
        f"WHERE t.gateway_id = {told}.gateway_id AND t.gateway_id <> '' AND {own} LIMIT 1) END"
    )


def _events(account_id: int, keys: list[str]) -> tuple[str, list[Any]]:
    """These events as a table `e` of a statement, and its parameters: looked up one by one, by account and key.

    Left to choose, PostgreSQL walks through all events of the account while it has no statistics of them.
    """
    if connection.vendor != "postgresql":
        which = "event_key IN (SELECT value FROM json_each(%s)) AND account_id = %s"
        return f"(SELECT * FROM campaigns_deliveryevent WHERE {which}) AS e", [json.dumps(keys), account_id]
    return (
        "unnest(%s::varchar[]) AS told(key) CROSS JOIN LATERAL (SELECT * FROM campaigns_deliveryevent d "
        "WHERE d.account_id = %s::bigint AND d.event_key = told.key LIMIT 1) AS e",
        [keys, account_id],
    )


@lru_cache(maxsize=8)
def _raising(events: str, *, is_single: bool) -> list[str]:
    """By the highest word for each message; only upwards, and never a row that was not submitted at all.

    Statements of which each takes the parameters of `events`; `_told_apart` reads what they return. A row that
    waits to be tried again rises by words of acceptance only: that it was refused is known. PostgreSQL locks rows
    in the order of their ids first, as everybody must who writes several.
    """
    is_locking = connection.vendor == "postgresql"
    rank = states.rank_sql("e.state")
    place = "1" if is_single else f"ROW_NUMBER() OVER (PARTITION BY e.message_id ORDER BY {rank} DESC, e.id)"
    best = (
        "best AS (SELECT e.message_id AS id, e.state, e.gateway_id, e.code AS error_code, e.error_class, "
        f"COALESCE(e.occurred_at, e.received_at) AS told_at, {rank} AS rank, {place} AS place "
        f"FROM {events} WHERE e.message_id IS NOT NULL AND {rank} > 0)"
    )
    lock = (
        ", locked AS MATERIALIZED (SELECT l.id AS message, l.public_id, l.state AS was "
        "FROM campaigns_outboundmessage l WHERE l.id IN (SELECT id FROM best) ORDER BY l.id FOR NO KEY UPDATE)"
    )
    unset = ("gateway_id", "error_code", "error_class")
    keep = ", ".join(f"{name} = CASE WHEN x.{name} = '' THEN o.{name} ELSE x.{name} END" for name in unset)
    returned = "o.campaign_id, o.state, o.error_code, o.error_class, locked.public_id, locked.was"
    update = (
        f"WITH {best}{lock if is_locking else ''} "
        f"UPDATE campaigns_outboundmessage AS o SET state = x.state, {keep}, "
        "code = CASE WHEN x.rank = 3 THEN 'REFUSED' ELSE o.code END, "
        "accepted_at = COALESCE(o.accepted_at, x.told_at), "
        "final_at = CASE WHEN x.rank >= 3 THEN x.told_at ELSE o.final_at END, next_lookup_at = NULL "
        f"FROM best x{' JOIN locked ON locked.message = x.id' if is_locking else ''} "
        f"WHERE o.id = x.id AND x.place = 1 AND {states.rank_sql('o.state')} < x.rank "
        # A database that was restored does not know of every submit.
        "AND (o.submit_no > 0 OR o.created_at < (SELECT restored_at FROM campaigns_instance)) "
        "AND NOT (o.state = 'queued' AND x.state = 'rejected') "
        f"RETURNING {returned if is_locking else 'campaign_id, state, error_code, error_class'}"
    )
    if is_locking:
        return [update]
    # SQLite's RETURNING knows the updated table only, and not as it was.
    before = (
        f"SELECT DISTINCT o.public_id FROM {events} JOIN campaigns_outboundmessage o ON o.id = e.message_id "
        f"WHERE {rank} > 0 AND e.state <> 'rejected' AND o.state IN {_GIVEN_UP} AND o.submit_no > 0"
    )
    return [before, update]


def _told_apart(answers: Sequence[Sequence[tuple[Any, ...]]]) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """Messages that were given up though a gateway took them; campaign, state, code and class of those raised."""
    if len(answers) == 2:
        return [row[0] for row in answers[0]], list(answers[1])
    (raised,) = answers
    return [row[4] for row in raised if row[5] in _GIVEN_UP], [row[:4] for row in raised]


# A word of acceptance for one of these: the gateway took what it had said it never saw.
_GIVEN_UP = (OutboundState.QUEUED.value, OutboundState.SKIPPED.value, OutboundState.CANCELLED.value)


def _account() -> str:
    return "%s::bigint" if connection.vendor == "postgresql" else "%s"


def _moment() -> str:
    return "%s::timestamptz" if connection.vendor == "postgresql" else "%s"


def _adapted(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
