"""Where a message may go, and from which sender: what countries and carriers refuse whoever the person is.

Sources: carriers' and aggregators' country guidelines (Twilio AE, SA, TH, TR; Mapp SA, JO; af2m and ARCEP 18-0881
for France; TRAI TCCCPR for India), CTIA for names as senders in North America.
"""

from datetime import datetime

from contacts.facts import Facts, Verdict
from contacts.models import Purpose

ALPHANUMERIC = "alphanumeric"
NO_ALPHANUMERIC = frozenset({"US", "CA", "PR"})
UNKNOWN_REGIONS = frozenset({"", "ZZ", "001"})
# A sender must be registered in the country itself: sender id (AE, SA, JO), DLT header (IN).
REGISTERED_ONLY = frozenset({"AE", "IN", "JO", "SA"})
# Advertising names itself in the sender: begins with, ends with.
ADVERTISING_MARK = {"AE": ("ad-", ""), "JO": ("adv", ""), "SA": ("", "-ad")}
# An ordinary number may not advertise there; short codes 36xxx and names may.
NO_LONG_NUMBERS = frozenset({"FR"})
_LONG = frozenset({"long_number", "10dlc", "toll_free"})


def country(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    region = facts.region
    if region in UNKNOWN_REGIONS:
        return Verdict("blocked", "COUNTRY_UNKNOWN")
    if purpose == Purpose.MARKETING and region in facts.context.countries_blocked:
        return Verdict("blocked", "COUNTRY_BLOCKED", None, {"country": region})
    return None


def sender(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    context, region = facts.context, facts.region
    detail = {"sender": context.sender, "country": region}
    is_marketing = purpose == Purpose.MARKETING
    is_named = context.sender_kind == ALPHANUMERIC
    if is_named and region in NO_ALPHANUMERIC:
        return Verdict("blocked", "SENDER_NOT_ALLOWED", None, detail)
    if is_marketing and context.sender and not _may_advertise(context.sender, context.sender_kind, region):
        return Verdict("blocked", "SENDER_NOT_ALLOWED", None, detail)
    if not context.is_sender_registered or (
        region in REGISTERED_ONLY and context.registered_in is not None and region not in context.registered_in
    ):
        return Verdict("blocked", "SENDER_UNREGISTERED", None, detail)
    if is_named and is_marketing and not context.has_optout_link:
        return Verdict("blocked", "NO_OPTOUT_PATH")
    return None


def _may_advertise(value: str, kind: str, region: str) -> bool:
    if region in NO_LONG_NUMBERS and kind in _LONG:
        return False
    if kind == ALPHANUMERIC and region in ADVERTISING_MARK:
        begins, ends = ADVERTISING_MARK[region]
        name = value.lower()
        return name.startswith(begins) and name.endswith(ends)
    return True
