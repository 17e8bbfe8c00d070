"""A POST that carries an `Idempotency-Key` happens once, however often it is sent.

The work and its stored answer are one transaction, so a crash leaves neither; the key alone is claimed before. An
attempt that never ends is taken over after a minute, and its token keeps a late first attempt from committing.
"""

import functools
import hashlib
import json
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from smsdesk import expiry
from smsdesk.api import keys
from smsdesk.api.problems import CONTENT_TYPE, Problem
from smsdesk.errors import DomainError
from smsdesk.models import IdempotentAnswer

ATTEMPT = timedelta(seconds=60)
# These depend on the moment, not on the request: the same request may succeed later, so they are not kept.
NOT_FINAL = {401, 403, 408, 409, 425, 429}

Handler = Callable[..., Response]
Scope = Callable[[], AbstractContextManager[Any]]


def once(handler: Handler) -> Handler:
    """Make this POST of a view atomic, and repeatable under an `Idempotency-Key`."""
    return _guarded(handler, scope=transaction.atomic)


def once_apart(handler: Handler) -> Handler:
    """The same for work too long for one transaction, such as storing a file.

    A crash between the work and its answer lets a repeat do it again: only for what does no harm done twice.
    """
    return _guarded(handler, scope=nullcontext)


def _guarded(handler: Handler, *, scope: Scope) -> Handler:
    @functools.wraps(handler)
    def guarded(view: Any, request: Request, *arguments: Any, **named: Any) -> Response:
        if key_of(request) is None:
            with scope():
                return handler(view, request, *arguments, **named)
        claimed = _claim(request, now=timezone.now())
        if claimed.status is not None:
            return _replay(claimed)
        work = functools.partial(handler, view, request, *arguments, **named)
        return _attempt(claimed, view, work, scope=scope)

    guarded.is_idempotent = True  # type: ignore[attr-defined]  # read by smsdesk/api/schema.py
    return guarded


def key_of(request: Request) -> str | None:
    """The request's `Idempotency-Key`, or None."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if 1 <= len(key) <= 255 and key.isascii() and key.isprintable():
        return key
    raise Problem(400, "invalid_idempotency_key", "An Idempotency-Key has 1 to 255 printable ASCII characters.")


def ledger_key(request: Request) -> str | None:
    """What makes a message of this request unique in the ledger, or None: keys of two API keys never meet."""
    key = key_of(request)
    return None if key is None else f"{keys.of(request).prefix}:{key}"


def _attempt(
    claimed: IdempotentAnswer, view: Any, work: Callable[[], Response], *, scope: Scope = transaction.atomic
) -> Response:
    is_kept = False
    try:
        with scope():
            response = work()
            is_kept = _keep(claimed, response)
            if not is_kept:
                raise _in_progress()
        return response
    except (DomainError, APIException, Http404, PermissionDenied) as error:
        refusal: Response = view.handle_exception(error)
        is_kept = refusal.status_code not in NOT_FINAL and _keep(claimed, refusal)
        return refusal
    finally:
        if not is_kept:
            IdempotentAnswer.objects.filter(pk=claimed.pk, token=claimed.token, status=None).delete()


def _claim(request: Request, *, now: datetime) -> IdempotentAnswer:
    """This request's row: fresh and ours (`status` None), or answered; raises where it is somebody else's."""
    digest = _digest(request)
    token = uuid.uuid4()
    row, is_new = IdempotentAnswer.objects.get_or_create(
        api_key=keys.of(request),
        key=key_of(request),
        defaults={"request_sha256": digest, "token": token, "started_at": now},
    )
    if is_new:
        return row
    if row.created_at > now - expiry.ANSWERS_KEPT:
        if row.request_sha256 != digest:
            raise Problem(
                422, "idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new one."
            )
        if row.status is not None:
            return row
        if row.started_at > now - ATTEMPT:
            raise _in_progress()
    return _take_over(row, digest=digest, token=token, now=now)


def _take_over(row: IdempotentAnswer, *, digest: str, token: uuid.UUID, now: datetime) -> IdempotentAnswer:
    is_ours = IdempotentAnswer.objects.filter(pk=row.pk, token=row.token, status=row.status).update(
        request_sha256=digest, token=token, started_at=now, created_at=now, status=None, body=""
    )
    if not is_ours:
        raise _in_progress()
    row.refresh_from_db()
    return row


def _keep(claimed: IdempotentAnswer, response: Response) -> bool:
    body = JSONRenderer().render(response.data).decode()
    return bool(
        IdempotentAnswer.objects.filter(pk=claimed.pk, token=claimed.token, status=None).update(
            status=response.status_code, body=body
        )
    )


def _replay(row: IdempotentAnswer) -> Response:
    return Response(
        json.loads(row.body) if row.body else None,
        status=row.status,
        headers={"Idempotent-Replayed": "true"},
        content_type=CONTENT_TYPE if row.status is not None and row.status >= 400 else None,
    )


def _digest(request: Request) -> str:
    digest = hashlib.sha256(f"{request.method}\n{request.get_full_path()}\n".encode())
    if (request.content_type or "").startswith("multipart/"):
        # Not the body: each time it is sent its parts are divided by another line.
        parts: Any = request.data
        for name, part in sorted(parts.items()):
            is_file = isinstance(part, UploadedFile)
            digest.update(f"{name}\n{part.name if is_file else part}\n".encode("utf-8", "surrogatepass"))
            for piece in part.chunks() if is_file else ():
                digest.update(piece)
    else:
        digest.update(request._request.body)
    return digest.hexdigest()


def _in_progress() -> Problem:
    return Problem(
        409,
        "request_in_progress",
        "A request with this Idempotency-Key is still being worked on. Ask again in a moment.",
        headers={"Retry-After": "1"},
    )
