"""Credentials at rest: AES-256-GCM, bound to the row they belong to, under a key outside the database."""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from smsdesk.errors import DomainError

_VERSION = "1."
_NONCE = 12


def seal(value: Mapping[str, str], *, bound_to: str) -> str:
    """Text to store; only `unseal` with the same `bound_to` (the row's public id) opens it."""
    nonce = secrets.token_bytes(_NONCE)
    plain = json.dumps(dict(value)).encode()
    sealed = _cipher(settings.CREDENTIAL_KEY).encrypt(nonce, plain, bound_to.encode())
    return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(sealed: str, *, bound_to: str) -> dict[str, str]:
    """What was sealed; raises `DomainError` "credentials_unreadable" for another key, another row, changed text."""
    cipher = _cipher(settings.CREDENTIAL_KEY)
    try:
        if not sealed.startswith(_VERSION):
            raise ValueError("unknown version")
        raw = base64.b64decode(sealed[len(_VERSION) :].encode(), altchars=b"-_", validate=True)
        plain = cipher.decrypt(raw[:_NONCE], raw[_NONCE:], bound_to.encode())
    except (InvalidTag, ValueError):
        raise DomainError(
            "credentials_unreadable",
            "The stored credentials cannot be opened with the present SMSDESK_CREDENTIAL_KEY.",
            field="credentials",
            cure="Set the key they were stored with, or enter the credentials again.",
        ) from None
    return {str(name): str(content) for name, content in json.loads(plain).items()}


def read_key(text: str) -> bytes:
    """The 32 bytes that `text` gives in base64 (usual or URL-safe alphabet); raises ValueError otherwise."""
    try:
        key = base64.b64decode(text.strip().translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError) as problem:
        raise ValueError("not base64") from problem
    if len(key) != 32:
        raise ValueError(f"{len(key)} bytes instead of 32")
    return key


@lru_cache(maxsize=4)
def _cipher(key: str) -> AESGCM:
    try:
        return AESGCM(read_key(key))
    except ValueError as problem:
        raise ImproperlyConfigured(f"SMSDESK_CREDENTIAL_KEY is not a key: {problem}.") from None
