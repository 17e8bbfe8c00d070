"""What the rendered text of a message must say and must not: the same rules for everybody it goes to.

Sources: CTIA MPBP 5.1.3 and 5.3, PECR 22, CASL, Spam Act, carriers' codes of conduct (shorteners, SHAFT), Twilio's
guideline for the United Arab Emirates (no address or phone number in advertising).
"""

import re
from datetime import datetime

from contacts import routes, wording
from contacts.facts import Context, Facts, Verdict
from contacts.models import Purpose

NO_LINKS = frozenset({"AE"})
_LINK = re.compile(r"https?://|(?<![\w.@-])(?:[a-z0-9-]+\.)+[a-z]{2,24}/|www\.|(?:\+|00)\d[\d ()-]{6,}\d|\d{7,}")


def refuse(facts: Facts, purpose: str, at: datetime) -> Verdict | None:
    """Skipped where nobody has written a text yet."""
    if facts.body is None:
        return None
    return fault(facts.body, context=facts.context, region=facts.region, needs_optout_line=facts.needs_optout_line)


def fault(body: str, *, context: Context, region: str, needs_optout_line: bool) -> Verdict | None:
    """What is wrong with a text: of the person only the country bears on it, and what they have read before."""
    purpose = context.purpose or Purpose.MARKETING
    folded = wording.fold(body)
    if host := wording.public_shortener(folded):
        return Verdict("blocked", "CONTENT_PUBLIC_SHORTENER", None, {"host": host})
    if purpose == Purpose.MARKETING:
        verdict = _advertising(folded, context=context, region=region, needs_optout_line=needs_optout_line)
        if verdict is not None:
            return verdict
    if context.restricted and context.age_min is None:
        return Verdict("blocked", "CONTENT_SHAFT", None, {"category": context.restricted})
    if purpose == Purpose.TRANSACTIONAL and context.has_marketing:
        return Verdict("blocked", "CONTENT_PROMO_IN_INFORMATIONAL")
    return None


def _advertising(folded: str, *, context: Context, region: str, needs_optout_line: bool) -> Verdict | None:
    # A name as sender is the brand, and tells its way out by a link, asked for with the sender.
    is_named = context.sender_kind == routes.ALPHANUMERIC
    if not is_named and not wording.names(folded, brand=context.brand_name):
        return Verdict("blocked", "CONTENT_NO_BRAND")
    if needs_optout_line and not is_named and not wording.tells_how_to_stop(folded):
        return Verdict("blocked", "CONTENT_NO_OPTOUT")
    if region in NO_LINKS and _LINK.search(folded):
        return Verdict("blocked", "CONTENT_LINK_NOT_ALLOWED", None, {"country": region})
    return None
