"""The inbox. Every page works without script; with it, list and open thread keep themselves fresh.

Each view parses, calls one verb and shows the result; what somebody may not see is not found.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID, uuid4

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from inbound import conversations, desk_verbs, hold_queue, inbox, replies, sidebar, threads, unmatched
from inbound.models import Conversation, Draft
from smsdesk import public_ids, sms_text
from smsdesk.errors import DomainError, Invalid


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    user = _reader(request)
    return _page(request, {**_list(user, inbox.Filter.read(request.GET)), "title": "Inbox"})


@require_GET
def list_poll(request: HttpRequest) -> HttpResponse:
    """The list again, or 304 when it is as the page has it."""
    user = _reader(request)
    wanted = inbox.Filter.read(request.GET)
    tag = f'"{inbox.fingerprint(user, wanted)}"'
    if request.headers.get("If-None-Match") == tag:
        return _unchanged(tag)
    open_ref = sms_text.clean(request.GET.get("open", ""))[:40]
    response = render(request, "inbound/_list.html", {**_list(user, wanted), "open_ref": open_ref})
    response["ETag"] = tag
    return response


@require_GET
def thread(request: HttpRequest, ref: str) -> HttpResponse:
    return _thread_page(request, _conversation(request, ref))


@require_GET
def thread_poll(request: HttpRequest, ref: str) -> HttpResponse:
    """What is newer than the page has, or 304. Nothing on the page is replaced but states and the poll itself."""
    conversation = _conversation(request, ref)
    tag = f'"{threads.fingerprint(conversation)}"'
    if request.headers.get("If-None-Match") == tag:
        return _unchanged(tag)
    after = threads.Cursor.read(request.GET.get("after", ""))
    newer = threads.read(conversation, after=after)
    context = {
        "conversation": conversation,
        "thread": newer,
        "deliveries": threads.deliveries(conversation),
        "last_seen": replies.newest(conversation),
        "poll_headers": _condition(tag),
    }
    response = render(request, "inbound/_live.html", context)
    response["ETag"] = tag
    return response


@require_POST
def reply(request: HttpRequest, ref: str) -> HttpResponse:
    conversation = _conversation(request, ref)
    user = _allowed(request, "inbound.reply_conversation")
    text = request.POST.get("text", "")
    try:
        replies.send(
            conversation,
            author=user,
            text=text,
            last_seen=request.POST.get("last_seen", "")[:80],
            form_token=_form_token(request),
            now=timezone.now(),
        )
    except DomainError as problem:
        replies.keep_draft(conversation, author=user, text=text)
        return _thread_page(request, _conversation(request, ref), problem=problem)
    return redirect("inbox_thread", ref=ref)


@require_POST
def draft(request: HttpRequest, ref: str) -> HttpResponse:
    conversation = _conversation(request, ref)
    user = _allowed(request, "inbound.reply_conversation")
    replies.keep_draft(conversation, author=user, text=request.POST.get("text", ""))
    return HttpResponse(status=204)


@require_POST
def do(request: HttpRequest, ref: str, verb: str) -> HttpResponse:
    """One of the verbs of `inbound/desk_verbs.py`; afterwards the thread, with what went wrong if it did."""
    conversation = _conversation(request, ref)
    known = desk_verbs.VERBS.get(verb)
    if known is None:
        raise Http404
    user = _allowed(request, known.permission)
    try:
        said = known.act(conversation, user, request.POST, timezone.now())
    except DomainError as problem:
        messages.error(request, problem.sentence())
    else:
        messages.success(request, said or known.done)
    return redirect("inbox_thread", ref=ref)


def _thread_page(
    request: HttpRequest, conversation: Conversation, *, problem: DomainError | None = None
) -> HttpResponse:
    user = _reader(request)
    if conversation.is_unread and request.method == "GET":
        conversations.mark_read(conversation)
        conversation.refresh_from_db(fields=["is_unread", "version"])
    tag = f'"{threads.fingerprint(conversation)}"'
    context = {
        **_list(user, inbox.Filter.read(request.GET)),
        "title": f"Conversation with {conversation.contact.name or 'a contact'}",
        "conversation": conversation,
        "open_ref": conversation.ref,
        "thread": threads.read(conversation, shown=_shown(request)),
        "side": sidebar.read(conversation, reader=user, now=timezone.now()),
        "draft": _draft(conversation, user),
        "last_seen": replies.newest(conversation),
        "form_token": uuid4(),
        "poll_headers": _condition(tag),
        "problem": problem,
        "may_reply": user.has_perm("inbound.reply_conversation"),
        "may_opt_out": user.has_perm("contacts.opt_out_contact"),
        "may_review": user.has_perm("inbound.review_hold"),
    }
    return _page(request, context, status=problem.status if problem else 200)


def _page(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return render(
        request,
        "inbound/inbox.html",
        {**admin.site.each_context(request), "is_nav_sidebar_enabled": False, **context},
        status=status,
    )


def _list(user: User, wanted: inbox.Filter) -> dict[str, Any]:
    found, has_more = inbox.page(user, wanted)
    rows: list[Any] = list(found)
    now = timezone.now()
    for row in rows:
        row.shown_name = row.contact.name or sidebar.shown_phone(row.contact.phone, reader=user)
        if row.unmatched_since:
            row.clock = unmatched.clock(row, since=row.unmatched_since, now=now)
    return {
        "rows": rows,
        "wanted": wanted,
        "views": [(name, label, _with(wanted, view=name)) for name, label in inbox.VIEWS.items()],
        "states": inbox.STATES,
        "next_query": wanted.query(page=wanted.page + 1) if has_more else "",
        "list_query": wanted.query(page=wanted.page),
        "list_headers": _condition(f'"{inbox.fingerprint(user, wanted)}"'),
        "open_ref": "",
        "held": hold_queue.count() if user.has_perm("inbound.review_hold") else None,
    }


def _with(wanted: inbox.Filter, *, view: str) -> str:
    return inbox.Filter(view=view, state=wanted.state, search=wanted.search).query()


def _conversation(request: HttpRequest, ref: str) -> Conversation:
    """404 for one that is not there and for one this person may not see alike."""
    try:
        public_id = public_ids.parse(ref, prefix=Conversation.prefix)
    except Invalid as problem:
        raise Http404 from problem
    found = inbox.visible_to(_user(request)).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _draft(conversation: Conversation, user: User) -> str:
    kept = Draft.objects.filter(conversation=conversation, author=user).values_list("text", flat=True).first()
    return kept or ""


def _form_token(request: HttpRequest) -> UUID:
    given = request.POST.get("form_token", "")
    try:
        return UUID(given)
    except ValueError as problem:
        raise Invalid(
            "form_token",
            "The form is incomplete.",
            field="form_token",
            value=given[:40],
            cure="Load the page again; your draft is kept.",
        ) from problem


def _shown(request: HttpRequest) -> int:
    given = request.GET.get("shown", "")
    wanted = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else threads.SHOWN
    return max(1, min(wanted, threads.MOST_SHOWN))


def _reader(request: HttpRequest) -> User:
    return _allowed(request, "inbound.view_conversation")


def _allowed(request: HttpRequest, permission: str) -> User:
    user = _user(request)
    if not user.has_perm(permission):
        raise PermissionDenied
    return user


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _condition(tag: str) -> str:
    """What a fragment sends with its next poll; as JSON for htmx."""
    return json.dumps({"If-None-Match": tag})


def _unchanged(tag: str) -> HttpResponse:
    """304, with the word that keeps htmx from swapping in its empty body."""
    return HttpResponseNotModified(headers={"ETag": tag, "HX-Reswap": "none"})


def inside(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view as a page of the admin: signed-in staff only, never cached.

    A fragment asked for after the session ended gets a login link beside the page, which keeps what was typed;
    286 ends htmx's polling.
    """
    page = admin.site.admin_view(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        if request.headers.get("HX-Request") and not admin.site.has_permission(request):
            response = render(request, "inbound/_signed_out.html", status=286)
            response["HX-Reswap"] = "none"
            return response
        return page(request, *args, **named)

    return guarded
