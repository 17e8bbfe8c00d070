"""What follows from an inbound text. Order: opt-out, opt-in and help; then doubt; then keywords; then people.

Everything happens in the caller's transaction, under the contact's lock.
"""

from datetime import datetime

from django.db.models import Q

from campaigns import receipts, sending
from campaigns.models import Sender
from contacts import consent
from contacts.models import Basis, ConsentSource, ConsentState, Contact, Purpose, Suppression
from contacts.standing import EVERY
from inbound import automatic, conversations, intent, keywords, signing_up
from inbound.models import ConversationEventKind, InboundMessage, Intent, Keyword, KeywordAction, SignUp
from smsdesk import failpoints


def act(
    message: InboundMessage, *, contact: Contact, sender: Sender, hint: str, is_answered: bool, now: datetime
) -> None:
    """`hint`: what the gateway took the text for; `is_answered`: it has replied to that itself."""
    reading = _read(message, contact=contact, sender=sender, hint=hint, now=now)
    keyword = keywords.find(message.text, sender=sender) if reading.intent == Intent.NONE else None
    _note_down(message, reading, keyword)
    if reading.is_certain and reading.intent == Intent.OPT_OUT:
        _opt_out(message, contact=contact, sender=sender, is_answered=is_answered, now=now)
        return
    _remember_contact(message, contact=contact, now=now)
    if reading.intent == Intent.OPT_OUT:
        _hold(message, contact=contact, sender=sender, now=now)
    elif reading.intent == Intent.OPT_IN:
        _opt_in(message, contact=contact, sender=sender, reading=reading, is_answered=is_answered, now=now)
    elif reading.intent == Intent.HELP:
        conversations.attach(message, contact=contact, sender=sender, now=now)
        if not is_answered:
            text = automatic.wording(sender.brand.help_reply, brand=sender.brand)
            automatic.compliance(contact, sender=sender, kind=automatic.HELP, text=text, now=now)
    elif keyword:
        _keyword(message, keyword, contact=contact, sender=sender, now=now)
    else:
        conversations.hear(message, contact=contact, sender=sender, now=now)


def _read(message: InboundMessage, *, contact: Contact, sender: Sender, hint: str, now: datetime) -> intent.Reading:
    """Our own list is the authority; a gateway that blocks a phone is believed all the same."""
    reading = intent.read(message.text)
    if hint == "stop" and not (reading.intent == Intent.OPT_OUT and reading.is_certain):
        return intent.Reading(Intent.OPT_OUT, intent.EXACT, "gateway blocked it")
    if reading.intent == Intent.NONE:
        confirmed = intent.read(message.text, pending_confirmation=True)
        if (
            confirmed.intent == Intent.OPT_IN
            and not _has_refused(contact, sender)
            and (automatic.awaits_yes(contact, brand=sender.brand, now=now) or _sign_up(message, contact, sender))
        ):
            return confirmed
    return reading


def _note_down(message: InboundMessage, reading: intent.Reading, keyword: Keyword | None) -> None:
    message.intent, message.confidence, message.rule = reading.intent, reading.confidence, reading.rule[:60]
    message.keyword = keyword
    message.save(update_fields=["intent", "confidence", "rule", "keyword"])


def _remember_contact(message: InboundMessage, *, contact: Contact, now: datetime) -> None:
    """An inbound text opens the 24 h in which we may answer; it grants nothing else."""
    rows = Contact.objects.filter(pk=contact.pk)
    rows.filter(Q(last_inbound_at=None) | Q(last_inbound_at__lt=message.occurred_at)).update(
        last_inbound_at=message.occurred_at
    )
    if message.answers:
        receipts.record_reply(message.answers, now=now, opted_out=False)


def _opt_out(
    message: InboundMessage, *, contact: Contact, sender: Sender, is_answered: bool, now: datetime
) -> None:
    failpoints.hit("stop.locked")
    consent.opt_out(
        contact,
        brand=sender.brand,
        source=ConsentSource.TEXT,
        occurred_at=message.occurred_at,
        now=now,
        note=message.rule,
        proof=_proof(message, wording=""),
    )
    if not _is_suppressed(contact, sender):
        return  # an older STOP that came late: the START after it stands
    sending.cancel_opted_out(contact, brand=sender.brand, now=now)
    signing_up.withdraw(contact, brand=sender.brand, now=now)
    if message.answers:
        receipts.record_reply(message.answers, now=now, opted_out=True)
    conversations.attach(message, contact=contact, sender=sender, now=now)
    conversations.tell(contact, sender=sender, kind=ConversationEventKind.OPTED_OUT, detail=message.rule, now=now)
    if not is_answered:
        text = automatic.wording(sender.brand.stop_reply, brand=sender.brand)
        automatic.compliance(contact, sender=sender, kind=automatic.STOP, text=text, now=now)
    failpoints.hit("stop.before_commit")


