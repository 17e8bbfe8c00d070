"""Fills a ledger with accepted messages, fast: benchmarks and tests of receipts and metrics start from there.

Run in a process of its own: `python -m tests.benchmarks.sent '{"messages": 60000, "dialects": ["twilio"], …}'`.
"""

import json
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import accounts, lanes  # noqa: E402
from campaigns.models import Campaign, CampaignState, GatewayAccount, OutboundMessage, Sender  # noqa: E402
from contacts.models import Brand  # noqa: E402
from smsdesk import bulk_copy, phones  # noqa: E402
from tests.benchmarks.people import number  # noqa: E402
from tests.world import CREDENTIALS  # noqa: E402

PIECE = 10_000
TEXT = "Acme: Hi Ana, 20% off until Sunday. Reply STOP to opt out."
SHARED = {
    "kind": "campaign", "purpose": "marketing", "priority": 50, "state": "accepted", "waiting_for": "", "code": "",
    "text": "", "compliance_kind": "", "body": TEXT, "encoding": "gsm7", "parts": 1, "send_by": None,
    "submit_no": 1, "attempts": 1, "outcome_open": False, "evidence": None, "next_lookup_at": None,
    "final_at": None, "error_code": "", "error_class": "", "replied_at": None, "opted_out_at": None,
    "idempotency_key": None, "api_key": None, "token": None, "contact": None,
}  # fmt: skip


def account(dialect: str) -> GatewayAccount:
    made = GatewayAccount.objects.create(
        name=dialect, kind=dialect, base_url="http://127.0.0.1:9", is_simulator=True
    )
    accounts.store_credentials(made, CREDENTIALS[dialect])
    return made


def messages(count: int, *, of: GatewayAccount, brand: Brand, first: int) -> list[tuple[str, str]]:
    """(our reference, the gateway's id) of each, in the order in which they were sent."""
    sender = Sender.objects.create(
        value=f"+1202555{first // 1_000_000:04}",
        kind="short_code",
        brand=brand,
        account=of,
        parts_per_second=1000.0,
    )
    lane = lanes.ensure(sender)[0]
    campaign = Campaign.objects.create(
        name=f"Sent {of.kind}",
        brand=brand,
        sender=sender,
        purpose="marketing",
        body=TEXT,
        state=CampaignState.SENDING,
    )
    verdict = json.dumps({"outcome": "send", "rules": "benchmark"})
    ids: list[tuple[str, str]] = []
    start = timezone.now() - timedelta(hours=1)
    for at in range(0, count, PIECE):
        size = min(PIECE, count - at)
        references = [uuid.uuid4().hex for _ in range(size)]
        gateway_ids = references if of.kind == "infobip" else [f"SM{uuid.uuid4().hex}" for _ in range(size)]
        numbers = [number(first + at + n) for n in range(size)]
        times = [start + timedelta(milliseconds=at + n) for n in range(size)]
        bulk_copy.insert(
            OutboundMessage,
            own={
                "public_id": [uuid.UUID(reference) for reference in references],
                "phone": numbers,
                "subscriber_key": [phones.subscriber_key(one) for one in numbers],
                "gateway_id": gateway_ids,
                "created_at": times,
                "due_at": times,
                "submitted_at": times,
                "accepted_at": times,
            },
            shared={
                **SHARED,
                "brand": brand.pk,
                "campaign": campaign.pk,
                "sender": sender.pk,
                "lane": lane.pk,
                "verdict": verdict,
            },
        )
        ids += zip(references, gateway_ids, strict=True)
    return ids


def main(order: dict[str, object]) -> None:
    brand = Brand.objects.create(name="Acme", slug="acme")
    said: dict[str, object] = {}
    for place, dialect in enumerate(str(one) for one in order["dialects"]):  # type: ignore[attr-defined]
        made = account(dialect)
        sent = messages(int(str(order["messages"])), of=made, brand=brand, first=place * 2_000_000)
        said[dialect] = {"account": str(made.public_id), "secret": made.hook_secret, "messages": sent}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE campaigns_outboundmessage")
    Path(str(order["into"])).write_text(json.dumps(said))
    print(json.dumps({}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
