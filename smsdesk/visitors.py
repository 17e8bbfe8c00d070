"""From which network address a request came, as far as that can be believed."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

_HOUSEHOLD = 64  # bits: an IPv6 customer gets at least that much and may use a new address for every request


def address(request: HttpRequest) -> str:
    """The visitor's IP address, "" when unknown. Behind our proxy it is the last one the proxy added."""
    given = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        given = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or given
    try:
        found = ipaddress.ip_address(given)
    except ValueError:
        return ""
    plain = getattr(found, "ipv4_mapped", None) or found
    return str(plain)


def household(ip: str) -> str:
    """What one visitor can be told apart by: the IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in ip:
        return ip
    return str(ipaddress.ip_network((ip.partition("%")[0], _HOUSEHOLD), strict=False))
