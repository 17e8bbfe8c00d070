"""What the HTTP status of an answer says by itself, the same for every provider."""

from smsdesk.gateways import client, errors


def by_status(answer: client.Answer, *, code: str, message: str) -> errors.GatewayError | None:
    """The error an HTTP status stands for; None where only the body can tell (2xx and other 4xx).

    Surely not taken: 401, 402, 403, 429, and 404 and 405, where there is nothing that could take a message. All
    others above 299 may come from something that stands behind or before what took it, even a 503 with Retry-After.
    """
    status = answer.status
    code = code or f"http_{status}"
    if status == 429:
        return errors.Throttled(code, message or "Too many requests.", retry_after=answer.retry_after)
    if status in (401, 403):
        return errors.AuthenticationFailed(code, message or "The gateway refused our credentials.")
    if status == 402:
        return errors.InsufficientFunds(code, message or "The gateway asks for payment.")
    if status in (404, 405):
        return errors.Misconfigured(code, message or "The gateway knows no such address.")
    if status < 200 or 300 <= status < 400 or status == 408 or status >= 500:
        return errors.OutcomeUnknown(
            code, message or f"The gateway answered HTTP {status}.", retry_after=answer.retry_after
        )
    return None


def garbage(answer: client.Answer) -> errors.OutcomeUnknown:
    """An answer that is not in the provider's form proves nothing, whatever its status."""
    return errors.OutcomeUnknown("garbage", f"The gateway's answer (HTTP {answer.status}) makes no sense.")
