"""A decision laid open: every gate the judge knows, what it looked at, and what it says.

It walks the gates of `contacts/permission.py` themselves, so it cannot say anything else than the judge. Beyond the
gate that decides, the others are asked too: a person who mends one reason wants to know of the next.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from contacts import cures, permission, quiet_hours
from contacts.facts import Consent, Facts, Verdict
from contacts.rule_book import Rule

Inputs = tuple[tuple[str, str], ...]
Names = Mapping[int, str]  # of brands, by id


@dataclass(frozen=True, slots=True)
class Look:
    """One gate: its question, what it saw, and its answer; None let the message pass."""

    name: str
    question: str
    inputs: Inputs
    verdict: Verdict | None
    is_decisive: bool

    @property
    def word(self) -> str:
        if self.verdict is None:
            return "Passes"
        said = {"allowed": "Allows", "deferred": "Waits", "blocked": "Blocks"}[self.verdict.outcome]
        return said if self.is_decisive else f"{said} too"

    @property
    def pill(self) -> str:
        if self.verdict is None:
            return "pill-ok" if not self.is_decisive else "pill-off"
        return {"allowed": "pill-ok", "deferred": "pill-wait", "blocked": "pill-bad"}[self.verdict.outcome]


@dataclass(frozen=True, slots=True)
class Window:
    """One rule in one zone at the moment asked about."""

    zone: str
    rule: str
    local: str
    today: str  # "09:00–20:00" or "closed"
    is_open: bool


@dataclass(frozen=True, slots=True)
class Examination:
    verdict: Verdict
    looks: tuple[Look, ...]
    windows: tuple[Window, ...]
    cure: str  # what would have to happen; "" when it may be sent

    @property
    def word(self) -> str:
        return {"allowed": "Yes", "deferred": "Later", "blocked": "No"}[self.verdict.outcome]

    @property
    def pill(self) -> str:
        return {"allowed": "pill-ok", "deferred": "pill-wait", "blocked": "pill-bad"}[self.verdict.outcome]


def examine(facts: Facts, at: datetime, *, brands: Names) -> Examination:
    """The judge's verdict at `at`, and how it came about; `brands` are named where only ids are on record."""
    purpose = facts.context.purpose or "marketing"
    decided: Verdict | None = None
    looks = []
    for gate in permission.gates_of(facts.context.purpose):
        verdict = gate.check(facts, purpose, at)
        is_decisive = decided is None and verdict is not None
        if verdict is not None and verdict.outcome == "allowed" and not is_decisive:
            continue  # the last gate stands open only for whom no other has stopped
        looks.append(Look(gate.name, gate.question, _INPUTS[gate.name](facts, brands), verdict, is_decisive))
        decided = decided or verdict
    assert decided is not None  # the last gate always has one
    return Examination(decided, tuple(looks), _windows(facts, at), cures.of(decided))


def _windows(facts: Facts, at: datetime) -> tuple[Window, ...]:
    if not (facts.context.quiet_applies or facts.context.purpose in ("", "marketing")):
        return ()
    zones = quiet_hours.usable_zones(facts.zones, facts.contact_zones, facts.zone_override)
    return tuple(_window(zone, rule, at, facts.context.margin) for zone in zones for rule in facts.rules)


def _window(zone: str, rule: Rule, at: datetime, margin: timedelta) -> Window:
    local = at.astimezone(ZoneInfo(zone))
    hours = None if quiet_hours.is_closed(rule, local.date()) else rule.windows[local.weekday()]
    today = f"{_clock(hours[0])}–{_clock(hours[1])}" if hours else "closed"
    is_open = quiet_hours.opening((zone,), (rule,), at, margin=margin) == at
    return Window(zone, rule.code, f"{local:%a %Y-%m-%d %H:%M}", today, is_open)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}" if moment else "never"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _switch(facts: Facts, brands: Names) -> Inputs:
    return (("brand", facts.context.brand_name), ("switched off", _yes(facts.context.is_paused)))


def _number(facts: Facts, brands: Names) -> Inputs:
    return (("kind of number", facts.kind.replace("_", " ")), ("reported dead", _moment(facts.dead_since)))


