"""May we send this message to this person now? One pure function, `judge`, asked at every point.

First block wins; deferrals are considered only when nothing blocks; the latest deferral is T, and T is judged
again when it comes. Whatever is not known blocks. The gates stand below in the order they are asked; a page that
explains a decision walks the same gates (`contacts/examination.py`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter

from contacts import consent_filters, content, quiet_hours, reasons, routes
from contacts.facts import Consent, Context, Facts, Outcome, Suppressed, Verdict
from contacts.frequency import Cap
from contacts.models import ConsentSource, Purpose
from contacts.rule_book import Rule

__all__ = ["GATES", "Consent", "Context", "Facts", "Gate", "Outcome", "Suppressed", "Verdict", "judge", "sentence"]

SENTENCES = reasons.SENTENCES
sentence = reasons.sentence

REPLY_WINDOW = timedelta(hours=24)  # product rule: an agent answers within a day
CONFIRM_WITHIN = timedelta(minutes=5)  # 47 CFR 64.1200(a)(12)
OPTIN_PARTS = ("brand", "program", "frequency", "rates", "help", "stop")  # CTIA Short Code Handbook
# "fixed" is the answer of a number lookup; the plan's own "fixed_line" is no proof: `+54 11 …` reaches mobiles.
NO_TEXTS = frozenset({"fixed", "toll_free", "premium_rate", "shared_cost"})

_MARKETING, _TRANSACTIONAL = Purpose.MARKETING.value, Purpose.TRANSACTIONAL.value
_CONVERSATIONAL, _COMPLIANCE = Purpose.CONVERSATIONAL.value, Purpose.COMPLIANCE.value
_CARRIER = ConsentSource.CARRIER.value

Check = Callable[[Facts, str, datetime], Verdict | None]


@dataclass(frozen=True, slots=True)
class Gate:
    """One question of the judge: a verdict ends the asking, None lets pass to the next."""

    name: str
    question: str
    check: Check


def judge(facts: Facts, at: datetime) -> Verdict:
    """The verdict on one message to one person at the instant `at` (aware)."""
    purpose = facts.context.purpose or _MARKETING
    for check in _CHECKS.get(purpose, _ORDINARY):
        verdict = check(facts, purpose, at)
        if verdict is not None:
            return verdict
    raise AssertionError("the last gate lets nobody pass without a verdict")


def gates_of(purpose: str) -> tuple[Gate, ...]:
    """What is asked about a message of this purpose, in order; "" is asked what marketing is."""
    return GATES.get(purpose or _MARKETING, GATES[_MARKETING])


def covering(suppressions: Iterable[Suppressed], brand_id: int, purposes: frozenset[str]) -> list[Suppressed]:
    """Those that keep `brand_id` from sending for any of `purposes`."""
    return [
        one
        for one in suppressions
        if (one.brand_id is None or one.brand_id == brand_id) and (one.purpose == "*" or one.purpose in purposes)
    ]


def _blocked(code: str, detail: Mapping[str, object] | None = None) -> Verdict:
    return Verdict("blocked", code, None, detail or {})


def _paused(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    return _blocked("SENDING_PAUSED") if facts.context.is_paused else None


def _number(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    if facts.kind == "invalid":
        return _blocked("NUMBER_INVALID", {"phone": facts.number})
    if facts.kind in NO_TEXTS:
        return _blocked("NUMBER_NOT_MOBILE")
    if facts.dead_since is not None:
        return _blocked("NUMBER_DEAD", {"date": _day(facts.dead_since)})
    return None


def _compliance(facts: Facts, purpose: str, at: datetime) -> Verdict:
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
    if context.send_by is not None and at >= context.send_by:
        return _blocked("NO_LONGER_ASKED")
    return Verdict("allowed", "OK_COMPLIANCE_MESSAGE")


def _optout(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    if facts.is_erased:
        return _blocked("ERASED")
    if facts.suppressions:
        standing = covering(facts.suppressions, facts.context.brand_id, frozenset({purpose}))
        if standing:
            by_carrier = any(one.source == _CARRIER for one in standing)
            return _suppressed(standing, code="SUPPRESSED_PROVIDER" if by_carrier else "SUPPRESSED")
    return None


def _suppressed(standing: list[Suppressed], *, code: str) -> Verdict:
    first = min(standing, key=lambda one: one.since.timestamp() if one.since else 0.0)
    how = ConsentSource(first.source).label.lower() if first.source in ConsentSource.values else first.source
    return _blocked(code, {"date": _day(first.since) if first.since else "", "how": how})


def _hold(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    return _blocked("HELD_FOR_REVIEW") if facts.is_held and purpose != _CONVERSATIONAL else None


def _owner(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    return _blocked("NUMBER_REASSIGNED") if facts.is_reassigned else None


def _age(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    least = facts.context.age_min
    if least is None:
        return None
    if facts.birth_date is None:
        return _blocked("AGE_UNVERIFIED")
    return _blocked("MINOR", {"age": least}) if _years(facts.birth_date, at) < least else None


def _years(born: date, at: datetime) -> int:
    """Full years on the UTC date of `at`."""
    today = at.astimezone(UTC).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _reply(facts: Facts, purpose: str, at: datetime) -> Verdict:
    if facts.last_inbound_at is None or at - facts.last_inbound_at > REPLY_WINDOW:
        return _blocked("CONVERSATION_CLOSED")
    if facts.context.has_marketing:
        return _blocked("CONTENT_PROMO_IN_REPLY")
    minutes = max(0, int((at - facts.last_inbound_at).total_seconds()) // 60)
    ago = f"{minutes // 60} h ago" if minutes >= 60 else f"{minutes} min ago"
    return Verdict("allowed", "OK_REPLY_IN_CONVERSATION", None, {"time ago": ago})


def _time(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    """Caps first, then quiet hours from the instant the caps allow; None when it may leave now."""
    context = facts.context
    until, cap = at, None
    if facts.recent and (reached := _reached_caps(facts, purpose, at)):
        for _, one in reached:
            if context.when_capped == "skip" or (one.skips and not context.when_capped):
                return _blocked("FREQUENCY_CAP_REACHED", {"n": one.most, "period": one.words})
        until, cap = max(reached, key=itemgetter(0))
    zones: tuple[str, ...] = ()
    if purpose == _MARKETING or context.quiet_applies:
        zones = quiet_hours.usable_zones(facts.zones, facts.contact_zones, facts.zone_override)
        if not zones:
            return _blocked("TZ_UNKNOWN")
        opens = quiet_hours.opening(zones, facts.rules, until, margin=context.margin)
        if opens is None:
            return _blocked("WINDOW_NEVER")
        until = opens
    if context.send_by is not None and until >= context.send_by:
        return _blocked("TOO_LATE", {"until": _minute(until)})
    if until <= at:
        return None
    if cap is None:
        return Verdict("deferred", "QUIET_HOURS", until, {"until": _minute(until), "zones": ", ".join(zones)})
    detail = {"until": _minute(until), "n": cap.most, "period": cap.words}
    return Verdict("deferred", "FREQUENCY_CAP", until, detail)


def _reached_caps(facts: Facts, purpose: str, at: datetime) -> list[tuple[datetime, Cap]]:
    """The caps that keep one more message back, each with the instant at which it fits."""
    caps = (*facts.context.caps, *caps_by_law(facts.rules, purpose))
    fits = ((cap.reached(facts.recent, at), cap) for cap in caps)
    return [(moment, cap) for moment, cap in fits if moment is not None]


def caps_by_law(rules: Iterable[Rule], purpose: str) -> list[Cap]:
    """What the law of these places allows, beside the desk's own caps."""
    return [rule.cap for rule in rules if rule.cap is not None] if purpose == _MARKETING else []


