"""What a segment may ask of a contact's messages: conditions on the ledger, each an EXISTS over its rows."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from campaigns.models import Campaign, OutboundMessage, TakenMessage
from contacts.segments import kinds, values
from contacts.segments.kinds import Kind, Operator, Values
from contacts.segments.moments import DAYS, IN_LAST, before
from contacts.segments.values import Param
from smsdesk import public_ids
from smsdesk.errors import Invalid

OFFERED = 200  # newest campaigns a form offers


def _campaign_options() -> list[tuple[str, str]]:
    launched = Campaign.objects.filter(launched_at__isnull=False).order_by("-id").values_list("pk", "name")
    return [(str(pk), name) for pk, name in launched[:OFFERED]]


def _ref(key: Any) -> Any:
    campaign = Campaign.objects.filter(pk=key).only("public_id").first()
    return campaign.ref if campaign else ""


def _key(ref: Any, field: str) -> Any:
    public_id = public_ids.parse(ref if isinstance(ref, str) else "", prefix="cmp", field=field)
    key = Campaign.objects.filter(public_id=public_id).values_list("pk", flat=True).first()
    if key is None:
        raise Invalid(
            "unknown_campaign", "There is no campaign of this id.", field=field, value=ref, cure="Check it."
        )
    return key


_CAMPAIGN = Param(
    "campaign",
    "Campaign",
    "choice",
    values.row_id,
    options=_campaign_options,
    is_required=False,
    hint="empty: any message",
    outward=_ref,
    inward=_key,
    what="id of a campaign; left out: any message",
)
_WITHIN = Param("days", "Within days", "number", values.days, is_required=False, hint="empty: ever")


def _messages(given: Values) -> "QuerySet[OutboundMessage]":
    """Those to this contact, of the campaign if one is named."""
    rows = OutboundMessage.objects.filter(contact=OuterRef("pk"))
    return rows.filter(campaign_id=given["campaign"]) if "campaign" in given else rows


def _taken(given: Values) -> "QuerySet[TakenMessage]":
    """The same of what gateways took: found by the moment, without walking through older ones."""
    rows = TakenMessage.objects.filter(contact=OuterRef("pk"))
    return rows.filter(message__campaign=given["campaign"]) if "campaign" in given else rows


def _since(rows: "QuerySet[Any]", column: str, given: Values, at: datetime) -> "QuerySet[Any]":
    """Rows whose moment in `column` is there and, with `days`, not longer ago."""
    rows = rows.filter(**{f"{column}__isnull": False})
    return rows.filter(**{f"{column}__gt": before(given, at)}) if "days" in given else rows


def _sent(given: Values, at: datetime) -> Q:
    return Q(Exists(_since(_taken(given), "accepted_at", given, at)))


def _delivered(given: Values, at: datetime) -> Q:
    return Q(Exists(_since(_taken(given), "delivered_at", given, at)))


def _replied(given: Values, at: datetime) -> Q:
    return Q(Exists(_since(_messages(given), "replied_at", given, at)))


def _ignored(given: Values, at: datetime) -> Q:
    """Was sent something and answered none of it."""
    sent = _since(_taken(given), "accepted_at", given, at)
    return Q(Exists(sent)) & ~Q(Exists(sent.filter(message__replied_at__isnull=False)))


def _opted_out(given: Values, at: datetime) -> Q:
    return Q(Exists(_since(_messages(given), "opted_out_at", given, at)))


def _never(given: Values, at: datetime) -> Q:
    return ~_sent({}, at)


_OPTIONAL = (_CAMPAIGN, _WITHIN)

kinds.register(
    Kind(
        "sent",
        "Was sent a message",
        "Behaviour",
        {
            "did": Operator("yes", _sent, _OPTIONAL),
            "did_not": Operator("no", lambda given, at: ~_sent(given, at), _OPTIONAL),
        },
    ),
    Kind(
        "delivered",
        "Received a message",
        "Behaviour",
        {
            "did": Operator("yes", _delivered, _OPTIONAL),
            "did_not": Operator("no", lambda given, at: ~_delivered(given, at), _OPTIONAL),
        },
    ),
    Kind(
        "replied",
        "Replied to a message",
        "Behaviour",
        {
            "did": Operator("yes", _replied, _OPTIONAL),
            "did_not": Operator("was sent one and did not", _ignored, _OPTIONAL),
        },
    ),
    Kind(
        "opted_out_after",
        "Opted out after a message",
        "Behaviour",
        {
            "did": Operator("yes", _opted_out, _OPTIONAL),
            "did_not": Operator("no", lambda given, at: ~_opted_out(given, at), _OPTIONAL),
        },
    ),
    Kind(
        "last_contacted",
        "Last sent a message",
        "Behaviour",
        {
            "in_last": Operator(IN_LAST, _sent, (DAYS,)),
            "not_in_last": Operator("not in the last … days, or never", lambda g, at: ~_sent(g, at), (DAYS,)),
            "more_than": Operator("more than … days ago", lambda g, at: _sent({}, at) & ~_sent(g, at), (DAYS,)),
            "never": Operator("never", _never),
        },
    ),
)
