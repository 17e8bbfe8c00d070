"""What a gateway's word means for the person behind the phone: one place for answers and receipts."""

from datetime import datetime

from django.db import transaction

from campaigns import carrier_alarm
from contacts import consent, suppressing
from contacts.models import Brand, ConsentSource, Contact
from smsdesk import clock
from smsdesk.gateways.errors import Beyond

NOTE = "reported by the gateway"


def apply(
    beyond: Beyond,
    *,
    account_id: int,
    subscriber_key: str,
    phone: str,
    brand: Brand,
    permanent: bool | None,
    told_at: datetime | None = None,
    is_repeated: bool = False,
) -> None:
    """Mirror an opt-out the carrier holds into our ledger; mark a number that is gone for good.

    It is about the phone the message went to, whoever has it by now: its contact may be erased (then `phone` is
    empty, and nothing is left to be told) or merged into another one. Only explicit opt-out codes carry `OPT_OUT`:
    an outage must never look like a thousand opt-outs. Where it does all the same, the account is paused.
    `told_at` is when it was so (None: now): whoever has come back since stays. What `is_repeated` alarms nobody.
    """
    if not phone or beyond not in (Beyond.OPT_OUT, Beyond.MARK_DEAD):
        return
    if beyond is Beyond.MARK_DEAD:
        if permanent:
            alive = Contact.objects.filter(subscriber_key=subscriber_key, dead_since=None)
            alive.update(dead_since=clock.database_now())
        return
    with transaction.atomic():
        known = Contact.objects.filter(subscriber_key=subscriber_key).values_list("pk", flat=True)
        locked = consent.lock(list(known))
        now = clock.database_now()
        source, occurred_at = ConsentSource.CARRIER, min(told_at or now, now)
        for contact in locked:
            consent.opt_out(contact, brand=brand, source=source, occurred_at=occurred_at, now=now, note=NOTE)
        if not locked:
            refusal = suppressing.Refusal(brand, source, NOTE)
            suppressing.suppress({subscriber_key: phone}, refusal=refusal, occurred_at=occurred_at, now=now, by="")
        if is_repeated:
            return
        carrier_alarm.note(account_id, now=now)
    carrier_alarm.watch(account_id, now=clock.database_now())
