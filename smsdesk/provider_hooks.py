"""The front door for gateways: `/hooks/<account>/<secret>/<status|inbound>/`.

Proof first (the secret in the address, then the adapter's own check), then store, then acknowledge: 2xx means it is
committed. The database away: 503, so that the gateway repeats. The only views exempt from CSRF.
"""

from hmac import compare_digest
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from campaigns import accounts, receipts
from campaigns.models import GatewayAccount
from inbound import receiving
from smsdesk.gateways.contract import Gateway, HookEvents, HookRefused, HookRequest

log = structlog.get_logger(__name__)

LARGEST = 64 * 1024  # bytes of a body
KINDS = ("status", "inbound")


@csrf_exempt
@require_POST
def hook(request: HttpRequest, account: UUID, secret: str, kind: str) -> HttpResponse:
    try:
        return _answer(request, account_id=account, secret=secret, kind=kind)
    except HookRefused as refused:
        log.warning("hook_refused", account=str(account), kind=kind, reason=refused.reason, status=refused.status)
        return _plain("The request was refused.", status=refused.status)
    except (OperationalError, InterfaceError):
        log.exception("hook_without_database", account=str(account), kind=kind)
        return _plain("The database cannot be reached; send this again.", status=503)
    except DatabaseError:
        log.exception("hook_not_storable", account=str(account), kind=kind)
        return _plain("The request holds a value that cannot be stored.", status=400)


def _answer(request: HttpRequest, *, account_id: UUID, secret: str, kind: str) -> HttpResponse:
    body = _body(request)
    account = GatewayAccount.objects.filter(public_id=account_id).first()
    expected = account.hook_secret if account else "-" * 32
    if not compare_digest(secret.encode(), expected.encode()) or account is None or kind not in KINDS:
        raise HookRefused("unknown address", status=404)
    gateway = accounts.gateway(account)
    told = HookRequest.read(
        "POST",
        url=_url_as_received(request),
        path_args={"kind": kind},
        headers=dict(request.headers),
        body=body,
    )
    gateway.verify(told)
    _store(account, _parsed(gateway, told))
    answer = gateway.acknowledge(told)
    return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)


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
    now = timezone.now()
    if events.receipts:
        receipts.record(account, events.receipts, now=now)
    if events.inbound:
        receiving.receive_all(account, events.inbound, now=now)


def _plain(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
