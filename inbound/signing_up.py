"""Signing up on a form. Anybody can type any number into it.

So nothing a form says changes where a phone stands, unless the form is told to trust it; and no form can make the
desk text somebody who said STOP, or text anybody often.

A sign-up is a row from the moment it is sent in. With double opt-in one text asks for YES, and only the YES is
consent: it comes from the phone itself. The words that were shown, the page and the address go with it as proof.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from campaigns import eligibility, states
from campaigns.models import OutboundMessage
from contacts import consent, facts, gathering, owners, permission, reply_lint
from contacts.models import Basis, Brand, ConsentSource, Contact, Purpose
from contacts.proof import CLOCK_SKEW
from inbound import automatic
from inbound.form_pages import Page
from inbound.models import InboundMessage, OptInForm, SignUp, SignUpState, Wording
from smsdesk import phones, tallies, transitions, visitors
from smsdesk.errors import Conflict, DomainError
from smsdesk.sms_text import clean

HOUR, MONTH = timedelta(hours=1), timedelta(days=30)
ASKED_LATELY, ALREADY_IN, KEPT_BACK = "ASKED_LATELY", "ALREADY_IN", "KEPT_BACK"
# Reasons of our own; the others are the judge's.
SENTENCES = {
    ASKED_LATELY: "No text: sign-ups have caused as many texts to this phone as are allowed for now.",
    ALREADY_IN: "No text: this phone has agreed to the same already.",
    KEPT_BACK: "No text: the desk has answered this phone enough for now.",
}


class TooMany(DomainError):
    """More forms than one visitor, or everybody together, may send in for now."""

    status = 429


@dataclass(frozen=True, slots=True)
class Filled:
    """What somebody sent in: the page they were shown, the number they typed, and where they came from."""

    page: Page
    phone: phones.Phone
    url: str
    ip: str
    user_agent: str


def submit(form: OptInForm, filled: Filled, *, now: datetime) -> SignUp:
    """Take a form that was filled in, once. Raises `TooMany`, or `Conflict` for a page that was used already."""
    _count(form, filled, now=now)
    try:
        with transaction.atomic():
            return _take(form, filled, now=now)
    except Conflict:
        earlier = SignUp.objects.get(nonce=filled.page.nonce)
        if earlier.subscriber_key == filled.phone.subscriber_key:
            return earlier  # sent twice
        raise


def _count(form: OptInForm, filled: Filled, *, now: datetime) -> None:
    whence = visitors.household(filled.ip) or "unknown"
    from_one = tallies.count("sign_up.address", of=whence, per=HOUR, now=now)
    of_form = tallies.count("sign_up.form", of=form.ref, per=HOUR, now=now)
    limits = settings.SIGN_UP
    if from_one > limits["from_one_address_an_hour"] or of_form > limits["of_one_form_an_hour"]:
        raise TooMany(
            "too_many", "Too many people have signed up here just now.", cure="Please try again in an hour."
        )


def _take(form: OptInForm, filled: Filled, *, now: datetime) -> SignUp:
    # First without a lock: whom no text goes to, for them no contact is made either.
    stranger = Contact(
        phone=filled.phone.e164, subscriber_key=filled.phone.subscriber_key, country=filled.phone.region
    )
    sign_up = _store(form, filled, now=now)
    known = Contact.objects.filter(subscriber_key=stranger.subscriber_key).first()
    if reason := _obstacle(known or stranger, form=form, now=now):
        return _leave(sign_up, reason=reason, now=now)
    contact = consent.get_or_add_locked(filled.phone, now=now)
    if reason := _obstacle(contact, form=form, now=now):
        return _leave(sign_up, reason=reason, now=now)
    if form.asks_for_yes:
        return _ask(sign_up, contact=contact, form=form, now=now)
    return _trust(sign_up, contact=contact, form=form, filled=filled, now=now)


def _store(form: OptInForm, filled: Filled, *, now: datetime) -> SignUp:
    row = SignUp(
        form=form,
        brand_id=form.brand_id,
        wording=filled.page.wording,
        nonce=filled.page.nonce,
        phone=filled.phone.e164,
        subscriber_key=filled.phone.subscriber_key,
        ip=filled.ip or None,
        user_agent=clean(filled.user_agent)[:300],
        state=SignUpState.NOT_ASKED,
        created_at=now,
    )
    SignUp.objects.bulk_create([row], ignore_conflicts=True)
    stored = SignUp.objects.filter(public_id=row.public_id).first()
    if stored is None:
        raise Conflict("page_used", "This page was sent already.", cure="Please send it again.")
    return stored


def _obstacle(contact: Contact, *, form: OptInForm, now: datetime) -> str:
    """Why no text goes to this phone now, "" when one may."""
    text = automatic.wording(form.question if form.asks_for_yes else form.welcome, brand=form.brand)
    code, about = judge(contact, form=form, text=text, now=now)
    if code:
        return code
    if _is_in(about, form=form):
        return ALREADY_IN
    texted = SignUp.objects.filter(subscriber_key=contact.subscriber_key, asked_at__gt=now - MONTH)
    moments = list(texted.values_list("asked_at", flat=True))
    today = [at for at in moments if at is not None and at > now - timedelta(days=1)]
    limits = settings.SIGN_UP
    is_full = len(today) >= limits["texts_a_day"] or len(moments) >= limits["texts_in_30_days"]
    return ASKED_LATELY if is_full else ""


def judge(contact: Contact, *, form: OptInForm, text: str, now: datetime) -> tuple[str, facts.Facts]:
    """Why this text about a sign-up may not go to the phone ("": it may), and the facts it rests on.

    The judge's own answer for such texts, and more, because nobody at that phone asked for this one yet: an opt-out
    from any purpose of the form counts, a text that waits for a person, and the country. Whoever can make a form
    text any country can earn on the numbers there.
    """
    context = replace(
        eligibility.context_of(form.sender, purpose=Purpose.COMPLIANCE, brand=form.brand),
        compliance_kind="optin_confirm",
        compliance_parts=reply_lint.parts(text, form.brand.name),
    )
    about = gathering.facts_about(contact, context=context, at=now, body=text)
    verdict = permission.judge(about, now)
    if verdict.outcome != "allowed":
        return verdict.code, about
    if permission.covering(about.suppressions, form.brand_id, frozenset(form.purposes)):
        return "SUPPRESSED", about
    if about.region in about.context.countries_blocked:
        return "COUNTRY_BLOCKED", about
    if about.region not in {form.sender.country, *form.sender.registered_in}:
        return "SENDER_UNREGISTERED", about
    return ("HELD_FOR_REVIEW" if about.is_held else ""), about


def _is_in(about: facts.Facts, *, form: OptInForm) -> bool:
    """The form could give nothing that is not there already, and for good."""
    given = {
        purpose
        for one in about.consents
        for purpose in one.purposes
        if one.brand_id == form.brand_id
        and one.is_active
        and one.is_proven
        and one.basis == Basis.EXPRESS_WRITTEN
        and one.expires_at is None
        and (one.is_confirmed or not form.asks_for_yes)
    }
    return set(form.purposes) <= given


def _leave(sign_up: SignUp, *, reason: str, now: datetime) -> SignUp:
    SignUp.objects.filter(pk=sign_up.pk).update(reason=reason, done_at=now)
    return sign_up


def _ask(sign_up: SignUp, *, contact: Contact, form: OptInForm, now: datetime) -> SignUp:
    ends_at = now + timedelta(hours=settings.SIGN_UP["answer_hours"])
    text = automatic.wording(form.question, brand=form.brand)
    question = automatic.compliance(
        contact, sender=form.sender, kind=automatic.SIGN_UP, text=text, now=now, send_by=ends_at
    )
    if question is None:
        return _leave(sign_up, reason=KEPT_BACK, now=now)
    open_ones = _of(contact, brand=form.brand)
    transitions.move(open_ones, origins=[SignUpState.ASKED], to=SignUpState.REPLACED, changes={"done_at": now})
    transitions.move_one(
        sign_up,
        origins=[SignUpState.NOT_ASKED],
        to=SignUpState.ASKED,
        changes={"asked_at": now, "ends_at": ends_at, "question": question},
    )
    return sign_up


def _trust(sign_up: SignUp, *, contact: Contact, form: OptInForm, filled: Filled, now: datetime) -> SignUp:
    """Single opt-in: the form's owner chose to believe whoever filled it in."""
    proof = _proof(sign_up, method="web_form", act="ticked the box and sent the form", url=filled.url)
    consent.opt_in(
        contact,
        brand=form.brand,
        purposes=[Purpose(purpose) for purpose in form.purposes],
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.WEB_FORM,
        proof=proof,
        occurred_at=now,
        now=now,
    )
    message = welcome(sign_up, contact=contact, now=now)
    transitions.move_one(
        sign_up,
        origins=[SignUpState.NOT_ASKED],
        to=SignUpState.JOINED,
        changes={"asked_at": now if message else None, "question": message, "done_at": now},
    )
    return sign_up


