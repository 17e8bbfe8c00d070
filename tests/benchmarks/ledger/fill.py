"""Fills a ledger by the database itself: campaigns that are finished, and a large one half of which has left.

Run in a process of its own on an empty, migrated PostgreSQL: `python -m tests.benchmarks.ledger.fill 1000000`.
Triggers and indexes are taken away for the load and come back after it; what triggers keep is filled at once.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import accounts, counting, followers, lanes  # noqa: E402
from campaigns.models import Campaign, CampaignState, GatewayAccount, Sender  # noqa: E402
from contacts.models import Brand  # noqa: E402
from tests.benchmarks.contacts.crowd import key_of_phone  # noqa: E402
from tests.world import CREDENTIALS  # noqa: E402

IN_FLIGHT = 1_000_000
FINISHED = 100_000  # rows of a campaign that is over
RATE = 20_000.0
BODY = "Acme: Hi {{ first_name | default: 'there' }}, 20% off until Sunday. Reply STOP to opt out."
KEPT = (followers, counting)  # what triggers write beside the ledger
TABLES = ("campaigns_outboundmessage", "campaigns_messageinmotion", "campaigns_takenmessage")

_CONTACTS = """
INSERT INTO contacts_contact (public_id, phone, subscriber_key, name, language, country, region, time_zone,
    time_zone_source, attributes, created_at, updated_at)
SELECT gen_random_uuid(), p.phone, {key}, 'Ana ' || right(p.phone, 4), '', 'US', '', 'America/New_York', 'stated',
    '{{"city": "Springfield"}}'::jsonb, now(), now()
FROM (SELECT i, '+1212' || (2001100 + i / 900 * 1000 + i % 900) AS phone FROM generate_series(0, {last}) AS i) AS p
ORDER BY p.i
"""
# Columns that are alike in both kinds of campaigns come first.
_COLUMNS = """
INSERT INTO campaigns_outboundmessage (public_id, kind, purpose, brand_id, campaign_id, contact_id, subscriber_key,
    phone, sender_id, lane_id, priority, waiting_for, text, compliance_kind, outcome_open, error_class, attempts,
    due_at, created_at, state, code, body, encoding, parts, submit_no, submitted_at, gateway_id, accepted_at,
    final_at, error_code, replied_at, next_lookup_at)
SELECT gen_random_uuid(), 'campaign', 'marketing', %(brand)s, %(campaign)s, c.id, c.subscriber_key, c.phone,
    %(sender)s, (%(lanes)s::bigint[])[1 + c.id %% %(lane_count)s], 50, '', '', '', FALSE, '', 0, m.due, m.due,
"""
_PEOPLE = """
FROM (SELECT i, %(at)s::timestamptz AS due, %(at)s::timestamptz + i * interval '250 microseconds' AS left_at,
    %(first)s + (%(shift)s + i) %% %(people)s AS contact_id
    FROM generate_series(0, %(size)s - 1) AS i) AS m
JOIN contacts_contact c ON c.id = m.contact_id ORDER BY m.i
"""
_LEFT = """
    CASE WHEN i %% 50 = 7 THEN 'undelivered' WHEN i %% 100 = 3 THEN 'expired' WHEN i %% 100 = 11 THEN 'rejected'
        WHEN i %% 25 = 4 THEN 'skipped' ELSE 'delivered' END,
    CASE WHEN i %% 100 = 11 THEN 'INVALID_NUMBER' WHEN i %% 25 = 4 THEN 'NO_CONSENT' ELSE '' END,
    'Acme: Hi Ana, 20%% off until Sunday. Reply STOP to opt out.', 'gsm7', 1, 1, left_at,
    'SM' || md5(%(campaign)s || '/' || i), left_at, left_at + interval '4 seconds',
    CASE WHEN i %% 50 = 7 THEN '30003' ELSE '' END,
    CASE WHEN i %% 60 = 1 THEN left_at + interval '2 minutes' END, NULL
