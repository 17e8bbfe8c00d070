"""What carriers and regulators refuse in a text, found before anybody is asked to launch it.

The same rules stand in `contacts/permission.py`, per person; here they are about the text as such.
Sources: compliance notes, section 6 (CTIA, 47 CFR 64.1200, PECR 22, carriers' codes of conduct).
"""

import re
from dataclasses import dataclass, replace

from campaigns import preference_links, rendering, sender_choice
from campaigns.models import Campaign, Sender, SenderKind
from contacts import routes, wording
from contacts.models import Brand, Purpose
from smsdesk.errors import DomainError

OPTOUT_LINE = "Reply STOP to opt out"

_ANSWER_STOP = re.compile(r"\b(?:reply|text|txt|send|answer)\b\W+(?:\w+\W+)?stop\b")


# What carriers restrict (CTIA's SHAFT, and what they list beside it). Only a reminder to declare it.
_RESTRICTED_WORD = re.compile(
    r"\b(?:beers?|wines?|vodka|whiske?y|liquor|cocktails?|cigar(?:ette)?s?|vap(?:e|es|ing)|tobacco|guns?|rifles?|ammo|"
    r"firearms?|casinos?|betting|jackpot|poker|cannabis|cbd|thc|marijuana|weed|porn|escorts?|xxx|"
    r"payday loans?|debt relief)\b"
)
_OFFER = re.compile(
    r"\d+ ?% off|\b(?:discounts?|coupons?|promo codes?|special offers?|on sale|flash sale|buy one|free gift)\b"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the text; a blocking one keeps it from being saved and launched."""

    code: str
    message: str
    cure: str
    is_blocking: bool


def check(campaign: Campaign, *, body: str) -> list[Finding]:
    """Findings on `body` (Liquid that compiles) for this brand, purpose and its senders; blocking ones first.

    One that does not hold for all of several senders says for which.
    """
    if not body.strip():
        return []
    reaches = sender_choice.reaches(campaign)
    found: dict[Finding, list[str]] = {}
    for reach in reaches:
        folded = wording.fold(sample(body, brand=campaign.brand, country=_example(reach)))
        own = [
            *_links(folded),
            *_identity(folded, campaign, reach.sender),
            *_way_out(folded, campaign, reach.sender, links_out=rendering.links_out(body)),
            *_declared(folded, campaign),
            *_route(reach),
        ]
        for finding in dict.fromkeys(own):
            found.setdefault(finding, []).append(str(reach.sender))
    told = [
        finding if len(names) == len(reaches) else replace(finding, message=_named(finding.message, names))
        for finding, names in found.items()
    ]
    return sorted(told, key=lambda finding: not finding.is_blocking)


def _example(reach: sender_choice.Reach) -> str:
    """A country this sender sends to, for a text that asks for it; "" where none comes to mind."""
    likely = ("US", *((reach.sender.country,) if reach.sender else ()), *reach.countries)
    return next(filter(reach.includes, likely), "")


def _named(message: str, names: list[str]) -> str:
    return message if len(names) == 1 and names[0] in message else f"From {', '.join(names)}: {message}"


def sample(body: str, *, brand: Brand | None, country: str) -> str:
    """The text with every field filled in, or as it stands where that fails."""
    template = rendering.compile(body)
    names = [name.removeprefix("attributes.") for name in template.fields]
    contact = {
        "name": "Alex Doe",
        "external_id": "1001",
        "country": country,
        "language": "en",
        "attributes": {name: name for name in names},
    }
    values = rendering.fields_of(contact, brand=brand.name if brand else "brand", link=preference_links.example())
    rendered = template.render(values)
    return rendered.body or body


def as_errors(findings: list[Finding]) -> list[DomainError]:
    return [
        DomainError(finding.code, finding.message, field="body", cure=finding.cure)
        for finding in findings
        if finding.is_blocking
    ]


def _links(folded: str) -> list[Finding]:
    host = wording.public_shortener(folded)
    if not host:
        return []
    message = f"The text uses the public link shortener {host}, which carriers filter."
    return [Finding("CONTENT_PUBLIC_SHORTENER", message, "Use the full address of your own site.", True)]


def _identity(folded: str, campaign: Campaign, sender: Sender | None) -> list[Finding]:
    brand = campaign.brand
    if campaign.purpose != Purpose.MARKETING or brand is None or wording.names(folded, brand=brand.name):
        return []
    if sender is not None and sender.kind == SenderKind.ALPHANUMERIC:
        return []
    message = f"The text does not name the brand {brand.name}."
    return [Finding("CONTENT_NO_BRAND", message, f"Begin with “{brand.name}:” or {{{{ brand }}}}.", True)]


def _way_out(folded: str, campaign: Campaign, sender: Sender | None, *, links_out: bool) -> list[Finding]:
    findings = []
    is_named = sender is not None and sender.kind == SenderKind.ALPHANUMERIC
    if wording.number_for_stop(folded):
        findings.append(
            Finding("CONTENT_NO_OPTOUT", "A number may not stand in for STOP.", f"Write “{OPTOUT_LINE}”.", True)
        )
    if is_named and _ANSWER_STOP.search(folded):
        message = f"Nobody can answer the name {sender}, so “reply STOP” is an empty promise."
        findings.append(Finding("NO_OPTOUT_PATH", message, "Choose a sender with a number.", True))
    if campaign.purpose != Purpose.MARKETING:
        return findings
    if is_named and not links_out:
        message = f"People cannot answer the name {sender} and the text has no opt-out link."
        cure = "Add {{ optout_link }}, outside of any condition, or choose a sender with a number."
        findings.append(Finding("NO_OPTOUT_PATH", message, cure, True))
    elif not is_named and not wording.tells_how_to_stop(folded):
        message = "A marketing text must say how to opt out."
        findings.append(Finding("CONTENT_NO_OPTOUT", message, f"Add “{OPTOUT_LINE}”.", True))
    return findings


def _declared(folded: str, campaign: Campaign) -> list[Finding]:
    """Whether what the text is about was declared; words only warn, nobody is judged by a word list."""
    findings = []
    ages = (campaign.min_age, campaign.brand.min_age if campaign.brand else None)
    if campaign.restricted and not any(ages):
        message = f"The content is restricted ({campaign.get_restricted_display().lower()}) and has no age check."
        cure = "Set a minimum age here or for the brand."
        findings.append(Finding("CONTENT_SHAFT", message, cure, True))
    if not campaign.restricted and (word := _RESTRICTED_WORD.search(folded)):
        message = f"“{word[0]}” may be content that carriers restrict."
        cure = "If the text advertises it, choose its category under Restricted content."
        findings.append(Finding("CONTENT_SHAFT", message, cure, False))
    if campaign.purpose == Purpose.TRANSACTIONAL and (word := _OFFER.search(folded)):
        message = f"“{word[0]}” reads like an offer. A transactional message may not advertise."
        findings.append(Finding("CONTENT_PROMO_IN_INFORMATIONAL", message, "Send offers as marketing.", False))
    return findings


def _route(reach: sender_choice.Reach) -> list[Finding]:
    """What the sender cannot do; per person it is judged again."""
    sender = reach.sender
    if sender is None:
        return []
    findings = []
    there = ", ".join(sorted(filter(reach.includes, routes.NO_ALPHANUMERIC)))
    if sender.kind == SenderKind.ALPHANUMERIC and there:
        message = f"The name {sender} cannot send to numbers in {there}; people there are skipped."
        findings.append(Finding("SENDER_NOT_ALLOWED", message, "Choose a number for them.", False))
    if not sender.is_registered:
        message = f"The sender {sender} is not registered yet; nothing can leave through it."
        findings.append(
            Finding("SENDER_UNREGISTERED", message, "Finish its registration, or choose another.", False)
        )
    known = {sender.country, *sender.registered_in}
    if lacking := sorted((routes.REGISTERED_ONLY & {*reach.countries}) - known):
        message = f"The sender {sender} is not registered in {', '.join(lacking)}; people there are skipped."
        findings.append(Finding("SENDER_UNREGISTERED", message, "Choose one that is registered there.", False))
    return findings
