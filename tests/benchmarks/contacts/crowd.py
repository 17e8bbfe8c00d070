"""A million people with consent, opt-outs, lists and a history of messages, made by the database itself.

Run in a process of its own on an empty, migrated database: `python -m tests.benchmarks.contacts.crowd 1000000`.
One statement for each table and everybody in it; who is who hangs on the row's number alone, so two runs are alike.
"""

import json
import random
import sys
from datetime import timedelta

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import accounts, lanes  # noqa: E402
from campaigns.models import Campaign, GatewayAccount, Sender  # noqa: E402
from contacts.models import Brand, ConsentEvent, ContactList  # noqa: E402
from smsdesk import phones  # noqa: E402
from tests.world import CREDENTIALS  # noqa: E402

BODY = "Acme: Hi {{ first_name | default: 'there' }}, 20% off in {{ city }} until Sunday. Reply STOP to opt out."
DAYS = 1_200
FIRST = "Ana Ben Cleo Dan Eva Finn Gia Hugo Ida Jon Kim Leo Mia Noah Olga Paul Rosa Sam Tess Umar Vera Will Zoe"
LAST = (
    "Adams Baker Clark Davis Evans Fisher Garcia Hughes Irving Jones Keller Lopez Miller Nguyen Olsen Parker Quinn "
    "Rossi Smith Turner Usman Vargas Walker Young Ziegler Khan Ito"
)
PLACES = {
    "Austin": "TX",
    "Boston": "MA",
    "Chicago": "IL",
    "Denver": "CO",
    "Miami": "FL",
    "Seattle": "WA",
    "Oslo": "",
}
AREA_CODES = (
    "202 203 205 206 207 208 210 212 213 214 215 216 217 218 224 225 228 229 231 234 239 240 248 251 253 254 "
    "256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 "
    "316 317 318 319 320 321 323 330 331"
)
# Beginnings of mobile numbers elsewhere, as many digits in all: about one person in seven has one.
ABROAD = [("+4474", "GB", 12), ("+49151", "DE", 13), ("+336", "FR", 11), ("+1416", "CA", 11)]
EXCHANGES = 4_001

_POSTGRESQL = {
    "uuid": "gen_random_uuid()",
    "json": "::jsonb",
    "series": "generate_series(0, {last}) AS s(i)",
    "padded": "right('0000000' || (s.i / {prefixes}), e.digits)",
    "moment": "timestamptz",
}
_SQLITE = {
    "uuid": "lower(hex(randomblob(16)))",
    "json": "",
    "series": "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
    "SELECT i FROM n) AS s",
    "padded": "substr('0000000' || (s.i / {prefixes}), -e.digits)",
    "moment": "text",
}

