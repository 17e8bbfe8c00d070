"""Fills an empty desk for a chaos run; prints what the harness must know. In the desk's environment."""

import json
import sys
from datetime import timedelta

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import accounts, lanes  # noqa: E402
from campaigns.models import GatewayAccount, Sender  # noqa: E402
from contacts import consent  # noqa: E402
from contacts.models import (  # noqa: E402
    Basis,
    Brand,
    ConsentSource,
    ConsentState,
    Contact,
    ContactList,
    ListMembership,
    Purpose,
    ZoneSource,
)
from smsdesk import phones  # noqa: E402
from smsdesk.api import keys  # noqa: E402
from smsdesk.models import Scope  # noqa: E402
from tests.benchmarks.people import noon, number  # noqa: E402
from tests.world import CREDENTIALS  # noqa: E402

PIECE = 1_000
LIST = 200  # people of one list
BIG = 5_000  # people of the list named Big
NIGHT = 50  # every so many-th person is asleep
PROOF = consent.Proof(wording="Acme: tick here for offers by text.", method="web_form", act="ticked the box")


def main(order: dict[str, object]) -> None:
    owner = get_user_model().objects.create_superuser("ana", "ana@example.com", "Secret-4711")
    brand = Brand.objects.create(name="Acme", slug="acme")
    account = GatewayAccount.objects.create(
        name="carrier", kind=str(order["dialect"]), base_url=str(order["carrier"]), is_simulator=True
    )
    accounts.store_credentials(account, CREDENTIALS[str(order["dialect"])])
    senders = []
    for position, rate in enumerate(order["rates"]):  # type: ignore[arg-type]
        sender = Sender.objects.create(
            value=f"+1202555{2000 + position}", kind="10dlc", brand=brand, account=account,
            parts_per_second=rate, is_default=position == 0,
        )  # fmt: skip
        lanes.ensure(sender)
        senders.append({"value": sender.value, "rate": rate})
    asleep = people(brand, int(str(order["people"])))
    _, key = keys.issue(
        name="Shop", owner=owner, scopes=tuple(Scope.values), is_test=False, expires_at=None,
        requests_per_minute=1_000_000,
    )  # fmt: skip
    print(
        json.dumps(
            {
                "key": key,
                "senders": senders,
                "hooks": accounts.hook_base(account),
                "phones": [number(index) for index in range(int(str(order["people"])))],
                "asleep": asleep,
                "list": LIST,
                "lists": -(-int(str(order["people"])) // LIST),
            }
        )
    )


def night() -> str:
    """A zone in which it is about three o'clock in the night now."""
    ahead = (3 - timezone.now().hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def people(brand: Brand, count: int) -> list[str]:
    """Customers with provable consent, for most of whom it is about noon; the phones of those who sleep."""
    event = one_event(brand)
    day, dark = noon(), night()
    asleep = []
    big = ContactList.objects.create(name="Big")
    for start in range(0, count, PIECE):
        indexes = range(start, min(start + PIECE, count))
        rows = []
        for index in indexes:
            is_asleep = index % NIGHT == NIGHT - 1
            phone = number(index)
            if is_asleep:
                asleep.append(phone)
            rows.append(
                Contact(
                    phone=phone, subscriber_key=phones.subscriber_key(phone), name=f"Ana {index}", country="US",
                    time_zone=dark if is_asleep else day, time_zone_source=ZoneSource.STATED,
                )
            )  # fmt: skip
        with transaction.atomic():
            made = Contact.objects.bulk_create(rows)
            groups = {
                number: ContactList.objects.get_or_create(name=f"List {number}")[0]
                for number in sorted({index // LIST for index in indexes})
            }
            places = [
                ListMembership(list=groups[index // LIST], contact=contact)
                for index, contact in zip(indexes, made, strict=True)
            ]
            places += [
                ListMembership(list=big, contact=contact)
                for index, contact in zip(indexes, made, strict=True)
                if index < BIG
            ]
            ListMembership.objects.bulk_create(places)
            agree(made, brand=brand, event=event)
    return asleep


def agree(contacts: list[Contact], *, brand: Brand, event) -> None:
    """Express, written consent to marketing and to news of orders, nine days ago."""
    ConsentState.objects.bulk_create(
        ConsentState(
            subscriber_key=contact.subscriber_key, brand=brand, purpose=purpose, is_active=True,
            basis=Basis.EXPRESS_WRITTEN, occurred_at=event.occurred_at, is_proven=True, event=event,
        )
        for contact in contacts
        for purpose in (Purpose.MARKETING, Purpose.TRANSACTIONAL)
    )  # fmt: skip


def one_event(brand: Brand):
    """One true event for all of them to point at: thousands would take longer than the run."""
    now = timezone.now()
    first = consent.get_or_add(phones.parse("+12025550100", default_region="US"), now=now)
    return consent.opt_in(
        first, brand=brand, purposes=(Purpose.MARKETING, Purpose.TRANSACTIONAL), basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.WEB_FORM, proof=PROOF, occurred_at=now - timedelta(days=9), now=now,
    )  # fmt: skip


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