"""
_FINISHED = _COLUMNS + _LEFT + _PEOPLE
# Half has left, and of it some answers are not known; the other half waits.
_WAITING = _COLUMNS + "'queued', '', '', '', NULL, 0, NULL, '', NULL, NULL, '', NULL, NULL" + _PEOPLE
_UNKNOWN = """
UPDATE campaigns_outboundmessage SET state = 'unknown', gateway_id = '', accepted_at = NULL, final_at = NULL,
    next_lookup_at = now() + interval '1 day' WHERE campaign_id = %s AND state = 'delivered' AND id %% 9973 = 0
"""


def main(rows: int) -> None:
    begun = monotonic()
    in_flight = min(IN_FLIGHT, max(2, rows // 2))
    brand = Brand.objects.create(name="Acme", slug="acme")
    account = GatewayAccount.objects.create(name="carrier", kind="twilio", is_simulator=True)
    accounts.store_credentials(account, CREDENTIALS["twilio"])
    sender = Sender.objects.create(
        value="+12025550100", kind="short_code", brand=brand, account=account, parts_per_second=RATE
    )
    own_lanes = [lane.pk for lane in lanes.ensure(sender)]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(_CONTACTS.format(key=key_of_phone(cursor), last=in_flight - 1))
        cursor.execute("SELECT MIN(id) FROM contacts_contact")
        first = cursor.fetchone()[0]
    shared = {
        "brand": brand.pk, "sender": sender.pk, "lanes": own_lanes, "lane_count": len(own_lanes), "first": first,
        "people": in_flight,
    }  # fmt: skip
    now = timezone.now()
    with _bare():
        campaigns = _finished(rows - in_flight, most=min(FINISHED, in_flight))
        for number, size in enumerate(campaigns):
            at = now - timedelta(hours=6 * (len(campaigns) - number))
            campaign = _campaign(f"Sent {number}", CampaignState.FINISHED, sender, size=size)
            _insert(_FINISHED, {**shared, "campaign": campaign, "at": at, "shift": number * 37_337, "size": size})
        large = _campaign("In flight", CampaignState.SENDING, sender, size=in_flight)
        half, began = in_flight // 2, now - timedelta(minutes=5)
        _insert(_FINISHED, {**shared, "campaign": large, "at": began, "shift": 0, "size": half})
        with connection.cursor() as cursor:
            cursor.execute(_UNKNOWN, [large])
        _insert(_WAITING, {**shared, "campaign": large, "at": began, "shift": half, "size": in_flight - half})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(f"SELECT {', '.join('pg_total_relation_size(%s), pg_indexes_size(%s)' for _ in TABLES)}",
                       [name for table in TABLES for name in (table, table)])  # fmt: skip
        sizes = [round(value / 2**20) for value in cursor.fetchone()]
    print(
        json.dumps(
            {
                "campaigns": len(campaigns) + 1,
                "in_flight": in_flight,
                "fill_seconds": round(monotonic() - begun, 1),
                "total_and_index_mb": {
                    table.removeprefix("campaigns_"): sizes[2 * n : 2 * n + 2] for n, table in enumerate(TABLES)
                },
            }
        )
    )


def _finished(rows: int, *, most: int) -> list[int]:
    """Sizes of the campaigns that are over."""
    whole, rest = divmod(rows, most)
    return [most] * whole + ([rest] if rest else [])


def _campaign(name: str, state: CampaignState, sender: Sender, *, size: int) -> int:
    now = timezone.now()
    made = Campaign.objects.create(
        name=name, brand=sender.brand, sender=sender, purpose="marketing", body=BODY, state=state,
        audience_size=size, launched_at=now, prepared_at=now,
        finished_at=now if state == CampaignState.FINISHED else None,
    )  # fmt: skip
    return made.pk


def _insert(statement: str, values: dict[str, object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def _bare() -> Iterator[None]:
    """Without triggers and without the indexes that belong to no constraint; afterwards they are there again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i "
            "WHERE i.indrelid = ANY (%s::regclass[]) "
            "AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
            [list(TABLES)],
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
    with connection.schema_editor() as editor:
        for kept in KEPT:
            kept.remove(editor)
    yield
    with connection.schema_editor() as editor:
        for kept in KEPT:
            kept.install(editor)
            kept.fill(editor)
    with connection.cursor() as cursor:
        for _, definition in indexes:
            cursor.execute(definition)


if __name__ == "__main__":
    main(int(sys.argv[1]))
