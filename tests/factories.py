"""Plain factories shared by all tests: each makes one row with sound defaults."""

import itertools
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.test import Client

from campaigns import lanes
from campaigns.models import Campaign, GatewayAccount, GatewayKind, OutboundMessage, Sender, SenderKind
from contacts import consent, frequency, rule_book
from contacts.models import (
    Basis,
    Brand,
    ConsentEvent,
    ConsentSource,
    Contact,
    ContactImport,
    ContactList,
    ListMembership,
    Purpose,
    Suppression,
)
from inbound import opt_in_forms
from inbound.models import OptInForm
from smsdesk import phones, sealing
from smsdesk.api import keys
from smsdesk.models import ApiKey, Scope

NOW = datetime(2026, 11, 18, 17, 0, tzinfo=UTC)  # a Wednesday noon in New York

_numbers = itertools.count(1)
_phones = itertools.count()


def read_rules() -> None:
    """Rules and caps, which a process reads again after three seconds: now, and not while a test counts."""
    for table in (rule_book, frequency):
        table.forget()
        table.load()


def next_phone() -> str:
    """A valid number nobody has yet; 555-01xx is reserved for examples."""
    place, line = divmod(next(_phones), 100)
    codes = ("202", "212", "213", "312", "415", "512", "617", "702")
    exchange, code = divmod(place, len(codes))
    return f"+1{codes[code]}{555 + exchange}01{line:02}"


def brand(**over) -> Brand:
    number = next(_numbers)
    return Brand.objects.create(**{"name": f"Acme {number}", "slug": f"acme-{number}", **over})


def contact(phone: str = "", **over) -> Contact:
    number = phones.parse(phone or next_phone(), default_region="US")
    values = {"phone": number.e164, "subscriber_key": number.subscriber_key, "country": number.region, **over}
    return Contact.objects.create(**values)


def account(credentials: dict[str, str] | None = None, **over) -> GatewayAccount:
    values = {
        "name": f"Gateway {next(_numbers)}",
        "kind": GatewayKind.INFOBIP,
        "base_url": "http://127.0.0.1:20000",
        "is_simulator": True,
        **over,
    }
    row = GatewayAccount(**values)
    row.credentials = sealing.seal(credentials or {"api_key": "test-key"}, bound_to=row.public_id.hex)
    row.save()
    return row


def sender(**over) -> Sender:
    values = {"value": next_phone(), "kind": SenderKind.TEN_DLC, "parts_per_second": 100.0, **over}
    for name, make in (("brand", brand), ("account", account)):
        if name not in values:
            values[name] = make()
    return Sender.objects.create(**values)


def user(name: str = "") -> User:
    return get_user_model().objects.create_user(name or f"user{next(_numbers)}")


def staff(*permissions: str) -> User:
    """Somebody who may enter the admin and has `permissions`, written "contacts.view_contact"."""
    made = get_user_model().objects.create_user(f"staff{next(_numbers)}", is_staff=True)
    for permission in permissions:
        app, _, codename = permission.partition(".")
        made.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return made


def api_key(
    *,
    scopes: Collection[str] = tuple(Scope.values),
    is_test: bool = False,
    owner: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A key and its full text."""
    return keys.issue(name="Shop", owner=owner or user(), scopes=scopes, is_test=is_test, expires_at=expires_at)


def api(text: str = "") -> Client:
    """A client that sends this key, or a new one that may do everything."""
    return Client(headers={"Authorization": f"Bearer {text or api_key()[1]}"})


def suppression(phone: str, *, brand: Brand | None, source: str) -> Suppression:
    """A standing one, without going through the verbs."""
    key = phones.subscriber_key(phone)
    event = ConsentEvent.objects.create(
        seq=ConsentEvent.objects.count() + 1,
        subscriber_key=key,
        brand=brand,
        purposes=["*"],
        kind="opt_out",
        occurred_at=NOW,
        recorded_at=NOW,
        source=source,
        prev_hash="",
        hash="",
    )
    return Suppression.objects.create(subscriber_key=key, brand=brand, source=source, since=NOW, event=event)


def opted_in(brand: Brand, **over) -> Contact:
    """A contact who agreed to marketing of this brand, with proof."""
    person = contact(**over)
    proof = consent.Proof(wording="Text JOIN to get offers", method="keyword", act="texted JOIN")
    consent.opt_in(
        person,
        brand=brand,
        purposes=[Purpose.MARKETING],
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.TEXT,
        proof=proof,
        occurred_at=NOW,
        now=NOW,
    )
    return person


def claimed(rows: Sequence[tuple[str, str]], contact_import: ContactImport, *, now: datetime = NOW) -> int:
    """The consent an import claims for these rows (subscriber key, phone), recorded; how many events."""
    series = consent.prepare_import(rows, contact_import=contact_import, now=now)
    if series is None:
        return 0
    series.append()
    return len(series.ids)


def contact_list(*people: Contact, name: str = "") -> ContactList:
    made = ContactList.objects.create(name=name or f"List {next(_numbers)}")
    ListMembership.objects.bulk_create([ListMembership(list=made, contact=person) for person in people])
    return made


def campaign(*lists: ContactList, **over) -> Campaign:
    """A draft that may be launched, to these lists."""
    sends_from = over.pop("sender", None) or sender()
    values = {
        "name": f"Campaign {next(_numbers)}",
        "brand": sends_from.brand,
        "sender": sends_from,
        "body": "{{ brand }}: 10 % off today. Reply STOP to opt out",
        **over,
    }
    made = Campaign.objects.create(**values)
    made.include.set(lists)
    return made


def outbound(campaign: Campaign, person: Contact, **over) -> OutboundMessage:
    """A row of a campaign's ledger."""
    values = {
        "kind": "campaign",
        "purpose": campaign.purpose,
        "brand": campaign.brand,
        "campaign": campaign,
        "contact": person,
        "subscriber_key": person.subscriber_key,
        "phone": person.phone,
        "sender": campaign.sender,
        "lane": lanes.ensure(campaign.sender)[0],
        "due_at": NOW,
        "created_at": NOW,
        **over,
    }
    return OutboundMessage.objects.create(**values)


def opt_in_form(**over) -> OptInForm:
    """A form people can sign up on; its wording is `WORDING` with the brand's name."""
    speaks = over.pop("sender", None) or sender()
    number = next(_numbers)
    values = {
        "name": f"Form {number}",
        "title": "Offers by text",
        "brand": speaks.brand,
        "sender": speaks,
        "purposes": ["marketing"],
        **over,
    }
    made = OptInForm(**values)
    opt_in_forms.keep(made, draft=wording(made.brand), by="marko", now=NOW)
    return made


def wording(brand: Brand, *, text: str = opt_in_forms.EXAMPLE) -> opt_in_forms.Draft:
    return opt_in_forms.Draft(
        text.replace("Acme", brand.name), "https://acme.example/terms", "https://acme.example/privacy"
    )