def _optout(facts: Facts, brands: Names) -> Inputs:
    standing = (
        f"{'every brand' if one.brand_id is None else brands.get(one.brand_id, 'another brand')}, "
        f"{'every purpose' if one.purpose == '*' else one.purpose}, {one.source}, {_moment(one.since)}"
        for one in facts.suppressions
    )
    return (("suppressions", "; ".join(standing) or "none"), ("erased", _yes(facts.is_erased)))


def _hold(facts: Facts, brands: Names) -> Inputs:
    return (("open hold", _yes(facts.is_held)),)


def _owner(facts: Facts, brands: Names) -> Inputs:
    return (("new owner, no consent since", _yes(facts.is_reassigned)),)


def _age(facts: Facts, brands: Names) -> Inputs:
    least = facts.context.age_min
    born = facts.birth_date.isoformat() if facts.birth_date else "not known"
    return (("minimum age", str(least) if least else "none"), ("birth date", born if least else "not asked"))


def _country(facts: Facts, brands: Names) -> Inputs:
    blocked = ", ".join(sorted(facts.context.countries_blocked)) or "none"
    return (("country", facts.region or "not known"), ("no marketing to", blocked))


def _sender(facts: Facts, brands: Names) -> Inputs:
    context = facts.context
    return (
        ("sender", f"{context.sender or 'any'} {context.sender_kind.replace('_', ' ')}".strip()),
        ("registered", _yes(context.is_sender_registered)),
        ("registered in", ", ".join(sorted(context.registered_in or ())) or "not asked"),
        ("opt-out link", _yes(context.has_optout_link)),
    )


def _reply(facts: Facts, brands: Names) -> Inputs:
    return (("last text from them", _moment(facts.last_inbound_at)),)


def _compliance(facts: Facts, brands: Names) -> Inputs:
    return (("kind", facts.context.compliance_kind), ("STOP arrived", _moment(facts.stopped_at)))


def _consents(facts: Facts, brands: Names) -> Inputs:
    asked = ("second yes needed", _yes(facts.context.needs_confirmation))
    given = tuple(_consent(one, brands) for one in facts.consents)
    return (asked, *(given or (("consents", "none"),)))


def _consent(one: Consent, brands: Names) -> tuple[str, str]:
    state = "stands" if one.is_active else f"ended ({one.ended_by.replace('_', ' ') or 'not recorded by what'})"
    marks = [name for name, is_so in (("confirmed", one.is_confirmed), ("proven", one.is_proven)) if is_so]
    until = f", until {one.expires_at:%Y-%m-%d}" if one.expires_at else ""
    basis = one.basis.replace("_", " ")
    said = f"{basis}, {one.given_at:%Y-%m-%d}{until}, {state}, {', '.join(marks) or 'without proof'}"
    return f"{', '.join(sorted(one.purposes))} of {brands.get(one.brand_id, 'another brand')}", said


def _content(facts: Facts, brands: Names) -> Inputs:
    if facts.body is None:
        return (("text", "none given: not looked at"),)
    return (
        ("characters", str(len(facts.body))),
        ("restricted content", facts.context.restricted or "none"),
        ("way out asked for", _yes(facts.needs_optout_line)),
    )


def _time(facts: Facts, brands: Names) -> Inputs:
    caps = [*facts.context.caps, *(rule.cap for rule in facts.rules if rule.cap)]
    zones = quiet_hours.usable_zones(facts.zones, facts.contact_zones, facts.zone_override)
    source = "stated by the person" if facts.zone_override else "the number, and any address"
    return (
        ("zones", f"{', '.join(zones) or 'not known'} ({source})"),
        ("rules", ", ".join(rule.code for rule in facts.rules) or "none"),
        ("caps", "; ".join(f"{cap.most} in {cap.words} ({cap.source or 'the desk’s'})" for cap in caps) or "none"),
        ("sent that counts", str(len(facts.recent))),
        ("end of the offer", _moment(facts.context.send_by) if facts.context.send_by else "none"),
    )


def _granted(facts: Facts, brands: Names) -> Inputs:
    return ()


_INPUTS: Mapping[str, Callable[[Facts, Names], Inputs]] = {
    "switch": _switch,
    "number": _number,
    "optout": _optout,
    "hold": _hold,
    "owner": _owner,
    "age": _age,
    "country": _country,
    "sender": _sender,
    "reply": _reply,
    "compliance": _compliance,
    "consent": _consents,
    "content": _content,
    "time": _time,
    "granted": _granted,
}
