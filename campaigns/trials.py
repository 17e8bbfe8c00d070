"""Trying a decision: what would be decided on a message, at any moment, and why. Nothing is sent or changed."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from campaigns import allowances, eligibility
from campaigns.models import Sender
from contacts import examination, gathering
from contacts.facts import Verdict
from contacts.models import Brand, Contact
from smsdesk import phones, sms_text
from smsdesk.errors import Invalid


@dataclass(frozen=True, slots=True)
class Trial:
    """`contact` is None where nobody has this phone; `fault` says why the number cannot be read."""

    contact: Contact | None
    fault: str
    examination: examination.Examination


def decide(text: str, *, sender: Sender, purpose: str, at: datetime, body: str | None) -> Trial:
    """The decision on a message to the phone `text` (as people write it), judged by the function that sends."""
    fault, known = "", None
    try:
        phone = phones.parse(text, default_region=sender.country)
    except Invalid as error:
        fault = f"{error.message} {error.cure}".strip()
        asked = Contact(phone=sms_text.clean(text)[:16], subscriber_key="")
    else:
        known = Contact.objects.filter(subscriber_key=phone.subscriber_key).first()
        asked = known or Contact(phone=phone.e164, subscriber_key=phone.subscriber_key, country=phone.region)
    context = eligibility.of_text(eligibility.context_of(sender, purpose=purpose), asked, text=body or "", now=at)
    facts = gathering.facts_about(asked, context=context, at=at, body=body)
    found = examination.examine(facts, at, brands=dict(Brand.objects.values_list("pk", "name")))
    return Trial(known, fault, _with_caps(found, sender=sender, body=body, at=at))


def _with_caps(
    found: examination.Examination, *, sender: Sender, body: str | None, at: datetime
) -> examination.Examination:
    """The daily caps are asked last: a message that nothing blocks waits for the later of two times."""
    parts = sms_text.measure(body).parts if body else 1
    for standing in allowances.standings(sender, at=at):
        limit = standing.limit
        verdict = None
        if not standing.has_room(parts):
            verdict = Verdict("deferred", "DAILY_CAP", limit.until, _detail(limit))
        before = found.verdict
        decides = verdict is not None and (
            before.outcome == "allowed" or (before.until is not None and before.until < (limit.until or at))
        )
        look = examination.Look(
            "daily_cap",
            f"Is there room under the daily cap of {limit.who}?",
            (("used today", f"{standing.used:,} of {limit.most:,} parts ({limit.zone})"), ("parts", str(parts))),
            verdict,
            decides,
        )
        looks = found.looks
        if verdict is not None and decides:
            looks = tuple(
                replace(one, is_decisive=False)
                for one in looks
                if one.verdict is None or one.verdict.outcome != "allowed"
            )
            found = replace(found, verdict=verdict, cure="Wait until the day turns, or raise the cap.")
        found = replace(found, looks=(*looks, look))
    return found


def _detail(limit: allowances.Limit) -> dict[str, object]:
    until = timezone.localtime(limit.until).strftime("%Y-%m-%d %H:%M %Z") if limit.until else ""
    return {**allowances.detail(limit), "until": until}
