"""A small company in an empty desk; prints what a story needs to know of it. Run with `World.python`."""

import json
import sys
from datetime import timedelta

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import accounts, lanes  # noqa: E402
from campaigns.models import GatewayAccount, Sender  # noqa: E402
from contacts import consent  # noqa: E402
from contacts.models import (  # noqa: E402
    Basis,
    Brand,
    ConsentSource,
    ContactList,
    ListMembership,
    Purpose,
    ZoneSource,
)
from inbound.models import Keyword, KeywordAction  # noqa: E402
from smsdesk import phones  # noqa: E402
from smsdesk.api import keys  # noqa: E402
from smsdesk.models import Scope  # noqa: E402
from tests.benchmarks.people import noon, number  # noqa: E402
from tests.world import CREDENTIALS  # noqa: E402

PROOF = consent.Proof(
    wording="Acme: text JOIN to get offers. Msg & data rates may apply.", method="web_form", act="ticked the box"
)
JOINED = "Acme Deals: You're in! Up to 4 msgs/mo. Msg & data rates may apply. Reply HELP for help, STOP to cancel."


def main(order: dict[str, object]) -> None:
    admin = get_user_model().objects.create_superuser("ana", "ana@example.com", "Secret-4711")
    brand = Brand.objects.create(name="Acme", slug="acme")
    senders = {dialect: sender(brand, dialect, order) for dialect in ("infobip", "twilio")}
    Keyword.objects.create(
        word="JOIN", brand=brand, action=KeywordAction.OPT_IN, purpose=Purpose.MARKETING,
        call_to_action="Text JOIN to +1 202 555 0100 for offers by Acme, up to 4 msgs/mo.", reply=JOINED,
    )  # fmt: skip
    people(brand, int(str(order["people"])))
    _, key = keys.issue(name="Shop", owner=admin, scopes=tuple(Scope.values), is_test=False, expires_at=None)
    print(json.dumps({"key": key, "senders": senders}))


def sender(brand: Brand, dialect: str, order: dict[str, object]) -> dict[str, str]:
    account = GatewayAccount.objects.create(
        name=dialect, kind=dialect, base_url=str(order["carrier"]), is_simulator=True
    )
    accounts.store_credentials(account, CREDENTIALS[dialect])
    value = "+12025550100" if dialect == "infobip" else "+12025550199"
    made = Sender.objects.create(
        value=value, kind="10dlc", brand=brand, account=account, parts_per_second=float(str(order["rate"])),
        is_default=dialect == "infobip",
    )  # fmt: skip
    lanes.ensure(made)
    return {"value": value, "inbound_url": f"{accounts.hook_base(account)}inbound/"}


def people(brand: Brand, count: int) -> None:
    """Customers with provable consent, for whom it is about noon."""
    group = ContactList.objects.create(name="Customers")
    now = timezone.now()
    for index in range(count):
        contact = consent.get_or_add(phones.parse(number(index), default_region="US"), now=now)
        contact.name, contact.time_zone, contact.time_zone_source = f"Ana {index}", noon(), ZoneSource.STATED
        contact.save()
        ListMembership.objects.create(list=group, contact=contact)
        consent.opt_in(
            contact, brand=brand, purposes=(Purpose.MARKETING, Purpose.TRANSACTIONAL), basis=Basis.EXPRESS_WRITTEN,
            source=ConsentSource.WEB_FORM, proof=PROOF, occurred_at=now - timedelta(days=9), now=now,
        )  # fmt: skip


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
