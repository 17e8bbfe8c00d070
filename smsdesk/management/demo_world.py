"""A small honest company: brand, senders on the carrier simulator, staff, keywords, people and their past."""

import json
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

from campaigns import accounts, lanes
from campaigns.models import Campaign, GatewayAccount, GatewayKind, Sender, SenderKind
from contacts.models import Brand, Contact, ContactList, Purpose
from inbound import opt_in_forms
from inbound.models import Conversation, Keyword, KeywordAction, OptInForm
from smsdesk.api import keys
from smsdesk.management import demo_history, demo_people
from smsdesk.models import Scope

INFOBIP, TWILIO = "Infobip (simulated)", "Twilio (simulated)"
STAFF = {"ivana": ("Ivana", "Agent"), "marko": ("Marko", "Marketer"), "sara": ("Sara", "Team lead")}
COUPON = "{brand}: 10 % off with code AUTUMN10 in every store, until Sunday. Reply HELP for help, STOP to cancel."


def is_seeded() -> bool:
    return Brand.objects.filter(slug="acme").exists()


def seed(*, password: str, credentials: dict[str, dict[str, str]], now: datetime) -> str:
    """Make the world, once; the text of the API key that was made for it. All of it, or nothing."""
    with transaction.atomic():
        admin, staff = _staff(password)
        brand = Brand.objects.create(name="Acme", slug="acme", default_country="US")
        sender = _sender(brand, INFOBIP, GatewayKind.INFOBIP, "+12125550199", credentials, is_default=True)
        _sender(brand, TWILIO, GatewayKind.TWILIO, "+13125550199", credentials, is_default=False)
        _keywords(brand)
        _form(brand, sender, now=now)
        crowd = demo_people.seed(brand, sender=sender, now=now)
        demo_history.seed(crowd, sender=sender, marketer=staff["marko"], agent=staff["ivana"], now=now)
        _, key = keys.issue(name="Demo shop", owner=admin, scopes=Scope.values, is_test=True)
    return key


def settle_in(
    *, accounts_file: Path, simulator: str, credentials: dict[str, dict[str, str]], now: datetime
) -> None:
    """At each start: the carrier's address may be another one, and it may be another time of day."""
    GatewayAccount.objects.filter(name__in=(INFOBIP, TWILIO)).update(base_url=simulator)
    demo_people.stay_awake(now=now)
    entries = [_entry(account, credentials[account.kind]) for account in GatewayAccount.objects.order_by("pk")]
    people = [
        {"number": phone, "name": name}
        for phone, name in Contact.objects.order_by("pk").values_list("phone", "name")[:12]
    ]
    accounts_file.write_text(json.dumps({"accounts": entries, "phones": people}, indent=1), encoding="utf-8")


def in_words() -> str:
    return (
        f"{Contact.objects.count()} contacts, {ContactList.objects.count()} lists, "
        f"{Campaign.objects.count()} campaigns, {Keyword.objects.count()} keywords, "
        f"{Conversation.objects.count()} conversations"
    )


def _staff(password: str) -> tuple[User, dict[str, User]]:
    admin = User.objects.create_superuser("admin", "admin@acme.example", password)
    staff = {}
    for name, (first, group) in STAFF.items():
        staff[name] = User.objects.create_user(
            name, f"{name}@acme.example", password, first_name=first, is_staff=True
        )
        staff[name].groups.add(Group.objects.get(name=group))
    return admin, staff


def _sender(
    brand: Brand,
    name: str,
    kind: GatewayKind,
    value: str,
    credentials: dict[str, dict[str, str]],
    *,
    is_default: bool,
) -> Sender:
    account = GatewayAccount.objects.create(name=name, kind=kind, base_url=settings.PUBLIC_URL, is_simulator=True)
    accounts.store_credentials(account, credentials[kind])
    sender = Sender.objects.create(
        value=value,
        kind=SenderKind.TEN_DLC,
        brand=brand,
        account=account,
        country="US",
        parts_per_second=10,
        is_default=is_default,
    )
    lanes.ensure(sender)
    return sender


def _keywords(brand: Brand) -> None:
    Keyword.objects.create(
        word="JOIN", brand=brand, action=KeywordAction.OPT_IN, purpose=Purpose.MARKETING,
        call_to_action=demo_people.CALL_TO_ACTION, reply=demo_people.JOINED,
    )  # fmt: skip
    for word, reply in (
        ("BIG10", COUPON),
        ("HOURS", "{brand}: our stores are open Mon-Sat 9-20, Sun 10-14. Reply HELP for help, STOP to cancel."),
    ):
        Keyword.objects.create(word=word, brand=brand, action=KeywordAction.REPLY, reply=reply)


def _form(brand: Brand, sender: Sender, *, now: datetime) -> None:
    form = OptInForm(
        name="Website", title="Offers by text, before anybody else", brand=brand, sender=sender,
        purposes=[Purpose.MARKETING.value],
    )  # fmt: skip
    words = opt_in_forms.Draft(opt_in_forms.EXAMPLE, "https://acme.example/terms", "https://acme.example/privacy")
    opt_in_forms.keep(form, draft=words, by="marko", now=now)


def _entry(account: GatewayAccount, credentials: dict[str, str]) -> dict[str, object]:
    return {
        "dialect": account.kind,
        "name": account.name,
        "credentials": credentials,
        "senders": list(account.senders.values_list("value", flat=True)),
        "inbound_url": f"{accounts.hook_base(account)}inbound/",
        "answers_stop": False,
    }