def _opt_in(
    message: InboundMessage,
    *,
    contact: Contact,
    sender: Sender,
    reading: intent.Reading,
    is_answered: bool,
    now: datetime,
) -> None:
    """START lifts what STOP suppressed; marketing needs written consent from before, or YES to our question."""
    brand = sender.brand
    is_yes = reading.rule.startswith("confirmed")
    sign_up = _sign_up(message, contact, sender) if is_yes else None
    if sign_up:
        signing_up.join(sign_up, message, contact=contact, now=now)
    elif is_yes:
        _take_yes(message, contact=contact, sender=sender, now=now)
    else:
        proof = _proof(message, wording=automatic.wording(brand.stop_reply, brand=brand))
        consent.resume(contact, brand=brand, proof=proof, occurred_at=message.occurred_at, now=now)
    if _is_suppressed(contact, sender):
        # A complaint or an employee's word stands; or a STOP was sent after this START.
        conversations.hear(message, contact=contact, sender=sender, now=now)
        return
    conversations.attach(message, contact=contact, sender=sender, now=now)
    conversations.tell(contact, sender=sender, kind=ConversationEventKind.OPTED_IN, detail=message.rule, now=now)
    if sign_up:
        signing_up.welcome(sign_up, contact=contact, now=now)
    elif not _has_written_consent(contact, sender):
        text = automatic.wording(automatic.ASKING, brand=brand)
        automatic.compliance(contact, sender=sender, kind=automatic.ASK, text=text, now=now)
    elif not is_answered:
        text = automatic.wording(brand.start_reply, brand=brand)
        automatic.compliance(contact, sender=sender, kind=automatic.START, text=text, now=now)


def _sign_up(message: InboundMessage, contact: Contact, sender: Sender) -> SignUp | None:
    return signing_up.awaited(contact, brand=sender.brand, at=message.occurred_at)


def _take_yes(message: InboundMessage, *, contact: Contact, sender: Sender, now: datetime) -> None:
    """YES to our question after START or a keyword: consent, and the second yes at once."""
    brand, at, purposes = sender.brand, message.occurred_at, [Purpose.MARKETING]
    proof = _proof(message, wording=automatic.wording(automatic.ASKING, brand=brand))
    consent.opt_in(
        contact,
        brand=brand,
        purposes=purposes,
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.TEXT,
        proof=proof,
        occurred_at=at,
        now=now,
    )
    consent.confirm(
        contact, brand=brand, purposes=purposes, source=ConsentSource.TEXT, proof=proof, occurred_at=at, now=now
    )


def _hold(message: InboundMessage, *, contact: Contact, sender: Sender, now: datetime) -> None:
    held = consent.hold(
        contact, brand=sender.brand, inbound_id=message.public_id, said_at=message.occurred_at, now=now
    )
    conversations.hear(message, contact=contact, sender=sender, now=now)
    if held is not None:  # else they have made themselves clear since: this text came late
        conversations.tell(contact, sender=sender, kind=ConversationEventKind.HELD, detail=message.rule, now=now)


def _keyword(message: InboundMessage, keyword: Keyword, *, contact: Contact, sender: Sender, now: datetime) -> None:
    conversations.attach(message, contact=contact, sender=sender, now=now)
    kind = f"keyword:{keyword.pk}"
    text = automatic.wording(keyword.reply, brand=sender.brand)
    if keyword.action != KeywordAction.OPT_IN:
        automatic.conversational(contact, sender=sender, kind=kind, text=text, now=now)
        return
    consent.opt_in(
        contact,
        brand=keyword.brand,
        purposes=[Purpose(keyword.purpose)],
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.TEXT,
        proof=_proof(message, wording=keyword.call_to_action),
        occurred_at=message.occurred_at,
        now=now,
    )
    conversations.tell(contact, sender=sender, kind=ConversationEventKind.OPTED_IN, detail=keyword.word, now=now)
    needs_yes = sender.brand.double_opt_in and keyword.purpose == Purpose.MARKETING
    if needs_yes and not _has_written_consent(contact, sender):
        # The brand wants a second yes: the reply, which says that all is done, would be wrong before it.
        kind, text = automatic.ASK, automatic.wording(automatic.ASKING, brand=sender.brand)
    automatic.compliance(contact, sender=sender, kind=kind, text=text, now=now)


def _proof(message: InboundMessage, *, wording: str) -> consent.Proof:
    act = f"texted “{message.text[:160]}”"
    return consent.Proof(wording=wording, method="keyword", act=act, inbound_id=message.public_id)


def _is_suppressed(contact: Contact, sender: Sender) -> bool:
    standing = Suppression.objects.filter(subscriber_key=contact.subscriber_key, lifted_by=None)
    return standing.filter(Q(brand=sender.brand_id) | Q(brand=None)).exists()


def _has_refused(contact: Contact, sender: Sender) -> bool:
    """An opt-out that came since we asked, from wherever: a YES is no answer any more, only START brings back."""
    standing = Suppression.objects.filter(
        subscriber_key=contact.subscriber_key, lifted_by=None, purpose__in=(EVERY, Purpose.MARKETING)
    )
    return standing.filter(Q(brand=sender.brand_id) | Q(brand=None)).exists()


def _has_written_consent(contact: Contact, sender: Sender) -> bool:
    """Marketing consent that carries a message: proven, and confirmed where the brand wants that."""
    given = ConsentState.objects.filter(
        subscriber_key=contact.subscriber_key,
        brand=sender.brand_id,
        purpose=Purpose.MARKETING,
        basis=Basis.EXPRESS_WRITTEN,
        is_active=True,
        is_proven=True,
    )
    return (given.filter(is_confirmed=True) if sender.brand.double_opt_in else given).exists()
