"""People who have written to us and may get transactional messages, and a key for the API; prints both as JSON.

Run in a process of its own, after `senders`: `… tests.benchmarks.rates.talkers '{"people": 100, "sender": …}'`.
"""

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns.models import Sender  # noqa: E402
from contacts.models import ConsentEvent, ConsentState, Contact  # noqa: E402
from inbound import receiving, replies  # noqa: E402
from inbound.models import Conversation  # noqa: E402
from smsdesk.api import keys  # noqa: E402
from smsdesk.gateways.contract import InboundText  # noqa: E402
from smsdesk.models import Scope  # noqa: E402


def main(order: Mapping[str, Any]) -> None:
    sender = Sender.objects.select_related("account", "brand").get(value=order["sender"])
    chosen = list(Contact.objects.order_by("-pk")[: order["people"]])
    given = timezone.now() - timedelta(days=30)
    event = ConsentEvent.objects.order_by("pk")[0]
    ConsentState.objects.bulk_create(
        ConsentState(
            subscriber_key=one.subscriber_key, brand=sender.brand, purpose="transactional", is_active=True,
            basis="express", occurred_at=given, is_proven=True, event=event,
        )
        for one in chosen
    )  # fmt: skip
    for number, one in enumerate(chosen):
        text = InboundText(
            event_key=f"bench{number}", gateway_id=f"bench{number}", phone=one.phone, sender=sender.value,
            text="Where is my order?", at=None,
        )  # fmt: skip
        receiving.receive(sender.account, text, now=timezone.now())
    threads = [
        {"ref": one.ref, "phone": one.contact.phone, "last_seen": replies.newest(one)}
        for one in Conversation.objects.select_related("contact").order_by("pk")
    ]
    owner = User.objects.create(username="shop", is_staff=True, is_superuser=True)
    _, key = keys.issue(name="Shop", owner=owner, scopes=Scope.values, is_test=False, requests_per_minute=1_000_000)
    print(json.dumps({"key": key, "threads": threads}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
