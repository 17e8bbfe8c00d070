"""What has happened before the newcomer comes: a campaign, a draft, conversations, one opt-out, one doubt."""

import uuid
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from campaigns.models import Campaign, CampaignState, OutboundState, Sender
from contacts import consent
from contacts.models import ConsentSource, Contact
from inbound import conversations
from inbound.models import Conversation, ConversationEventKind, Reply
from smsdesk.management import demo_messages
from smsdesk.management.demo_people import NOT_DELIVERED, REFUSED, Crowd

SALE = (
    "{{ brand }}: Hi {{ first_name | default: 'there' }}, 20 % off all autumn jackets until Sunday: "
    "https://acme.example/autumn Reply STOP to opt out"
)
LOYALTY = (
    "{{ brand }}: {{ first_name | default: 'Hello' }}, you have {{ attributes.points | default: '0' }} points. "
    "Show this text in the store for a free coffee. Reply STOP to opt out"
)
STOPPED, ASKED, WAITING, DOUBTFUL, ANSWERED = 3, 5, 8, 11, 14  # places in the newsletter


def seed(crowd: Crowd, *, sender: Sender, marketer: User, agent: User, now: datetime) -> None:
    sold_at = (now - timedelta(days=4)).replace(hour=15, minute=2, second=0, microsecond=0)
    _finished(crowd, sender=sender, by=marketer, at=sold_at)
    _draft(crowd, sender=sender, by=marketer, now=now)
    people = crowd.newsletter
    _opted_out(people[STOPPED], sender, at=sold_at + timedelta(minutes=9))
    _answered(people[ANSWERED], sender, agent=agent, at=now - timedelta(days=2, hours=4))
    _asks(people[WAITING], sender, ("Do the jackets come in XL?",), at=now - timedelta(hours=5))
    _doubtful(people[DOUBTFUL], sender, at=now - timedelta(hours=3))
    words = ("Hi, my order 1182 has not arrived yet.", "It was promised for Tuesday. Can you check?")
    _asks(people[ASKED], sender, words, at=now - timedelta(minutes=22), agent=agent)


# --- Campaigns -------------------------------------------------------------------------------------------


def _finished(crowd: Crowd, *, sender: Sender, by: User, at: datetime) -> None:
    campaign = Campaign.objects.create(
        name="Autumn jackets",
        brand=sender.brand,
        sender=sender,
        body=SALE,
        state=CampaignState.FINISHED,
        created_by=by,
        launched_at=at,
        prepared_at=at + timedelta(seconds=1),
        finished_at=at + timedelta(seconds=14),
        audience_size=len(crowd.newsletter) + len(crowd.store),
        cut_through=crowd.store[-1].pk,
    )
    Campaign.objects.filter(pk=campaign.pk).update(created_at=at - timedelta(hours=2))
    campaign.include.set([crowd.newsletter_list, crowd.store_list])
    for index, person in enumerate(crowd.newsletter):
        _sold(person, campaign, index, at=at + timedelta(seconds=1 + index / 4))
    for person in crowd.store:
        demo_messages.said(
            person, sender, "", at=at, kind="campaign", purpose="marketing", campaign=campaign,
            state=OutboundState.SKIPPED, code="CONSENT_WRONG_PURPOSE",
            verdict={"outcome": "blocked", "code": "CONSENT_WRONG_PURPOSE", "purposes": "transactional",
                     "purpose": "marketing"},
        )  # fmt: skip


def _sold(person: Contact, campaign: Campaign, index: int, *, at: datetime) -> None:
    sender = campaign.sender
    assert sender is not None
    text = (
        f"Acme: Hi {person.name.split()[0]}, 20 % off all autumn jackets until Sunday: "
        "https://acme.example/autumn Reply STOP to opt out"
    )
    facts: dict[str, object] = {"verdict": {"outcome": "allowed", "code": "OK"}}
    state = OutboundState.DELIVERED
    if person.phone == NOT_DELIVERED:
        state, facts["error_code"], facts["error_class"] = OutboundState.UNDELIVERED, "27", "recipient"
    elif person.phone == REFUSED:
        state, facts["error_code"], facts["error_class"] = OutboundState.REJECTED, "351", "recipient"
        facts["code"] = "351"
    if index in (ASKED, WAITING, ANSWERED):
        facts["replied_at"] = at + timedelta(hours=1)
    if index == STOPPED:
        facts["replied_at"] = facts["opted_out_at"] = at + timedelta(minutes=9)
    demo_messages.said(
        person, sender, text, at=at, kind="campaign", purpose="marketing", campaign=campaign, state=state, **facts
    )


def _draft(crowd: Crowd, *, sender: Sender, by: User, now: datetime) -> None:
    draft = Campaign.objects.create(
        name="Free coffee for points", brand=sender.brand, sender=sender, body=LOYALTY, created_by=by
    )
    draft.include.set([crowd.newsletter_list])


# --- People who wrote ------------------------------------------------------------------------------------


def _opted_out(person: Contact, sender: Sender, *, at: datetime) -> None:
    text = demo_messages.heard(person, sender, "STOP", at=at)
    proof = consent.Proof(wording="", method="text", act="texted STOP", inbound_id=text.public_id)
    consent.opt_out(
        person, brand=sender.brand, source=ConsentSource.TEXT, occurred_at=at, now=at, note="STOP", proof=proof
    )
    confirmation = sender.brand.stop_reply.replace("{brand}", sender.brand.name)
    demo_messages.said(
        person, sender, confirmation, at=at + timedelta(seconds=1), kind="automatic", purpose="compliance",
        compliance_kind="optout_confirm",
    )  # fmt: skip


def _asks(
    person: Contact, sender: Sender, texts: tuple[str, ...], *, at: datetime, agent: User | None = None
) -> Conversation:
    for index, text in enumerate(texts):
        said_at = at + timedelta(minutes=2 * index)
        message = demo_messages.heard(person, sender, text, at=said_at)
        conversation = conversations.hear(message, contact=person, sender=sender, now=said_at)
    if agent is not None:
        conversations.assign(conversation, to=agent, by=agent, now=at + timedelta(minutes=5))
    return conversation


def _answered(person: Contact, sender: Sender, *, agent: User, at: datetime) -> None:
    conversation = _asks(person, sender, ("Is the Zagreb store open on Sunday?",), at=at, agent=agent)
    answer = demo_messages.said(
        person, sender, "Yes, from 10 to 14. See you there! Ivana", at=at + timedelta(minutes=7), kind="reply",
        purpose="conversational",
    )  # fmt: skip
    Reply.objects.create(
        conversation=conversation,
        message=answer,
        author=agent,
        created_at=answer.created_at,
        form_token=uuid.uuid4(),
    )
    conversations.answered(conversation, now=answer.created_at)
    thanks = demo_messages.heard(person, sender, "Great, thank you!", at=at + timedelta(minutes=9))
    conversations.hear(thanks, contact=person, sender=sender, now=at + timedelta(minutes=9))
    conversation.refresh_from_db()
    conversations.resolve(conversation, by=agent, now=at + timedelta(minutes=15))


def _doubtful(person: Contact, sender: Sender, *, at: datetime) -> None:
    """May be an opt-out: held until somebody reads it."""
    text = demo_messages.heard(person, sender, "I have had enough of these", at=at)
    consent.hold(person, brand=sender.brand, inbound_id=text.public_id, said_at=at, now=at)
    conversations.hear(text, contact=person, sender=sender, now=at)
    conversations.tell(person, sender=sender, kind=ConversationEventKind.HELD, detail="may be an opt-out", now=at)