# --- the answer -----------------------------------------------------------------------------------------


def awaited(contact: Contact, *, brand: Brand, at: datetime) -> SignUp | None:
    """The sign-up that a YES said at this instant answers: the latest, asked before, and its time not over.

    A question that never left was answered by nobody. One that the clock ended meanwhile counts too, if the YES was
    said in time and only reached us late.
    """
    texted = _of(contact, brand=brand).filter(asked_at__isnull=False)
    latest = texted.order_by("-asked_at", "-pk").first()
    if latest is None or latest.state not in (SignUpState.ASKED, SignUpState.ENDED):
        return None
    if latest.asked_at is None or latest.ends_at is None:
        return None
    if owners.has_changed(contact.subscriber_key, since=latest.asked_at):
        return None
    question = latest.question
    if question is None or not states.may_have_left(question):
        return None
    return latest if latest.asked_at - CLOCK_SKEW <= at < latest.ends_at else None


def join(sign_up: SignUp, message: InboundMessage, *, contact: Contact, now: datetime) -> None:
    """YES: consent from the phone itself, confirmed. The caller holds the contact's lock."""
    origins = [SignUpState.ASKED, SignUpState.ENDED]
    if not transitions.move_one(sign_up, origins=origins, to=SignUpState.JOINED, changes={"done_at": now}):
        return
    form = sign_up.form
    purposes = [Purpose(purpose) for purpose in form.purposes]
    act = f"ticked the box and sent the form, then texted “{message.text[:160]}”"
    proof = _proof(sign_up, method="double_opt_in", act=act, url=form_url(form), inbound_id=message.public_id)
    said_at = message.occurred_at
    consent.opt_in(
        contact,
        brand=form.brand,
        purposes=purposes,
        basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.TEXT,
        proof=proof,
        occurred_at=said_at,
        now=now,
    )
    consent.confirm(
        contact,
        brand=form.brand,
        purposes=purposes,
        source=ConsentSource.TEXT,
        proof=proof,
        occurred_at=said_at,
        now=now,
    )


