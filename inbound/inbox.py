"""The inbox's list: who sees which threads, the filters, and what says that nothing has changed."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Substr

from contacts.models import Hold
from inbound import unmatched
from inbound.conversations import UNRESOLVED
from inbound.models import Conversation, ConversationState, InboundMessage
from smsdesk import phones, sms_text

PAGE = 40
LAST_PAGE = 100
VIEWS = {"mine": "Mine", "unassigned": "Unassigned", "all": "All"}
STATES = {
    "unresolved": "Open and waiting",
    "open": "Open",
    "pending": "Waiting for the customer",
    "resolved": "Resolved",
    "any": "Every state",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list shows; anything unknown in the address falls back to the default."""

    view: str = "all"
    state: str = "unresolved"
    search: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Any) -> "Filter":
        view, state, page = query.get("view", ""), query.get("state", ""), query.get("page", "")
        return cls(
            view=view if view in VIEWS else "all",
            state=state if state in STATES else "unresolved",
            search=sms_text.clean(query.get("q", "")).strip()[:60],
            page=min(int(page), LAST_PAGE) if page.isascii() and page.isdigit() and 0 < len(page) < 5 else 1,
        )

    def query(self, *, page: int = 1) -> str:
        """The address's query for this filter."""
        named = {"view": self.view, "state": self.state, "q": self.search, "page": str(page) if page > 1 else ""}
        return urlencode({name: value for name, value in named.items() if value})


def visible_to(user: User) -> QuerySet[Conversation]:
    """The conversations this person may see; everything in the inbox starts here."""
    if not user.has_perm("inbound.view_conversation"):
        return Conversation.objects.none()
    return Conversation.objects.select_related("contact", "sender__brand", "assigned_to")


def matching(user: User, wanted: Filter) -> QuerySet[Conversation]:
    rows = visible_to(user)
    if wanted.view == "mine":
        rows = rows.filter(assigned_to=user)
    elif wanted.view == "unassigned":
        rows = rows.filter(assigned_to=None)
    if wanted.state == "unresolved":
        rows = rows.filter(state__in=UNRESOLVED)
    elif wanted.state != "any":
        rows = rows.filter(state=ConversationState(wanted.state))
    return rows.filter(_named(wanted.search, reader=user)) if wanted.search else rows


def page(user: User, wanted: Filter) -> tuple[list[Conversation], bool]:
    """The conversations of one page, latest first, each with its `preview`; and whether more follow.

    `is_held`: a text may be an opt-out; `unmatched_since`: a reply to marketing waits to be dealt with.
    """
    latest = InboundMessage.objects.filter(conversation=OuterRef("pk")).order_by("-id")
    rows = matching(user, wanted).annotate(preview=Subquery(latest.values(said=Substr("text", 1, 90))[:1]))
    start = (wanted.page - 1) * PAGE
    rows = rows.annotate(
        is_held=Exists(Hold.objects.filter(subscriber_key=OuterRef("contact__subscriber_key"), closed_at=None)),
        unmatched_since=Subquery(unmatched.replies().values("received_at")[:1]),
    )
    found: list[Any] = list(rows.order_by("-last_activity_at", "-id")[start : start + PAGE + 1])
    return found[:PAGE], len(found) > PAGE


def fingerprint(user: User, wanted: Filter) -> str:
    """Changes whenever anything the list shows changes; one query, nothing rendered."""
    seen = matching(user, wanted).aggregate(n=Count("id"), at=Max("last_activity_at"), changes=Sum("version"))
    return f"{seen['n']}-{seen['changes'] or 0}-{seen['at'].timestamp() if seen['at'] else 0}-{wanted.page}"


def _named(search: str, *, reader: User) -> Q:
    """By name or number; who sees it masked must know all of it, or the end that is shown."""
    named = Q(contact__name__icontains=search)
    digits = "".join(c for c in search if c.isdecimal() and c.isascii())
    if len(digits) < 3:
        return named
    if reader.has_perm("contacts.view_full_phone"):
        return named | Q(contact__phone__contains=digits)
    known = (
        Q(contact__phone__endswith=digits) if len(digits) == phones.SHOWN_END else Q(contact__phone=f"+{digits}")
    )
    return named | known
