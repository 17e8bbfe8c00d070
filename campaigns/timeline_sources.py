"""What the outbound ledger knows of a person's history."""

from collections.abc import Iterator

from django.urls import reverse

from campaigns import recipients, report_views
from campaigns.models import OutboundMessage, OutboundState
from contacts import timeline
from contacts.timeline import Asked, Entry

_LONGEST = 300  # characters of a text; the message's own page shows all


@timeline.source(kind="messages", permission=("campaigns.view_outboundmessage",))
def messages(asked: Asked) -> Iterator[Entry]:
    rows = OutboundMessage.objects.filter(subscriber_key__in=asked.keys)
    reads = asked.may("campaigns.view_message_body")
    for message in asked.page(rows.select_related("campaign", "sender__account"), at="created_at"):
        what = f"Campaign “{message.campaign.name}”" if message.campaign else message.get_kind_display()
        why = recipients.why(message, gateway=message.sender.account.kind)
        text = message.shown_text[:_LONGEST] if reads else ""
        yield Entry(
            at=message.created_at,
            id=message.pk,
            title=f"{what}, from {message.sender.value}",
            detail="\n".join(part for part in (why, text) if part),
            pill=message.get_state_display(),
            colour=report_views.MESSAGE_PILLS.get(OutboundState(message.state), "off"),
            url=reverse("admin:campaigns_outboundmessage_change", args=[message.pk]),
            ref=message.ref,
        )