def _granted(facts: Facts, purpose: str, at: datetime) -> Verdict:
    consent = consent_filters.find(facts, purpose, at)
    detail = {"date": _day(consent.given_at), "event": consent.event_id} if consent else {}
    return Verdict("allowed", "OK", None, detail)


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_FIRST = (
    Gate("switch", "Is sending switched on for this brand?", _paused),
    Gate("number", "Can this number get texts?", _number),
)
_PERSON = (
    Gate("optout", "Has this person opted out?", _optout),
    Gate("hold", "Does a reply wait for someone to read it?", _hold),
    Gate("owner", "Does the number still belong to the same person?", _owner),
    Gate("age", "Is the person old enough?", _age),
    Gate("country", "May this kind of message go to the country?", routes.country),
    Gate("sender", "May this sender be used there?", routes.sender),
)
_MESSAGE = (
    Gate("consent", "Has this person agreed to it?", consent_filters.refuse),
    Gate("content", "Does the text say what it must, and nothing it must not?", content.refuse),
    Gate("time", "Is it the right time, and not too often?", _time),
    Gate("granted", "Nothing stands against it.", _granted),
)
GATES: dict[str, tuple[Gate, ...]] = {
    _MARKETING: (*_FIRST, *_PERSON, *_MESSAGE),
    _TRANSACTIONAL: (*_FIRST, *_PERSON, *_MESSAGE),
    _CONVERSATIONAL: (*_FIRST, *_PERSON, Gate("reply", "Did this person write in the last 24 hours?", _reply)),
    _COMPLIANCE: (*_FIRST, Gate("compliance", "Do the rules on STOP, HELP and opt-in ask for it?", _compliance)),
}
_CHECKS = {purpose: tuple(gate.check for gate in gates) for purpose, gates in GATES.items()}
_ORDINARY = _CHECKS[_MARKETING]
