"""Request ids, structured logs, and input that no database can store refused before it reaches a view."""

import re
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from smsdesk import page_links, phones
from smsdesk.api import problems

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestIdMiddleware:
    """Every request has an id: the caller's `X-Request-Id` where it is harmless, else a new one; echoed."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-Id", "")
        harmless = 8 <= len(given) <= 64 and given.isascii() and given.replace("-", "").isalnum()
        request_id = given if harmless else uuid.uuid4().hex
        request.META["SMSDESK_REQUEST_ID"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class CleanInputMiddleware:
    """A NUL can be stored nowhere: in an address or query string 400, with the reason; a cookie is left out."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        query = request.META.get("QUERY_STRING", "")
        if "\x00" in request.path or "%00" in query or "\x00" in query:
            reason = "The address contains a NUL character. Remove it and try again."
            if request.path.startswith("/api/"):
                problem = problems.Problem(400, "nul_character", reason)
                return JsonResponse(
                    problems.body_of(problem, request), status=400, content_type=problems.CONTENT_TYPE
                )
            return HttpResponse(reason, status=400, content_type="text/plain; charset=utf-8")
        # Quoted as \000 in the header; the session's is looked up in the database.
        request.COOKIES = {name: value for name, value in request.COOKIES.items() if "\x00" not in value}
        return self.get_response(request)


class SmallBodyMiddleware:
    """A stranger's large request is refused before anything reads it: forms would write its files to the disk.

    After the session: who is signed in may upload. The API and the hooks know who asks before they read.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        is_large = not length.isdecimal() or len(length) > 15 or int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if is_large and not request.path.startswith(("/api/", "/hooks/")) and not request.user.is_authenticated:
            reason = "This is too large. Send less."
            return HttpResponse(reason, status=413, content_type="text/plain; charset=utf-8")
        return self.get_response(request)


def formatter() -> structlog.stdlib.ProcessorFormatter:
    """JSON lines for structlog's and the standard library's records alike."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],  # type: ignore[list-item]
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,  # type: ignore[arg-type]
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
            _redacted,  # type: ignore[list-item]  # it gets what the renderer made
        ],
    )


class NotStoredMiddleware:
    """What is answered to somebody signed in is kept by no browser and no proxy, pages and refusals alike."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            response["Cache-Control"] = "no-store, private"
        return response


_NUMBER = re.compile(r"\+\d{7,15}\b")
_HOOK_SECRET = re.compile(r"(/hooks/[^/\s\"]{1,40}/)[^/\s\"]+")


def _redacted(_logger: object, _name: str, line: str) -> str:
    """The last step of every line: libraries and databases quote addresses and values that are not for a log."""
    line = page_links.hidden(_HOOK_SECRET.sub(r"\1***", line))
    return _NUMBER.sub(lambda found: phones.mask(found[0]), line)