def welcome(sign_up: SignUp, *, contact: Contact, now: datetime) -> OutboundMessage | None:
    """The text that confirms an opt-in; the rules ask for it, always."""
    form = sign_up.form
    text = automatic.wording(form.welcome, brand=form.brand)
    kind = f"{automatic.WELCOME}:{form.pk}"
    return automatic.compliance(contact, sender=form.sender, kind=kind, text=text, now=now)


def withdraw(contact: Contact, *, brand: Brand | None, now: datetime) -> None:
    """An opt-out (brand None: of every one) in place of YES: a YES that comes later answers nothing."""
    open_ones = SignUp.objects.filter(subscriber_key=contact.subscriber_key)
    transitions.move(
        open_ones if brand is None else open_ones.filter(brand=brand),
        origins=[SignUpState.ASKED],
        to=SignUpState.WITHDRAWN,
        changes={"done_at": now},
    )


def form_url(form: OptInForm) -> str:
    return f"{settings.PUBLIC_URL}/join/{form.ref}/"


def _of(contact: Contact, *, brand: Brand) -> "QuerySet[SignUp]":
    rows = SignUp.objects.filter(subscriber_key=contact.subscriber_key, brand=brand)
    return rows.select_related("form__brand", "form__sender", "wording", "question")


def _proof(sign_up: SignUp, *, method: str, act: str, url: str, inbound_id: UUID | None = None) -> consent.Proof:
    wording: Wording = sign_up.wording
    asked = f"; asked in {sign_up.question.ref}: “{sign_up.question.text}”" if sign_up.question else ""
    return consent.Proof(
        wording=wording.shown,
        method=method,
        act=act,
        source=url,
        inbound_id=inbound_id,
        ip=sign_up.ip or "",
        user_agent=sign_up.user_agent,
        document=f"{sign_up.ref}: {sign_up.form.ref} “{sign_up.form.title}”, wording {wording.number}, "
        f"SHA-256 {wording.sha256}, sent in {sign_up.created_at.isoformat()}{asked}",
    )
