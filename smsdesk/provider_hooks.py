"""The front door for gateways: `/hooks/<account>/<secret>/<status|inbound>/`.

Proof first (the secret in the address, then the adapter's own check), then store, then acknowledge: 2xx means it is
committed. The database away: 503, so that the gateway repeats; receipts of one that repeats nothing are kept on
disk (`smsdesk/spool.py`) and acknowledged. Answered before sessions and languages are asked for, which cost a
receipt a tenth of its time. The only view exempt from CSRF.
"""

import time
from collections.abc import Callable
from hmac import compare_digest
from typing import TypeVar
from uuid import UUID

import structlog
from django.db import DataError, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from campaigns import known_accounts, receipts
from campaigns.known_accounts import Known
from campaigns.models import GatewayAccount
from inbound import receiving, replaying
from inbound.replaying import AWAY
from smsdesk import clock, measures, spool
from smsdesk.gateways.contract import Gateway, HookEvents, HookRefused, HookRequest

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

LARGEST = 64 * 1024  # bytes of a body
KINDS = ("status", "inbound")


@csrf_exempt
@require_POST
def hook(request: HttpRequest, account: UUID, secret: str, kind: str) -> HttpResponse:
    begun = time.monotonic()
    answer = _answered(request, account_id=account, secret=secret, kind=kind)
    measures.observe(
        kind if kind in KINDS else "other", status=answer.status_code, seconds=time.monotonic() - begun
    )
    return answer


# One place says what address this is: `reverse` reads it in `urls.py`, and the middleware asks it alone.
ADDRESS = path("hooks/<uuid:account>/<str:secret>/<str:kind>/", hook, name="hook")


class ProviderHooksMiddleware:
    """Answers what is for `hook` itself; behind `SecurityMiddleware`, so that http is redirected as elsewhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        found = ADDRESS.resolve(request.path_info[1:])
        if found is None:
            return self.get_response(request)
        answer = hook(request, **found.kwargs)
        answer["Content-Length"] = str(len(answer.content))  # else a proxy that speaks HTTP/1.0 must hang up
        return answer


def _answered(request: HttpRequest, *, account_id: UUID, secret: str, kind: str) -> HttpResponse:
    # Asked whether it still lives, a connection costs as much as the receipt itself; one that does not is replaced.
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return _answer(request, account_id=account_id, secret=secret, kind=kind)
    except HookRefused as refused:
        log.warning(
            "hook_refused", account=str(account_id), kind=kind, reason=refused.reason, status=refused.status
        )
        return _plain("The request was refused.", status=refused.status)
    except DataError:
        log.exception("hook_not_storable", account=str(account_id), kind=kind)
        return _plain("The request holds a value that cannot be stored.", status=400)
    except AWAY:
        log.exception("hook_without_database", account=str(account_id), kind=kind)
        return _plain("The database cannot be reached; send this again.", status=503)


def _answer(request: HttpRequest, *, account_id: UUID, secret: str, kind: str) -> HttpResponse:
    told = HookRequest.read(
        "POST",
        url=_url_as_received(request),
        path_args={"kind": kind},
        headers=dict(request.headers),
        body=_body(request),
    )
    known = _proven(told, account_id=account_id, secret=secret, kind=kind)
    events = _parsed(known.gateway, told)
    try:
        _twice(lambda: _store(known.account, events))
    except DataError:
        raise
    except AWAY as trouble:
        _keep(known, events, trouble)
    answer = known.gateway.acknowledge(told)
    return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)


def _proven(told: HookRequest, *, account_id: UUID, secret: str, kind: str) -> Known:
    """The account this request surely comes from; raises `HookRefused`."""
    try:
        known = _twice(lambda: known_accounts.find(account_id))
    except AWAY:
        known = known_accounts.remembered(account_id)
        if known is None:
            raise
        _check(told, known, secret=secret, kind=kind)
        return known
    try:
        return _check(told, known, secret=secret, kind=kind)
    except HookRefused:
        if known is None or known.is_fresh:
            raise
    return _check(told, known_accounts.read(account_id), secret=secret, kind=kind)


def _check(told: HookRequest, known: Known | None, *, secret: str, kind: str) -> Known:
    expected = known.account.hook_secret if known else "-" * 32
    if not compare_digest(secret.encode(), expected.encode()) or known is None or kind not in KINDS:
        raise HookRefused("unknown address", status=404)
    known.gateway.verify(told)
    return known


def _twice(ask: Callable[[], Answer]) -> Answer:
    """Once more on a new connection where the one at hand had died; whatever is asked here may be asked twice."""
    try:
        return ask()
    except AWAY as trouble:
        if isinstance(trouble, DataError) or connection.in_atomic_block or connection.is_usable():
            raise  # something else is the trouble: a value, a lock, a time-out
        connection.close()
    return ask()


def _body(request: HttpRequest) -> bytes:
    """At most `LARGEST` bytes are read, whatever the length claims."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdecimal() or len(declared) > 9 or int(declared) > LARGEST:
        raise HookRefused("too large", status=413)
    body = request.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise HookRefused("too large", status=413)
    return body


def _url_as_received(request: HttpRequest) -> str:
    """Path and query before anybody decoded them: that is what gateways sign."""
    raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI") or request.get_full_path()
    return str(raw)


def _parsed(gateway: Gateway, told: HookRequest) -> HookEvents:
    try:
        return gateway.parse(told)
    except (ValueError, RecursionError) as problem:
        raise HookRefused(f"not understood: {type(problem).__name__}", status=400) from problem


def _store(account: GatewayAccount, events: HookEvents) -> None:
    if events.receipts:
        receipts.record(account, events.receipts, now=timezone.now())
    if events.inbound:
        # One clock for all hosts: a STOP that a slow one heard must not count as older than the START before it.
        receiving.receive_all(account, events.inbound, now=clock.database_now())


def _keep(known: Known, events: HookEvents, trouble: Exception) -> None:
    """The database does not take it, and this gateway says everything once only: the disk keeps it.

    Receipts may be acknowledged then. A text may not: after the 2xx for a STOP no call may begin, and while the
    database is away nobody can promise that. It is kept all the same, in case nobody sends it again.
    """
    if known.gateway.capabilities.repeats_webhooks:
        raise trouble
    try:
        spool.keep(known.account.public_id, events, now=timezone.now())
    except OSError as full:
        log.error("spool_refused", trouble=str(full))
        raise trouble from full
    replaying.begin()
    if events.inbound:
        raise trouble


def _plain(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
