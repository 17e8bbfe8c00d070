"""Many opt-outs reported by a provider at once look like a fault of theirs, not like people: sending stops.

Seen elsewhere: an outage whose code was read as "opted out" marked everybody. Every report is still obeyed, because
a wrong opt-out harms less than a text after a right one; but no more are provoked until a person has looked.
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings

from campaigns import accounts
from campaigns.models import CarrierOptOut, GatewayAccount, TakenMessage

log = structlog.get_logger(__name__)

WINDOW = timedelta(minutes=10)


def note(account_id: int, *, now: datetime) -> None:
    """One opt-out was reported; in the transaction that records it."""
    CarrierOptOut.objects.create(account_id=account_id, reported_at=now)


def watch(account_id: int, *, now: datetime) -> bool:
    """Pause the account where too many came within the window; True when this call did so."""
    account = GatewayAccount.objects.filter(pk=account_id, paused_at=None).first()
    if account is None:
        return False
    since = max(now - WINDOW, account.resumed_at or now - WINDOW)  # those somebody has looked at count no more
    reported = CarrierOptOut.objects.filter(account=account_id, reported_at__gt=since)
    count = reported.count()
    if count <= settings.CARRIER_OPT_OUTS_MOST or not _is_much(count, account_id, since=since):
        return False
    minutes = int(WINDOW.total_seconds() // 60)
    advice = "Look at its error codes; if people really opted out, let it go on."
    reason = f"{account.name} reported {count:,} opt-outs within {minutes} minutes. {advice}"
    paused = accounts.pause(account_id, reason=reason, now=now)
    if paused:
        log.error("account_paused_by_opt_outs", account=account_id, opt_outs=count)
    return paused


def _is_much(count: int, account_id: int, *, since: datetime) -> bool:
    """More than the allowed share of what the account took meanwhile; counted no further than it takes to know."""
    share = settings.CARRIER_OPT_OUTS_PERCENT
    if not share:
        return True
    taken = TakenMessage.objects.filter(accepted_at__gt=since, message__sender__account=account_id)
    traffic = taken.order_by()[: count * 100 // share].count() + count
    return bool(count * 100 > share * traffic)
