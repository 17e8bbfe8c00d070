"""May we send this message to this person now? One pure function, `judge`, asked at every point.

First block wins; deferrals are considered only when nothing blocks; the latest deferral is T, and T is judged
again when it comes. Whatever is not known blocks. The order of the checks is the order of the functions below.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

from contacts import bases, quiet_hours, reasons, wording
from contacts.facts import Consent, Context, Facts, Outcome, Suppressed, Verdict
from contacts.models import ConsentSource, Purpose

__all__ = ["SENTENCES", "Consent", "Context", "Facts", "Outcome", "Suppressed", "Verdict", "judge", "sentence"]

SENTENCES = reasons.SENTENCES
sentence = reasons.sentence

REPLY_WINDOW = timedelta(hours=24)  # product rule: an agent answers within a day
CAP_PERIOD = timedelta(hours=24)
CONFIRM_WITHIN = timedelta(minutes=5)  # 47 CFR 64.1200(a)(12)
OPTIN_PARTS = ("brand", "program", "frequency", "rates", "help", "stop")  # CTIA Short Code Handbook
ALPHANUMERIC = "alphanumeric"
# "fixed" is the answer of a number lookup; the plan's own "fixed_line" is no proof: `+54 11 …` reaches mobiles.
NO_TEXTS = frozenset({"fixed", "toll_free", "premium_rate", "shared_cost"})
NO_ALPHANUMERIC = frozenset({"US", "CA", "PR"})
UNKNOWN_REGIONS = frozenset({"", "ZZ", "001"})

_MARKETING, _TRANSACTIONAL = Purpose.MARKETING.value, Purpose.TRANSACTIONAL.value
_CONVERSATIONAL, _COMPLIANCE = Purpose.CONVERSATIONAL.value, Purpose.COMPLIANCE.value
_CARRIER = ConsentSource.CARRIER.value


def judge(facts: Facts, at: datetime) -> Verdict:
    """The verdict on one message to one person at the instant `at` (aware)."""
    context = facts.context
    purpose = context.purpose or _MARKETING
    blocked = _number(facts)
    if blocked is not None:
        return blocked
    if purpose == _COMPLIANCE:
        return _compliance(facts, at)
    blocked = _person(facts, purpose, at) or _route(facts, purpose)
    if blocked is not None:
        return blocked
    if purpose == _CONVERSATIONAL:
        return _reply(facts, at)
    consent = _consent(facts, purpose, at)
    if isinstance(consent, Verdict):
        return consent
    if facts.body is not None:
        blocked = _content(facts, purpose, facts.body)
        if blocked is not None:
            return blocked
    return _time(facts, purpose, at) or Verdict(
        "allowed", "OK", None, {"date": _day(consent.given_at), "event": consent.event_id}
    )


def covering(suppressions: Iterable[Suppressed], brand_id: int, purposes: frozenset[str]) -> list[Suppressed]:
    """Those that keep `brand_id` from sending for any of `purposes`."""
    return [
        one
        for one in suppressions
        if (one.brand_id is None or one.brand_id == brand_id) and (one.purpose == "*" or one.purpose in purposes)
    ]


def _blocked(code: str, detail: Mapping[str, object] | None = None) -> Verdict:
    return Verdict("blocked", code, None, detail or {})


def _number(facts: Facts) -> Verdict | None:
    if facts.context.is_paused:
        return _blocked("SENDING_PAUSED")
    if facts.kind == "invalid":
        return _blocked("NUMBER_INVALID", {"phone": facts.number})
    if facts.kind in NO_TEXTS:
        return _blocked("NUMBER_NOT_MOBILE")
    if facts.is_dead:
        return _blocked("NUMBER_DEAD")
    return None


def _compliance(facts: Facts, at: datetime) -> Verdict:
    """Answers to STOP, HELP and opt-in: what blocks other messages does not block these."""
    context = facts.context
    if context.compliance_kind == "optout_confirm":
        if facts.has_confirmation:
            return _blocked("CONFIRM_ALREADY_SENT")
        if context.provider_confirms:
            return _blocked("CONFIRM_PROVIDER_SENT")
        if context.has_marketing:
            return _blocked("CONFIRM_HAS_MARKETING")
        if facts.stopped_at is None or at - facts.stopped_at > CONFIRM_WITHIN:
            return _blocked("CONFIRM_TOO_LATE")
    elif context.compliance_kind != "help_reply":
        # An opt-in confirmation serves marketing: whoever opted out of that gets none.
        if standing := covering(facts.suppressions, context.brand_id, frozenset({_COMPLIANCE, _MARKETING})):
            return _suppressed(standing, code="SUPPRESSED")
        if context.has_marketing:
            return _blocked("CONFIRM_HAS_MARKETING")
        if lacking := [part for part in OPTIN_PARTS if part not in context.compliance_parts]:
            return _blocked("CONTENT_INCOMPLETE", {"parts": ", ".join(lacking)})
    return Verdict("allowed", "OK_COMPLIANCE_MESSAGE")


def _person(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    context = facts.context
    if facts.is_erased:
        return _blocked("ERASED")
    if facts.suppressions and (standing := covering(facts.suppressions, context.brand_id, frozenset({purpose}))):
        by_carrier = any(one.source == _CARRIER for one in standing)
        return _suppressed(standing, code="SUPPRESSED_PROVIDER" if by_carrier else "SUPPRESSED")
    if facts.is_held and purpose != _CONVERSATIONAL:
        return _blocked("HELD_FOR_REVIEW")
    if facts.is_reassigned:
        return _blocked("NUMBER_REASSIGNED")
    if context.age_min is not None:
        if facts.birth_date is None:
            return _blocked("AGE_UNVERIFIED")
        if _age(facts.birth_date, at) < context.age_min:
            return _blocked("MINOR", {"age": context.age_min})
    return None


def _suppressed(standing: list[Suppressed], *, code: str) -> Verdict:
    first = min(standing, key=lambda one: one.since.timestamp() if one.since else 0.0)
    how = ConsentSource(first.source).label.lower() if first.source in ConsentSource.values else first.source
    return _blocked(code, {"date": _day(first.since) if first.since else "", "how": how})


def _age(born: date, at: datetime) -> int:
    """Full years on the UTC date of `at`."""
    today = at.astimezone(UTC).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _route(facts: Facts, purpose: str) -> Verdict | None:
    context, region = facts.context, facts.region
    if region in UNKNOWN_REGIONS:
        return _blocked("COUNTRY_UNKNOWN")
    if purpose == _MARKETING and region in context.countries_blocked:
        return _blocked("COUNTRY_BLOCKED", {"country": region})
    is_named = context.sender_kind == ALPHANUMERIC
    if is_named and region in NO_ALPHANUMERIC:
        return _blocked("SENDER_NOT_ALLOWED", {"sender": context.sender, "country": region})
    if not context.is_sender_registered:
        return _blocked("SENDER_UNREGISTERED", {"sender": context.sender, "country": region})
    if is_named and purpose == _MARKETING and not context.has_optout_link:
        return _blocked("NO_OPTOUT_PATH")
    return None


def _reply(facts: Facts, at: datetime) -> Verdict:
    if facts.last_inbound_at is None or at - facts.last_inbound_at > REPLY_WINDOW:
        return _blocked("CONVERSATION_CLOSED")
    if facts.context.has_marketing:
        return _blocked("CONTENT_PROMO_IN_REPLY")
    minutes = max(0, int((at - facts.last_inbound_at).total_seconds()) // 60)
    ago = f"{minutes // 60} h ago" if minutes >= 60 else f"{minutes} min ago"
    return Verdict("allowed", "OK_REPLY_IN_CONVERSATION", None, {"time ago": ago})


# The filters of consent in their order; each narrows what the one before left.
_FILTERS = (
    "CONSENT_WRONG_BRAND",
    "CONSENT_WRONG_PURPOSE",
    "CONSENT_EXPIRED",
    "CONSENT_TOO_WEAK",
    "CONSENT_PENDING",
    "CONSENT_NO_PROOF",
)


def _consent(facts: Facts, purpose: str, at: datetime) -> Consent | Verdict:
    """The consent that carries the message, or the refusal by the filter that emptied the set."""
    strong = bases.strong_enough(purpose, facts.region)
    furthest, nearest = -1, None
    for consent in facts.consents:
        passed = _filters_passed(consent, facts.context, purpose, strong, at)
        if passed == len(_FILTERS):
            return consent
        if passed > furthest:
            furthest, nearest = passed, consent
    if nearest is None:
        return _blocked("NO_CONSENT")
    ended = nearest.expires_at or bases.ends_at(nearest.basis, nearest.given_at)
    detail = {
        "brand": facts.context.brand_name,
        "purpose": purpose,
        "purposes": ", ".join(sorted(nearest.purposes)),
        "date": _day(ended) if ended else "",
        "country": facts.region,
        "basis": nearest.basis,
    }
    return _blocked(_FILTERS[furthest], detail)


def _filters_passed(consent: Consent, context: Context, purpose: str, strong: frozenset[str], at: datetime) -> int:
    if consent.brand_id != context.brand_id:
        return 0
    if purpose not in consent.purposes:
        return 1
    if not _is_live(consent, at):
        return 2
    if consent.basis not in strong:
        return 3
    if context.needs_confirmation and not consent.is_confirmed:
        return 4
    if purpose == _MARKETING and not consent.is_proven:
        return 5
    return len(_FILTERS)


def _is_live(consent: Consent, at: datetime) -> bool:
    if not consent.is_active or (consent.expires_at is not None and at >= consent.expires_at):
        return False
    if consent.basis not in bases.LIFE_IN_MONTHS:
        return True
    ended = bases.ends_at(consent.basis, consent.given_at)
    return ended is None or at < ended


def _content(facts: Facts, purpose: str, body: str) -> Verdict | None:
    context = facts.context
    folded = wording.fold(body)
    if host := wording.public_shortener(folded):
        return _blocked("CONTENT_PUBLIC_SHORTENER", {"host": host})
    if purpose == _MARKETING:
        is_named = context.sender_kind == ALPHANUMERIC
        if not is_named and not wording.names(folded, brand=context.brand_name):
            return _blocked("CONTENT_NO_BRAND")
        # A sender nobody can answer tells its way out by a link, asked for in `_route`.
        if facts.needs_optout_line and not is_named and not wording.tells_how_to_stop(folded):
            return _blocked("CONTENT_NO_OPTOUT")
    if context.is_restricted and context.age_min is None:
        return _blocked("CONTENT_SHAFT")
    if purpose == _TRANSACTIONAL and context.has_marketing:
        return _blocked("CONTENT_PROMO_IN_INFORMATIONAL")
    return None


def _time(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    """Caps first, then quiet hours from the instant the cap allows; None when it may leave now."""
    context = facts.context
    until = capped_until = _after_cap(facts, at) if purpose == _MARKETING else at
    zones: tuple[str, ...] = ()
    if purpose == _MARKETING or context.quiet_applies:
        zones = quiet_hours.usable_zones(facts.zones, facts.contact_zones, facts.zone_override)
        if not zones:
            return _blocked("TZ_UNKNOWN")
        opens = quiet_hours.opening(zones, facts.rules, capped_until, margin=context.margin)
        if opens is None:
            return _blocked("WINDOW_NEVER")
        until = opens
    if context.send_by is not None and until >= context.send_by:
        return _blocked("TOO_LATE", {"until": _minute(until)})
    if until <= at:
        return None
    detail = {"until": _minute(until), "zones": ", ".join(zones), "n": context.cap, "period": "24 hours"}
    return Verdict("deferred", "FREQUENCY_CAP" if capped_until > at else "QUIET_HOURS", until, detail)


def _after_cap(facts: Facts, at: datetime) -> datetime:
    """When one more message fits: 24 hours after the n-th latest of those that count."""
    cap = facts.context.cap
    if cap is None or len(facts.recent) < cap:
        return at
    counted = sorted(sent for sent in facts.recent if sent > at - CAP_PERIOD)
    return counted[-cap] + CAP_PERIOD if len(counted) >= cap else at


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
