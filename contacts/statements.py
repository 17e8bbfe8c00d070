"""What a person tells us about where they live: their own word replaces what their number suggests.

Who wrote it down, when, and what they said stands in the consent ledger: it decides at which hours we may write.
"""

from datetime import datetime

from django.db import transaction

from contacts import chain, consent, fields
from contacts.models import ConsentEvent, ConsentSource, Contact, EventKind, ZoneSource
from smsdesk.errors import Conflict, Invalid
from smsdesk.sms_text import clean


def time_zone(contact: Contact, *, zone: str, quote: str, by: str, now: datetime) -> ConsentEvent:
    """Record the zone a person stated; `quote` is what they said, and where. Raises `Invalid` without either."""
    zone, quote = fields.clean("time_zone", zone), clean(quote).strip()
    if not zone or not quote:
        raise Invalid(
            "statement_incomplete",
            "A statement is a time zone and the person's own words.",
            field="zone" if not zone else "quote",
            cure="For example America/Chicago, and: told me on the phone that she has moved to Austin.",
        )
    with transaction.atomic():
        if not consent.lock([contact.pk]):
            raise Conflict("contact_gone", "This contact was deleted meanwhile.", cure="Reload the page.")
        event = ConsentEvent(
            subscriber_key=contact.subscriber_key,
            purposes=[],
            kind=EventKind.OVERRIDE,
            occurred_at=now,
            recorded_at=now,
            source=ConsentSource.ADMIN,
            actor=clean(by)[:150],
        )
        stated = {"time_zone": zone, "time_zone_source": ZoneSource.STATED, "updated_at": now}
        Contact.objects.filter(pk=contact.pk).update(**stated)
        chain.reserve([event])
        chain.keep_evidence([(event, {"phone": contact.phone, "time_zone": zone, "quote": quote[:10_000]})])
        chain.append([event])
    return event
