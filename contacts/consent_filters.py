"""Which consent carries a message: filters in a fixed order, each narrowing what the one before left."""

from datetime import datetime

from contacts import bases
from contacts.facts import Consent, Context, Facts, Verdict
from contacts.models import Purpose

FILTERS = (
    "CONSENT_WRONG_BRAND",
    "CONSENT_WRONG_PURPOSE",
    "CONSENT_EXPIRED",
    "CONSENT_TOO_WEAK",
    "CONSENT_PENDING",
    "CONSENT_NO_PROOF",
)


def find(facts: Facts, purpose: str, at: datetime) -> Consent | None:
    """The first consent that passes every filter."""
    strong = bases.strong_enough(purpose, facts.region)
    for consent in facts.consents:
        if passed(consent, facts.context, purpose, strong, at) == len(FILTERS):
            return consent
    return None


def refuse(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    """None where one carries the message; else the refusal by the filter that emptied the set."""
    strong = bases.strong_enough(purpose, facts.region)
    furthest, nearest = -1, None
    for consent in facts.consents:
        through = passed(consent, facts.context, purpose, strong, at)
        if through == len(FILTERS):
            return None
        if through > furthest:
            furthest, nearest = through, consent
    if nearest is None:
        return Verdict("blocked", "NO_CONSENT")
    ended = nearest.expires_at or bases.ends_at(nearest.basis, nearest.given_at)
    detail = {
        "brand": facts.context.brand_name,
        "purpose": purpose,
        "purposes": ", ".join(sorted(nearest.purposes)),
        "date": ended.date().isoformat() if ended else "",
        "country": facts.region,
        "basis": nearest.basis.replace("_", " "),
    }
    return Verdict("blocked", FILTERS[furthest], None, detail)


def passed(consent: Consent, context: Context, purpose: str, strong: frozenset[str], at: datetime) -> int:
    """How many of the filters it passes; `strong`: the bases that serve the purpose in the country."""
    if consent.brand_id != context.brand_id:
        return 0
    if purpose not in consent.purposes:
        return 1
    if not is_live(consent, at):
        return 2
    if consent.basis not in strong:
        return 3
    if context.needs_confirmation and not consent.is_confirmed:
        return 4
    if purpose == Purpose.MARKETING and not consent.is_proven:
        return 5
    return len(FILTERS)


def is_live(consent: Consent, at: datetime) -> bool:
    if not consent.is_active or (consent.expires_at is not None and at >= consent.expires_at):
        return False
    if consent.basis not in bases.LIFE_IN_MONTHS:
        return True
    ended = bases.ends_at(consent.basis, consent.given_at)
    return ended is None or at < ended
