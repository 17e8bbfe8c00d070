"""Every code a ledger row may carry, as a sentence for people."""

from collections.abc import Mapping

from campaigns import eligibility, rendering
from contacts import permission
from smsdesk.gateways import registry

SENTENCES: dict[str, str] = {**eligibility.SENTENCES, **rendering.SENTENCES}
# What `waiting_for` holds besides the codes of the judge in lower case.
WAITING = {
    "sending_paused": "Waiting: sending is switched off for this brand.",
    "": "Waiting for its turn.",
    "retry": "Waiting for another try: the gateway was busy or could not be reached.",
    "account": "Waiting: the gateway account is paused.",
    "throttle": "Waiting: the gateway asked us to slow down.",
    "unreachable": "Waiting for another try: the gateway could not be reached.",
    "auth": "Waiting: the gateway refuses our credentials.",
    "funds": "Waiting: the gateway account has run out of money.",
    "config": "Waiting: the gateway account is not set up for this.",
}


def sentence(code: str, detail: Mapping[str, object]) -> str:
    """The sentence of `code` with its gaps filled; a code nobody knows is named as it is."""
    own = SENTENCES.get(code)
    if own is None:
        return permission.sentence(code, detail)
    return own.format_map(_Gaps(detail))


def summary(code: str) -> str:
    """The sentence about many people, whose details differ."""
    return sentence(code, {})


def waiting(reason: str, detail: Mapping[str, object]) -> str:
    """The sentence for a row that waits, from its `waiting_for`."""
    return WAITING.get(reason) or sentence(reason.upper(), detail)


def uncertain(gateway: str) -> str:
    """The sentence for a row whose outcome is unknown, by what this kind of gateway can tell."""
    if gateway and registry.capabilities(gateway).tier in ("A", "B"):
        return "Checking with the gateway whether it was sent; it is sent again only if it surely was not."
    return "May have been sent: its answer got lost, and this gateway may tell later. It is not sent again."


class _Gaps(dict[str, object]):
    """What a sentence asks for; a gap nobody can fill reads "see the message"."""

    def __missing__(self, key: str) -> str:
        return "see the message"
