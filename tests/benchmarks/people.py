"""Fills a database with people who have agreed to marketing, fast: benchmarks start from there.

Run in a process of its own: `python -m tests.benchmarks.people '{"people": 20000, "dialect": "twilio", …}'`.
"""

import json
import sys
from datetime import timedelta

import django

django.setup()

from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import accounts, lanes  # noqa: E402
from campaigns.models import Campaign, GatewayAccount, Sender  # noqa: E402
from contacts.models import Brand, ConsentEvent, ConsentState, Contact, ContactList, ListMembership  # noqa: E402
from smsdesk import phones  # noqa: E402
from tests.world import CREDENTIALS  # noqa: E402

PIECE = 5_000
BODY = "Acme: Hi {{ first_name | default: 'there' }}, 20% off until Sunday. Reply STOP to opt out."


def number(index: int) -> str:
    """American numbers whose last four digits never mean a misbehaving handset."""
    area, rest = divmod(index, 6_000_000)
    line = 2_001_100 + rest // 900 * 1000 + rest % 900
    return f"+1{('212', '213', '312', '415', '512', '617', '702', '305')[area]}{line}"


def noon() -> str:
    """A zone in which it is about midday now, so that quiet hours are judged and always allow."""
    ahead = 12 - timezone.now().hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def people(count: int) -> ContactList:
    brand = Brand.objects.get(slug="acme")
    group = ContactList.objects.create(name="Everybody")
    event = ConsentEvent.objects.create(
        seq=1, subscriber_key="benchmark", brand=brand, purposes=["marketing"], kind="opt_in",
        occurred_at=timezone.now(), recorded_at=timezone.now(), source="import", prev_hash="0" * 64, hash="1" * 64,
    )  # fmt: skip
    given = timezone.now() - timedelta(days=30)
    zone = noon()
    for start in range(0, count, PIECE):
        numbers = [number(index) for index in range(start, min(start + PIECE, count))]
        rows = [
            Contact(phone=n, subscriber_key=phones.subscriber_key(n), name=f"Ana {n[-4:]}", country="US",
                    time_zone=zone, time_zone_source="stated", attributes={"city": "Springfield"})
            for n in numbers
        ]  # fmt: skip
        with transaction.atomic():
            made = Contact.objects.bulk_create(rows)
            ListMembership.objects.bulk_create([ListMembership(list=group, contact=c) for c in made])
            ConsentState.objects.bulk_create(
                [
                    ConsentState(subscriber_key=c.subscriber_key, brand=brand, purpose="marketing", is_active=True,
                                 basis="express_written", occurred_at=given, is_proven=True, event=event)
                    for c in made
                ]
            )  # fmt: skip
    return group


def main(order: dict[str, object]) -> None:
    dialect = str(order["dialect"])
    brand = Brand.objects.create(name="Acme", slug="acme")
    account = GatewayAccount.objects.create(
        name="carrier", kind=dialect, base_url=str(order["carrier"]), is_simulator=True, max_calls=order["calls"]
    )
    accounts.store_credentials(account, CREDENTIALS[dialect])
    sender = Sender.objects.create(
        value="+12025550100", kind="short_code", brand=brand, account=account, parts_per_second=order["rate"]
    )
    lanes.ensure(sender)
    campaign = Campaign.objects.create(name="Benchmark", brand=brand, sender=sender, purpose="marketing", body=BODY)
    campaign.include.add(people(int(str(order["people"]))))
    print(json.dumps({"campaign": campaign.pk, "ref": campaign.ref}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
