"""Every refusal of the API is one RFC 9457 problem with a stable `code`: here errors become answers."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from smsdesk.errors import DomainError

CONTENT_TYPE = "application/problem+json"
log = logging.getLogger(__name__)

Fault = dict[str, str]


class Problem(exceptions.APIException):
    """A refusal of the API itself (key, paging, repeats …), as opposed to one of the rules below it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        pointer: str | None = None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.text = detail
        self.faults = [*faults]
        if pointer is not None:
            self.faults.append({"pointer": pointer, "code": code, "detail": detail})
        self.headers = dict(headers or {})


def answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's exception handler. None means: a fault of ours, which Django logs and answers with 500."""
    problem = _problem_of(error)
    if problem is None:
        return None
    body = body_of(problem, context["request"])
    return Response(body, status=problem.status_code, headers=problem.headers, content_type=CONTENT_TYPE)


def body_of(problem: Problem, request: Request | HttpRequest) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(problem.status_code).phrase,
        "status": problem.status_code,
        "code": problem.code,
        "detail": _printable(problem.text),
        "errors": [{name: _printable(value) for name, value in fault.items()} for fault in problem.faults],
        "request_id": request.META.get("SMSDESK_REQUEST_ID", ""),
    }


def pointer_to(*steps: str | int) -> str:
    """The JSON pointer (RFC 6901) of a place in the body; "" is the whole body."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _problem_of(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, DomainError):
        return _of_domain(error)
    if isinstance(error, exceptions.ValidationError):
        return Problem(400, "invalid", "The request has errors; see `errors`.", faults=list(_faults(error.detail)))
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    if isinstance(error, Http404):
        return Problem(404, "not_found", "There is nothing here that this key may see.")
    if isinstance(error, PermissionDenied):
        return Problem(403, "forbidden", "This key may not do that.")
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "too_large", "The body is too large.")
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return Problem(400, "unreadable", "The request could not be read to its end. Send it again.")
    if isinstance(error, OperationalError | InterfaceError | InternalError):
        # The database is locked, restarting or out of connections, or has ended a transaction that stood idle too
        # long ("internal"): nothing was changed, and later it will work.
        log.exception("database not available for an API request")
        return Problem(503, "busy", "The desk is busy. Try again in a moment.", headers={"Retry-After": "2"})
    return None


def _of_domain(error: DomainError) -> Problem:
    faults: list[Fault] = []
    if error.field:
        pointer = pointer_to(*error.field.split("."))
        faults.append({"pointer": pointer, "code": error.code, "detail": error.sentence()})
    return Problem(error.status, error.code, error.sentence(), faults=faults)


def _of_framework(error: exceptions.APIException) -> Problem:
    headers: dict[str, str] = {}
    challenge = getattr(error, "auth_header", None)  # set by REST framework on a 401
    if challenge:
        headers["WWW-Authenticate"] = challenge
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else "error"
    return Problem(error.status_code, code, str(error.detail), headers=headers)


def _faults(detail: Any, *steps: str | int) -> Iterator[Fault]:
    """Flatten REST framework's nested errors into pointers."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            here = steps if name == api_settings.NON_FIELD_ERRORS_KEY else (*steps, name)
            yield from _faults(inner, *here)
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _faults(inner, *((*steps, position) if nested else steps))
    else:
        code = getattr(detail, "code", "invalid")
        yield {"pointer": pointer_to(*steps), "code": str(code), "detail": str(detail)}


def _printable(text: str) -> str:
    """What the client sent may come back in a sentence; a lone surrogate cannot be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
