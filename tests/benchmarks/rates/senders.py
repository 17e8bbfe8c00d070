"""Fills a desk with senders that have work: people, a campaign for each sender, its snapshot taken.

Run in a process of its own: `python -m tests.benchmarks.rates.senders '{"dialect": "twilio", "senders": […]}'`,
each sender with `value`, `rate` (parts a second), `messages` and `carrier` (its gateway's address).
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from campaigns import accounts, lanes, lifecycle  # noqa: E402
from campaigns.models import Campaign, CampaignState, GatewayAccount, Sender  # noqa: E402
from contacts.models import Brand, ContactList, ListMembership  # noqa: E402
from tests.benchmarks.people import BODY, people  # noqa: E402
from tests.world import CREDENTIALS  # noqa: E402


def account(dialect: str, carrier: str, *, calls: int) -> GatewayAccount:
    made = GatewayAccount.objects.create(
        name=carrier, kind=dialect, base_url=carrier, is_simulator=True, max_calls=calls
    )
    accounts.store_credentials(made, CREDENTIALS[dialect])
    return made


def main(order: Mapping[str, Any]) -> None:
    brand = Brand.objects.create(name="Acme", slug="acme")
    everybody = people(sum(one["messages"] for one in order["senders"]))
    ids = list(everybody.contacts.order_by("pk").values_list("pk", flat=True))
    known: dict[str, GatewayAccount] = {}
    for one in order["senders"]:
        if one["carrier"] not in known:
            known[one["carrier"]] = account(order["dialect"], one["carrier"], calls=order["calls"])
        sender = Sender.objects.create(
            value=one["value"], kind="short_code", brand=brand, account=known[one["carrier"]],
            parts_per_second=one["rate"],
        )  # fmt: skip
        lanes.ensure(sender)
        _campaign(sender, ids[: one["messages"]])
        del ids[: one["messages"]]
    now = timezone.now()
    lifecycle.start_due(now=now)
    lifecycle.prepare_due(now=now)
    ready = Campaign.objects.filter(state=CampaignState.SENDING).count()
    assert ready == sum(bool(one["messages"]) for one in order["senders"]), f"only {ready} campaigns are ready"
    print(json.dumps({"campaigns": ready}))


def _campaign(sender: Sender, ids: list[int]) -> None:
    if not ids:
        return
    group = ContactList.objects.create(name=f"Of {sender.value}")
    ListMembership.objects.bulk_create([ListMembership(list=group, contact_id=pk) for pk in ids], batch_size=5_000)
    campaign = Campaign.objects.create(
        name=f"From {sender.value}", brand=sender.brand, sender=sender, purpose="marketing", body=BODY
    )
    campaign.include.add(group)
    lifecycle.launch(campaign, by=None, now=timezone.now())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
