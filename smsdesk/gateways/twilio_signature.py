"""X-Twilio-Signature: who may call our webhooks.

base64(HMAC-SHA1(auth token, url + every key and value of the form, sorted)). Where the header
X-Twilio-Webhooks-Signature-Settings names a shared key, HMAC-SHA256 with that key's secret instead. The URL is
the one we told Twilio: built from our configured public address, never from a Host or X-Forwarded header.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from smsdesk.gateways import contract, hooks

_USUAL_PORTS = {"https": 443, "http": 80}


def verify(request: contract.HookRequest, *, hook_url: str, credentials: Mapping[str, str]) -> None:
    """Raises `HookRefused` unless a secret of ours (the current or the former) made the signature."""
    given = request.headers.get("x-twilio-signature", "")
    if not given or not given.isascii():
        raise contract.HookRefused("no signature")
    _check_body(request)
    algorithm, secrets = _secrets(request, credentials)
    matches = False
    for url in addresses(hooks.public_url(request, hook_url=hook_url)):
        for secret in secrets:
            if secret:
                # Not cut short: what is compared, and how long, tells nothing about the secret.
                matches |= hmac.compare_digest(
                    signature(url, form=request.form, secret=secret, algorithm=algorithm), given
                )
    if not matches:
        raise contract.HookRefused("wrong signature")


def _secrets(request: contract.HookRequest, credentials: Mapping[str, str]) -> tuple[str, list[str]]:
    settings = request.headers.get("x-twilio-webhooks-signature-settings", "")
    if not settings:
        return "sha1", [credentials.get("auth_token", ""), credentials.get("auth_token_former", "")]
    named = dict(pair.strip().partition("=")[::2] for pair in settings.split(","))
    key = credentials.get("webhook_key_sid", "")
    if named.get("algorithm") != "HMAC_SHA256" or not key or named.get("key") != key:
        raise contract.HookRefused("signed with a key we do not have")
    return "sha256", [credentials.get("webhook_key_secret", "")]


def signature(url: str, *, form: Mapping[str, Sequence[str]], secret: str, algorithm: str = "sha1") -> str:
    """What Twilio sends for this request. Repeated values of a key are sorted and counted once."""
    signed = url + "".join(key + value for key in sorted(form) for value in sorted(set(form[key])))
    mac = hmac.new(secret.encode(), signed.encode("utf-8", "surrogatepass"), algorithm)
    return b64encode(mac.digest()).decode()


def addresses(url: str) -> list[str]:
    """The URL as configured, and with the usual port written out or left away: Twilio signs either."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    port = _USUAL_PORTS.get(parts.scheme)
    bare = host.removesuffix(f":{port}")
    is_unusual = parts.port not in (None, port)
    hosts = [host, host.rpartition(":")[0]] if is_unusual else [bare, f"{bare}:{port}"]
    return [parts._replace(netloc=spelling).geturl() for spelling in hosts]


def _check_body(request: contract.HookRequest) -> None:
    """A body that is no form is covered by its SHA-256, which stands in the signed query."""
    told = request.query.get("bodySHA256", [""])[-1].lower()
    if told:
        if not hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), told.encode()):
            raise contract.HookRefused("wrong body")
    elif request.body and not request.is_form:
        raise contract.HookRefused("the signature does not cover this body")