_CONTACTS = """
INSERT INTO contacts_contact (public_id, phone, subscriber_key, name, external_id, language, country, region,
    time_zone, time_zone_source, attributes, dead_since, last_inbound_at, created_at, updated_at)
SELECT {uuid}, p.phone, {key}, CASE WHEN p.i % 31 = 0 THEN '' ELSE f.word || ' ' || l.word END,
    CASE WHEN p.i % 10 < 7 THEN 'CRM-' || p.i END, CASE WHEN p.i % 3 = 0 THEN 'en' ELSE '' END, p.country,
    CASE WHEN p.country = 'US' AND p.i % 2 = 0 THEN a.region ELSE '' END, '', '',
    (CASE WHEN p.i % 13 = 0 THEN '{{}}' ELSE '{{"city": "' || a.city || '", "tier": "' || (p.i % 5) || '"}}'
    END){json},
    CASE WHEN p.i % 211 = 0 THEN w.at END, CASE WHEN p.i % 9 = 0 THEN w.at END, d.at, d.at
FROM bench_phone p JOIN bench_first f ON f.n = p.i % {firsts} JOIN bench_last l ON l.n = p.i % {lasts}
JOIN bench_place a ON a.n = p.i % {places} JOIN bench_day d ON d.n = p.i % 1100 JOIN bench_day w ON w.n = p.i % 400
ORDER BY p.i
"""
_MEMBERSHIPS = """
INSERT INTO contacts_listmembership (list_id, contact_id, added_at)
SELECT %s, id, created_at FROM contacts_contact WHERE id %% %s = 0
"""
# Of every 20 people: some of them, with what one finds in real books.
_CONSENTS = """
INSERT INTO contacts_consentstate (subscriber_key, brand_id, purpose, is_active, basis, occurred_at, expires_at,
    is_confirmed, is_proven, event_id, ended_by)
SELECT c.subscriber_key, %s, %s, c.id %% 17 <> 0,
    CASE c.id %% 23 WHEN 0 THEN 'express' WHEN 1 THEN 'unproven' WHEN 2 THEN 'implied_inquiry'
    ELSE 'express_written' END, d.at, CASE WHEN c.id %% 41 = 0 THEN d.at END, FALSE, c.id %% 29 <> 0, %s,
    CASE WHEN c.id %% 17 <> 0 THEN '' WHEN c.id %% 119 = 0 THEN 'reassign' ELSE 'opt_out' END
FROM contacts_contact c JOIN bench_day d ON d.n = c.id %% 900 WHERE c.id %% 20 >= %s
"""
_SUPPRESSIONS = """
INSERT INTO contacts_suppression (subscriber_key, brand_id, purpose, source, since, event_id)
SELECT c.subscriber_key, CASE WHEN c.id %% 2 = 0 THEN %s END, CASE WHEN c.id %% 3 = 0 THEN '*' ELSE 'marketing' END,
    CASE WHEN c.id %% 7 = 0 THEN 'carrier' ELSE 'text' END, d.at, %s
FROM contacts_contact c JOIN bench_day d ON d.n = c.id %% 700 WHERE c.id %% 37 = 5
"""
_HOLDS = """
INSERT INTO contacts_hold (public_id, subscriber_key, said_at, opened_at, closed_by)
SELECT {uuid}, c.subscriber_key, d.at, d.at, '' FROM contacts_contact c JOIN bench_day d ON d.n = c.id %% 14
WHERE c.id %% 499 = 3
"""
_MESSAGES = """
INSERT INTO campaigns_outboundmessage (public_id, kind, purpose, brand_id, campaign_id, contact_id, subscriber_key,
    phone, sender_id, lane_id, priority, state, due_at, waiting_for, code, text, compliance_kind, body, encoding,
    parts, submit_no, attempts, submitted_at, gateway_id, outcome_open, accepted_at, final_at, error_code,
    error_class, replied_at, created_at)
SELECT {uuid}, 'campaign', 'marketing', %s, %s, c.id, c.subscriber_key, c.phone, %s, %s, 50,
    CASE WHEN c.id %% 16 = 0 THEN 'undelivered' ELSE 'delivered' END, d.at, '', '', '', '',
    'Acme: 20%% off until Sunday. Reply STOP to opt out.', 'gsm7', 1, 1, 1, d.at, '', FALSE, d.at, d.at, '', '',
    CASE WHEN c.id %% 50 = 0 THEN d.at END, d.at
FROM contacts_contact c JOIN bench_day d ON d.n = %s + c.id %% 40 WHERE c.id %% 2 = %s
"""


def people(count: int) -> None:
    """Fill every table, and gather statistics as autovacuum would in a while."""
    brand, other = (Brand.objects.create(name=name, slug=name.lower()) for name in ("Acme", "Other"))
    groups = [ContactList.objects.create(name=name) for name in ("Everybody", "Half", "Twentieth")]
    now = timezone.now()
    event = ConsentEvent.objects.create(
        seq=1, subscriber_key="benchmark", brand=brand, purposes=["marketing"], kind="opt_in", occurred_at=now,
        recorded_at=now, source="import", prev_hash="0" * 64, hash="1" * 64,
    )  # fmt: skip
    sender = _sender(brand)
    with transaction.atomic(), connection.cursor() as cursor:
        words = _words(cursor, count)
        cursor.execute(_CONTACTS.format(**words))
        for group, every in zip(groups, (1, 2, 20), strict=True):
            cursor.execute(_MEMBERSHIPS, [group.pk, every])
        for owner, purpose, beginning in (
            (brand, "marketing", 4),
            (brand, "transactional", 16),
            (other, "marketing", 18),
        ):
            cursor.execute(_CONSENTS, [owner.pk, purpose, event.pk, beginning])
        cursor.execute(_SUPPRESSIONS, [brand.pk, event.pk])
        cursor.execute(_HOLDS.format(**words), [])
        for number in range(3):  # to half of the people each, the last one this month
            campaign = Campaign.objects.create(
                name=f"Sent {number}", brand=brand, sender=sender, purpose="marketing", body=BODY
            )
            values = [brand.pk, campaign.pk, sender.pk, sender.lanes.get().pk, (2 - number) * 40, number % 2]
            cursor.execute(_MESSAGES.format(**words), values)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def _sender(brand: Brand) -> Sender:
    account = GatewayAccount.objects.create(name="carrier", kind="twilio", is_simulator=True)
    accounts.store_credentials(account, CREDENTIALS["twilio"])
    sender = Sender.objects.create(
        value="+12025550100", kind="short_code", brand=brand, account=account, parts_per_second=1_000
    )
    lanes.ensure(sender)
    return sender


