"""What machines ask: `/healthz` (is this process alive), `/readyz` (may it get requests), `/metrics` (how is it).

Answered before anything else looks at the request, because a probe comes by address, over http, without a session.
"""

from collections.abc import Callable
from hmac import compare_digest
from ipaddress import ip_address

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from campaigns import metrics

log = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ProbesMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._probes = {"/healthz": healthz, "/readyz": readyz, "/metrics": read_metrics}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = self._probes.get(request.path_info)
        if probe is None:
            return self.get_response(request)
        answer = probe(request) if request.method in ("GET", "HEAD") else _plain("Ask by GET.", status=405)
        answer["Cache-Control"] = "no-store"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer


def healthz(_request: HttpRequest) -> HttpResponse:
    """This process answers. No database is asked: restarting the process would not bring it back."""
    return _plain("alive\n", status=200)


def readyz(_request: HttpRequest) -> HttpResponse:
    """The database answers and has the tables this code expects."""
    try:
        missing = _missing_migrations()
    except (DatabaseError, InterfaceError):
        log.warning("not_ready", why="database")
        connection.close()
        return _plain("The database cannot be reached.\n", status=503)
    if missing:
        return _plain("The database is not up to date. Run: python manage.py migrate\n", status=503)
    return _plain("ready\n", status=200)


_is_migrated = False  # once true it stays so: the code of a process does not change


def _missing_migrations() -> bool:
    global _is_migrated
    if _is_migrated:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return False
    executor = MigrationExecutor(connection)
    _is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return not _is_migrated


def read_metrics(request: HttpRequest) -> HttpResponse:
    if not _may_read_metrics(request):
        return _plain("Not found.\n", status=404)
    return HttpResponse(metrics.text(), content_type=metrics.CONTENT_TYPE)


def _may_read_metrics(request: HttpRequest) -> bool:
    """Whoever knows the token; where none is set, this machine, but not through a proxy on it."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return compare_digest(given.encode("utf-8", "replace"), f"Bearer {settings.METRICS_TOKEN}".encode())
    if any(name in request.headers for name in ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip")):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return request.META.get("REMOTE_ADDR") == ""  # a socket of this machine


def _plain(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
