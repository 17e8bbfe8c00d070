"""Which providers we speak. A new one is one file and one line here."""

import aiohttp

from smsdesk.errors import Invalid
from smsdesk.gateways import contract, infobip, twilio

GATEWAYS: dict[str, type[contract.Gateway]] = {
    gateway.kind: gateway for gateway in (infobip.Infobip, twilio.Twilio)
}


def gateway_for(
    kind: str, settings: contract.AccountSettings, *, http: aiohttp.ClientSession | None
) -> contract.Gateway:
    """The adapter for an account; raises `Invalid` when `kind` is not known."""
    return _class(kind)(settings, http=http)


def credential_fields(kind: str) -> tuple[contract.CredentialField, ...]:
    """What must be typed in to connect an account of this kind."""
    return _class(kind).credential_fields


def capabilities(kind: str) -> contract.Capabilities:
    return _class(kind).capabilities


def _class(kind: str) -> type[contract.Gateway]:
    try:
        return GATEWAYS[kind]
    except KeyError:
        raise Invalid(
            "unknown_gateway",
            "There is no gateway of this kind.",
            field="kind",
            value=kind[:40],
            cure=f"Choose one of: {', '.join(sorted(GATEWAYS))}.",
        ) from None
