"""What carriers and regulators demand of the answers a desk gives by itself, found before such a text is saved.

Sources: 47 CFR 64.1200(a)(12): the answer to STOP only confirms, without marketing. CTIA Messaging Principles 5.1.3
and Short Code Handbook: who speaks, that no more follows, how to reach a person, the parts of an opt-in
confirmation. Aggregators: no number in place of STOP. AT&T and T-Mobile: no public link shorteners.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from contacts import permission, wording
from smsdesk import sms_text
from smsdesk.errors import Invalid

MOST_CHARACTERS = 1_600  # of any message


class Kind(StrEnum):
    STOP = "stop"
    HELP = "help"
    OPT_IN = "opt_in"  # START, and keywords by which people join
    REPLY = "reply"  # of a keyword that only answers


@dataclass(frozen=True, slots=True)
class Finding:
    """`is_blocking`: such a text is not saved; otherwise it is worth a second look."""

    code: str
    message: str
    cure: str
    is_blocking: bool = True


_OFFER = re.compile(
    r"\d ?% ?(?:off|discount)|[$€£] ?\d[\d.,]* off|\bsave [$€£]? ?\d|\b(?:coupon|discount|voucher|promo ?code)s?\b"
    r"|\bfree (?:gift|shipping|delivery)\b|\bshop now\b|\border now\b|\bbuy (?:now|one)\b|\blimited time\b"
    r"|\bsale (?:ends|starts|now|today|on)\b"
)
_PERSUADES = re.compile(
    r"\b(?:offers?|deals?|sale)\b|\bbefore you go\b|\bcome back\b|\bmiss(?:ing)? out\b|\bare you sure\b"
    r"|\bchange your mind\b|\breconsider\b|\bstay (?:with|tuned)\b"
)
# In the languages in which brands mostly write; whoever writes in another one keeps one English sentence.
_NO_MORE = re.compile(
    r"\bno (?:more|further|longer|additional)\b"
    r"|\b(?:won'?t|will not|not) (?:be )?(?:get|receive|sent|send|text|messag|hear)"
    r"|\bm[aá]s mensajes\b|\bno (?:recibir|enviar)|\bplus de (?:messages|sms)\b|\bne (?:recevrez|recevras) plus\b"
    r"|\bkeine? (?:weiteren? )?(?:nachricht|sms)|\bnon ricever|\bnessun altro\b|\bn[aã]o (?:receber|enviar)"
    r"|\bgeen (?:berichten|sms)\b|\bne[cć]ete? (?:vi[sš]e )?prima"
)
_NO_MORE_OFFERS = re.compile(r"\bno (?:more|further) (?:\w+ ){0,2}?(?:offers?|deals?)\b")
_LINK = re.compile(r"https?://|\bwww\.|(?<![\w.@-])(?:[a-z0-9-]+\.)+[a-z]{2,24}(?=/|\s|$)")
_PERSON = re.compile(
    r"[\w.+-]+@[\w-]+\.\w|\d[\d ()./-]{5,}\d|\bcall us\b"
    r"|\b(?:answer|reply|write|text)\b[^.!?]{0,40}\b(?:here|us|person|agent|team|back)\b"
)


def check(text: str, *, kind: Kind, brand: str) -> list[Finding]:
    """Findings on the text of a brand of this name, blocking ones first."""
    said = text.replace("{brand}", brand)
    if len(said) > MOST_CHARACTERS:
        message = f"It may have {MOST_CHARACTERS} characters and has {len(said)}."
        return [Finding("text_too_long", message, "Shorten it.")]
    folded = wording.fold(said)
    found = [*_of_all(text, folded), *_of_kind(folded, kind=kind, brand=brand), *_of_length(said)]
    return sorted(found, key=lambda finding: not finding.is_blocking)


def refuse(text: str, *, kind: Kind, brand: str, field: str) -> None:
    """Raises `Invalid` for the first thing that forbids the text."""
    for finding in check(text, kind=kind, brand=brand):
        if finding.is_blocking:
            raise Invalid(finding.code, finding.message, field=field, value=text[:60], cure=finding.cure)


def warnings(text: str, *, kind: Kind, brand: str) -> list[str]:
    found = check(text, kind=kind, brand=brand)
    return [f"{one.message} {one.cure}" for one in found if not one.is_blocking]


def parts(body: str, brand: str) -> frozenset[str]:
    """Which of the parts an opt-in confirmation must have its text contains."""
    folded = wording.fold(body)
    marks = {
        "brand": wording.names(folded, brand=brand),
        "program": len(folded) > 20,
        "frequency": any(word in folded for word in ("msg/", "msgs/", "message frequency", "per month", "/mo")),
        "rates": "rates" in folded,
        "help": "help" in folded,
        "stop": wording.tells_how_to_stop(folded),
    }
    return frozenset(part for part, found in marks.items() if found)


def _of_all(text: str, folded: str) -> Iterator[Finding]:
    if not text.strip():
        yield Finding("text_empty", "This answer needs a text.", "Type what to say.")
    if {"{", "}"} & set(text.replace("{brand}", "")):
        yield Finding("unknown_field", "Only {brand} is filled in here.", "Take the other braces out.")
    if wording.number_for_stop(folded):
        yield Finding("number_for_stop", "A number may not stand in for STOP.", "Write “Reply STOP to opt out”.")
    if host := wording.public_shortener(folded):
        message = f"It uses the public link shortener {host}, which carriers filter."
        yield Finding("public_shortener", message, "Use the full address of your own site.")


def _of_kind(folded: str, *, kind: Kind, brand: str) -> Iterator[Finding]:
    if kind == Kind.REPLY:
        return
    own = wording.fold_name(brand)
    if not wording.names(folded, brand=brand):
        yield Finding("brand_missing", f"It does not say that {brand} speaks.", "Begin with “{brand}:”.")
    about = folded.replace(own, " ")  # “Acme Deals” is a name, not an offer
    if _OFFER.search(about):
        cure = "Send the offer as a message of its own, to those who may get it."
        yield Finding("has_offer", "A message the rules ask for may not carry an offer.", cure)
    if kind == Kind.STOP:
        yield from _of_stop(folded, about)
    elif kind == Kind.HELP:
        yield from _of_help(folded)
    elif lacking := [part for part in permission.OPTIN_PARTS if part not in parts(folded, brand) | {"brand"}]:
        example = "“Up to 4 msgs/mo. Msg & data rates may apply. Reply HELP for help, STOP to cancel.”"
        message = f"It confirms an opt-in and lacks: {', '.join(lacking)}."
        yield Finding("confirmation_incomplete", message, f"For example: {example}")


def _of_stop(folded: str, about: str) -> Iterator[Finding]:
    if not _NO_MORE.search(folded):
        cure = "For example: “You are unsubscribed and will get no more messages.”"
        yield Finding("stop_unconfirmed", "It does not say that no more messages follow.", cure)
    if _LINK.search(folded):
        yield Finding("has_link", "The answer to STOP only confirms: it leads nowhere.", "Take the link out.")
    if _PERSUADES.search(_NO_MORE_OFFERS.sub(" ", about)):
        cure = "Take that out; “Reply START to resubscribe” may stay."
        yield Finding("persuades", "The answer to STOP may not try to change the person's mind.", cure)


def _of_help(folded: str) -> Iterator[Finding]:
    if not (_PERSON.search(folded) or _LINK.search(folded)):
        cure = "Name a phone number, a mail address or a page, or say that a person reads the answers here."
        yield Finding("help_without_contact", "It does not say how to reach a person.", cure)
    if not wording.tells_how_to_stop(folded):
        yield Finding("help_without_stop", "It does not say how to stop.", "Add “Reply STOP to cancel”.", False)


def _of_length(said: str) -> Iterator[Finding]:
    size = sms_text.measure(said)
    if size.encoding == "ucs2":
        shown = " ".join(size.forcing[:5])
        message = f"{shown} makes each part hold 70 characters instead of 160."
        yield Finding("ucs2", message, "Replace it with a plain character.", False)
    if size.parts > 1:
        yield Finding("several_parts", f"It leaves in {size.parts} parts.", "Shorten it to fit one.", False)