def _words(cursor, count: int) -> dict[str, object]:
    """Temporary tables the statements pick from by number; what their text needs besides."""
    words = dict(_POSTGRESQL if connection.vendor == "postgresql" else _SQLITE)
    if connection.vendor == "postgresql":
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    now, adapt = timezone.now(), connection.ops.adapt_datetimefield_value
    prefixes = _prefixes()
    _table(
        cursor,
        "bench_day",
        f"n integer, at {words['moment']}",
        [(n, adapt(now - timedelta(days=n))) for n in range(DAYS)],
    )
    _table(
        cursor,
        "bench_prefix",
        "n integer, prefix text, country text, digits integer",
        [(n, *row) for n, row in enumerate(prefixes)],
    )
    _table(cursor, "bench_first", "n integer, word text", list(enumerate(FIRST.split())))
    _table(cursor, "bench_last", "n integer, word text", list(enumerate(LAST.split())))
    _table(
        cursor,
        "bench_place",
        "n integer, city text, region text",
        [(n, *row) for n, row in enumerate(PLACES.items())],
    )
    series = str(words["series"]).format(last=count - 1)
    padded = str(words["padded"]).format(prefixes=len(prefixes))
    cursor.execute(
        "CREATE TEMPORARY TABLE bench_phone AS "
        f"SELECT s.i AS i, e.country AS country, e.prefix || {padded} AS phone FROM {series} "
        f"JOIN bench_prefix e ON e.n = s.i % {len(prefixes)}"
    )
    sizes = {"firsts": len(FIRST.split()), "lasts": len(LAST.split()), "places": len(PLACES)}
    return {**words, **sizes, "key": key_of_phone(cursor)}


def _table(cursor, name: str, columns: str, rows: list[tuple[object, ...]]) -> None:
    cursor.execute(f"CREATE TEMPORARY TABLE {name} ({columns})")
    cursor.executemany(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)


def _prefixes() -> list[tuple[str, str, int]]:
    """Beginnings of numbers that plans know, with their country and the digits to come, home and abroad mixed."""
    chance = random.Random(1)
    home = [(f"+1{area}{exchange}", "US", 4) for area in AREA_CODES.split() for exchange in range(220, 980)]
    abroad = [
        (f"{prefix}{more}", country, length + 1 - len(prefix) - 3)
        for prefix, country, length in ABROAD
        for more in range(200, 500)
    ]
    chance.shuffle(home)
    chance.shuffle(abroad)
    mixed = abroad[: EXCHANGES // 7] + home
    known = [row for row in mixed if phones.kind(row[0] + "0123456"[: row[2]]) != "invalid"][:EXCHANGES]
    chance.shuffle(known)
    return known


def key_of_phone(cursor) -> str:
    """SQL for the subscriber key of `p.phone`. PostgreSQL has no HMAC, which is twice SHA-256 (RFC 2104)."""
    if connection.vendor != "postgresql":
        cursor.connection.create_function("bench_key", 1, phones.subscriber_key, deterministic=True)
        return "bench_key(p.phone)"
    pepper = settings.PEPPER.encode().ljust(64, b"\0")
    inner, outer = (bytes(byte ^ mask for byte in pepper).hex() for mask in (0x36, 0x5C))
    digest = f"sha256('\\x{outer}'::bytea || sha256('\\x{inner}'::bytea || convert_to(p.phone, 'UTF8')))"
    return f"'1' || substr(translate(encode({digest}, 'base64'), '+/', '-_'), 1, 43)"


if __name__ == "__main__":
    people(int(sys.argv[1]))
    print(json.dumps({"people": int(sys.argv[1])}))
