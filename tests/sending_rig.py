"""A small campaign that is ready to send, and the steps of a batch without the network."""

from datetime import UTC, datetime, timedelta

from campaigns import batch, lanes, recording, sending
from campaigns import snapshot as snapshots
from campaigns.models import Campaign, CampaignState, Lane, MessageKind, OutboundMessage, Priority, Sender
from contacts import consent
from contacts.models import Basis, ConsentSource, Contact, ContactList, ListMembership, Purpose
from smsdesk.gateways import errors
from smsdesk.gateways.contract import SubmitItem, SubmitResult
from tests import factories

LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)
PROOF = consent.Proof(wording="Acme: text JOIN to get news", method="keyword", act="texted JOIN")


def agreed(contact: Contact, sender: Sender, *purposes: Purpose) -> Contact:
    """With provable consent to `purposes`, transactional by default: no quiet hours."""
    consent.opt_in(
        contact,
        brand=sender.brand,
        purposes=purposes or (Purpose.TRANSACTIONAL,),
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.TEXT,
        proof=PROOF,
        occurred_at=LONG_AGO,
        now=LONG_AGO + timedelta(seconds=1),
    )
    return contact


def campaign(people: int = 3, **over) -> Campaign:
    """In `sending`, its snapshot taken."""
    sender = over.pop("sender", None) or factories.sender()
    group = ContactList.objects.create(name=f"List {ContactList.objects.count()}")
    for _ in range(people):
        ListMembership.objects.create(list=group, contact=agreed(factories.contact(name="Ana Lee"), sender))
    made = Campaign.objects.create(
        **{
            "name": "News",
            "brand": sender.brand,
            "sender": sender,
            "purpose": Purpose.TRANSACTIONAL,
            "body": "Hi {{ first_name }}, your order is ready.",
            "state": CampaignState.PREPARING,
            **over,
        }
    )
    made.include.add(group)
    snapshot(made)
    Campaign.objects.filter(pk=made.pk).update(state=CampaignState.SENDING, prepared_at=LONG_AGO)
    made.refresh_from_db()
    return made


def reply(sender: Sender) -> OutboundMessage:
    """An agent's answer that waits to leave."""
    return sending.queue(
        agreed(factories.contact(), sender),
        sender=sender,
        text="We are open until six.",
        purpose=Purpose.CONVERSATIONAL,
        kind=MessageKind.REPLY,
        priority=Priority.URGENT,
        now=LONG_AGO,
    )


def snapshot(made: Campaign) -> None:
    snapshots.take(made, now=LONG_AGO)


def win(sender: Sender) -> list[lanes.Won]:
    """Its first lane, won for one batch."""
    won = lanes.win([Lane.objects.filter(sender=sender).earliest("number").pk])
    assert won
    return won


def candidates() -> list[int]:
    return [one.lane_id for one in lanes.candidates()]


def items(submitted: batch.Submitted) -> list[SubmitItem]:
    return submitted.items()


def free(sender: Sender) -> None:
    """As if its lease had lapsed and its pace had passed."""
    Lane.objects.filter(sender=sender).update(lease_until=LONG_AGO, next_free_at=LONG_AGO)


def submit(sender: Sender) -> tuple[list[lanes.Won], batch.Batch, batch.Submitted | None]:
    won = win(sender)
    work = batch.read(won)
    return won, work, batch.submit(work)


def record(won, work, submitted, *, outcome="accepted", error: errors.GatewayError | None = None) -> None:
    results = [
        SubmitResult(
            reference=item.reference,
            outcome=outcome,
            gateway_id=f"gw-{item.reference.hex[:12]}" if outcome == "accepted" else "",
            error=error,
        )
        for item in items(submitted)
    ]
    recording.record(results, submitted.rows, work=work)


def states(made: Campaign) -> list[str]:
    return sorted(OutboundMessage.objects.filter(campaign=made).values_list("state", flat=True))
