"""Trying a decision: what would be decided on a message, at any moment, and why. Nothing is sent or changed."""

from dataclasses import dataclass
from datetime import datetime

from campaigns import eligibility
from campaigns.models import Sender
from contacts import examination, gathering
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
    return Trial(known, fault, examination.examine(facts, at, brands=dict(Brand.objects.values_list("pk", "name"))))
