"""What a gateway's word means for the person behind the phone: one place for answers and receipts."""

from django.db import transaction

from contacts import consent
from contacts.models import Brand, ConsentSource, Contact
from smsdesk import clock
from smsdesk.gateways.errors import Beyond


def apply(beyond: Beyond, *, contact_id: int | None, brand: Brand, permanent: bool | None) -> None:
    """Mirror an opt-out the carrier holds into our ledger; mark a number that is gone for good.

    Only explicit opt-out codes carry `OPT_OUT`: an outage must never look like a thousand opt-outs.
    """
    if contact_id is None or beyond not in (Beyond.OPT_OUT, Beyond.MARK_DEAD):
        return
    if beyond is Beyond.MARK_DEAD:
        if permanent:
            alive = Contact.objects.filter(pk=contact_id, dead_since=None)
            alive.update(dead_since=clock.database_now())
        return
    with transaction.atomic():
        for contact in consent.lock([contact_id]):
            now = clock.database_now()
            consent.opt_out(
                contact,
                brand=brand,
                source=ConsentSource.CARRIER,
                occurred_at=now,
                now=now,
                note="reported by the gateway",
            )
