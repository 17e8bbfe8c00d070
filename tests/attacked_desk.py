"""A desk with one row of everything, and every address of it: what the hostile tests aim at."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from campaigns.models import Campaign, DeliveryEvent, GatewayAccount, OutboundMessage, OutboundState
from contacts import importing, uploads
from contacts.models import Brand, Contact, ContactImport, ContactList
from inbound import receiving
from inbound.models import Conversation, Keyword, SignUp
from smsdesk.gateways.contract import InboundText
from smsdesk.models import ApiKey
from tests import factories

SCRIPT = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
BODY = "canary-of-a-text"
PHONE = "+12025550187"
LOCAL = "5550187"  # the part of it that a mask hides
CREDENTIAL = "canary-of-a-credential"
IMPORTED = "+12025550188"

# What no input may be broken by; each stands for a family.
HOSTILE = {
    "nul": "a\x00b",
    "surrogate": "\ud800",
    "bidi": "\u202egpj.exe\u2066",
    "zalgo": "e" + "\u0301" * 2_000,
    "noncharacter": "\ufffe\uffff\U0010ffff",
    "sql": "' OR 1=1 --\\",
    "markup": SCRIPT,
    "template": "{{ 7|add:7 }}{% include 'x' %}{0.__class__}",
    "digits": "9" * 5_000,
    "foreign digits": "٣２",
    "long": "x" * 200_000,
    "deep": "[" * 100_000,
    "percent": "%%s%n%1$s_",
}


@dataclass(frozen=True)
class Desk:
    """One row of each kind; everything people typed is markup."""

    brand: Brand
    contact: Contact
    contact_list: ContactList
    draft: Campaign
    campaign: Campaign
    message: OutboundMessage
    conversation: Conversation
    account: GatewayAccount
    contact_import: ContactImport
    keyword: Keyword
    key: ApiKey
    key_text: str

    def row(self, model: type[Model]) -> Model | None:
        """A row of this model, the fitting one where there are several."""
        for value in vars(self).values():
            if isinstance(value, model) and value is not self.draft:
                return value
        return model._default_manager.order_by("-pk").first()


def build() -> Desk:
    now = timezone.now()
    brand = factories.brand(name=f"Acme {SCRIPT}"[:60])
    account = factories.account({"api_key": CREDENTIAL}, name="Carrier <b>")
    sender = factories.sender(brand=brand, account=account, value="+12025550100")  # unlike the masked ones
    person = factories.opted_in(brand, phone=PHONE, name=SCRIPT, attributes={"city": SCRIPT})
    people = factories.contact_list(person, name=f"List {SCRIPT}")
    campaign = factories.campaign(people, sender=sender, name=SCRIPT, state="sending", launched_at=now)
    message = factories.outbound(
        campaign,
        person,
        state=OutboundState.UNDELIVERED,
        body=f"{BODY} {SCRIPT}",
        error_code="<b>1</b>",
        evidence={"said": SCRIPT},
        submitted_at=now,
        gateway_id="<i>gw</i>",
        submit_no=1,
    )
    DeliveryEvent.objects.create(
        message=message, account=account, word=f"<u>{SCRIPT}"[:60], code="<b>", gateway_id="<i>gw</i>",
        received_at=now,
    )  # fmt: skip
    said = InboundText(
        event_key=uuid4().hex, gateway_id="g", phone=PHONE, sender=sender.value, text=f"{BODY} {SCRIPT}", at=now
    )
    receiving.receive(account, said, now=now)
    made = uploads.store([f"phone,name\n{IMPORTED},{SCRIPT}\nx,y\n".encode()], filename=SCRIPT, by_id=None)
    importing.configure(
        made, columns={"phone": "phone", "name": "name"}, brand=brand, contact_list=people,
        default_country="US", claim=None, now=now,
    )  # fmt: skip
    form = factories.opt_in_form(sender=sender, name=f"Form {SCRIPT}"[:100], title=SCRIPT[:100])
    SignUp.objects.create(
        form=form, brand=brand, wording=form.wording(), nonce=uuid4().hex, phone=PHONE,
        subscriber_key=person.subscriber_key, ip="192.0.2.1", user_agent=SCRIPT, state="not_asked",
        reason="SUPPRESSED", created_at=now,
    )  # fmt: skip
    key, text = factories.api_key()
    ApiKey.objects.filter(pk=key.pk).update(requests_per_minute=10**6)
    return Desk(
        brand=brand,
        contact=person,
        contact_list=people,
        draft=factories.campaign(people, sender=sender, name=f"Draft {SCRIPT}"),
        campaign=campaign,
        message=message,
        conversation=Conversation.objects.latest("pk"),
        account=account,
        contact_import=made,
        keyword=Keyword.objects.create(brand=brand, word="SALE", action="opt_in", call_to_action="x", reply=SCRIPT),
        key=key,
        key_text=text,
    )


def superuser() -> User:
    return get_user_model().objects.create_superuser(f"root-{uuid4().hex[:6]}")


def signed_in(user: User) -> Client:
    """Somebody whose errors come back as answers, not as exceptions."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def routes(patterns: Any = None, before: str = "") -> Iterator[tuple[str, str]]:
    """(route, name) of every address of the desk."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, pattern.name or ""
        elif isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)


def admin_addresses(desk: Desk) -> dict[str, str]:
    """name → path of every page of the admin and the inbox, filled with rows that exist."""
    found = {}
    for route, name in routes():
        if not route.startswith("admin/") or "(?P<url>" in route:
            continue
        path = re.sub(r"\(\?P<app_label>[^)]*\)", "contacts", route).rstrip("$")
        found[name or path] = "/" + re.sub(r"<(\w+:)?(\w+)>", functools.partial(_argument, desk, name), path)
    return found


def _argument(desk: Desk, name: str, match: re.Match[str]) -> str:
    argument = match[2]
    fixed = {"ref": desk.conversation.ref, "slug": "message", "verb": "note", "content_type_id": "1"}
    if name.startswith("campaigns_campaign_") and name.endswith("_do"):
        fixed["verb"] = "pause"
    if name.endswith("contact_messages"):
        return str(desk.contact.pk)
    if name == "campaigns_campaign_step":
        fixed["pk"] = str(desk.draft.pk)
    if argument in fixed:
        return fixed[argument]
    for model in admin.site._registry:
        if name.startswith(f"{model._meta.app_label}_{model._meta.model_name}_"):
            row = desk.row(model)
            return str(row.pk) if row else "1"
    return "1"


def changelists() -> list[str]:
    """Paths of every list of the admin."""
    return [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry]


def form_fields(response: Any) -> Mapping[str, Any]:
    """The fields of the admin form a page shows."""
    return response.context["adminform"].form.fields
