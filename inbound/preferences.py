"""What a person chooses on the page behind their link: less, at once; or, from a link we texted to them, more.

Lowering is an opt-out like STOP: recorded, what is queued cancelled, and no call begins after the answer. Coming
back needs the words of a form of that brand, ticked anew: the link proves that it is the phone's holder who reads.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns import receipts, sending
from campaigns.preference_links import Opened
from contacts import bases, belonging, consent, suppressing
from contacts.models import Basis, Brand, ConsentSource, ConsentState, Contact, Purpose, Suppression
from contacts.standing import EVERY
from inbound import automatic, receiving, signing_up
from inbound.form_pages import Page
from inbound.models import OptInForm, Wording
from smsdesk import tallies
from smsdesk.errors import Conflict, NotPermitted

DAY = timedelta(days=1)
MOST_STOPS_A_DAY, MOST_RETURNS_A_DAY = 20, 5  # of one phone, by links; an opt-out that is news is always taken
_READ_AGAIN = "Read it again and tick the box if you still agree."

_SHOWN = (Purpose.MARKETING, Purpose.TRANSACTIONAL)
WORDS = {
    Purpose.MARKETING.value: "Offers and news",
    Purpose.TRANSACTIONAL.value: "Texts about your orders and appointments",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing this phone gets now."""

    brand: Brand
    purpose: str

    @property
    def key(self) -> str:
        return f"{self.brand.pk}-{self.purpose}"

    @property
    def words(self) -> str:
        return WORDS[self.purpose]


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be agreed to again: a form of a brand that this phone has to do with, in its newest words."""

    form: OptInForm
    wording: Wording


@dataclass(frozen=True, slots=True)
class Visit:
    """Who opened the page, from where, and where it stands (without the signed part, which opens it)."""

    opened: Opened
    ip: str
    user_agent: str
    url: str

    @property
    def source(self) -> ConsentSource:
        return ConsentSource.LINK if self.opened.was_texted else ConsentSource.WEB_FORM


def choices(contact: Contact, *, now: datetime) -> list[Choice]:
    """What is sent to this phone now, by brand."""
    states = ConsentState.objects.filter(
        subscriber_key=contact.subscriber_key, is_active=True, purpose__in=_SHOWN
    ).select_related("brand")
    standing = list(_suppressions(contact).values_list("brand_id", "purpose"))
    shown = []
    for state in states.order_by("brand__name", "purpose"):
        ends = state.expires_at or bases.ends_at(state.basis, state.occurred_at)
        is_off = any(b in (None, state.brand_id) and p in (EVERY, state.purpose) for b, p in standing)
        if not is_off and (ends is None or now < ends):
            shown.append(Choice(state.brand, state.purpose))
    return shown


def offers(opened: Opened, *, now: datetime) -> list[Offer]:
    """What this person may agree to here; nothing where the link does not prove that it is them."""
    if not opened.was_texted:
        return []
    contact = opened.contact
    on = {(choice.brand.pk, choice.purpose) for choice in choices(contact, now=now)}
    states = ConsentState.objects.filter(subscriber_key=contact.subscriber_key)
    is_known = Q(brand=opened.brand_id) | Q(brand__in=states.values("brand"))
    forms = OptInForm.objects.filter(is_known, is_active=True).select_related("brand", "sender")
    found = []
    for form in forms.order_by("brand__name", "pk"):
        wording = form.wording()
        is_new = any((form.brand_id, purpose) not in on for purpose in form.purposes)
        if wording is not None and is_new:
            found.append(Offer(form, wording))
    return found


def lower(visit: Visit, *, shown: Collection[str], kept: Collection[str], now: datetime) -> int:
    """End what was `shown` as sent and is not `kept` (keys of choices); how many queued messages were cancelled."""
    contact = visit.opened.contact
    cancelled = 0
    with transaction.atomic():
        receiving.be_patient()
        _lock(contact)
        given_up: dict[Brand, list[str]] = {}
        for choice in choices(contact, now=now):
            if choice.key in shown and choice.key not in kept:
                given_up.setdefault(choice.brand, []).append(choice.purpose)
        for brand, purposes in given_up.items():
            act = f"switched off: {', '.join(WORDS[purpose] for purpose in purposes)}"
            cancelled += _opt_out(visit, brand=brand, purposes=purposes, act=act, now=now)
        _count_for_report(visit, brands=[brand.pk for brand in given_up], now=now)
    if given_up:
        receiving.wait_until_drained({contact.subscriber_key})
    return cancelled


def stop_all(visit: Visit, *, now: datetime) -> int:
    """End everything of every brand; how many queued messages were cancelled.

    Each press is written down, as each STOP is, but not for ever: the ledger keeps what it has got.
    """
    key = visit.opened.contact.subscriber_key
    is_enough = tallies.count("preferences.stop", of=key, per=DAY, now=now) > MOST_STOPS_A_DAY
    with transaction.atomic():
        receiving.be_patient()
        _lock(visit.opened.contact)
        if is_enough and _is_all_off(key, visit.source):
            return 0
        cancelled = _opt_out(visit, brand=None, purposes=(EVERY,), act="pressed “Stop all texts”", now=now)
        if visit.opened.message is not None:
            _count_for_report(visit, brands=[visit.opened.message.brand_id], now=now)
    receiving.wait_until_drained({visit.opened.contact.subscriber_key})
    return cancelled


def come_back(visit: Visit, form: OptInForm, *, page: Page, now: datetime) -> bool:
    """Agree to what a form says; False where an opt-out stands that only a person of ours can look into.

    Raises `NotPermitted` for a link that was not texted to this phone, `TooMany` for too many returns of one day,
    `Conflict` for a page from before an opt-out: sent again by a browser, it must not undo what was said since.
    """
    if not visit.opened.was_texted:
        raise NotPermitted("link_not_texted", "This link can only switch off.", cure="Text START from your phone.")
    contact, brand = visit.opened.contact, form.brand
    purposes = [Purpose(purpose) for purpose in form.purposes]
    if tallies.count("preferences.join", of=contact.subscriber_key, per=DAY, now=now) > MOST_RETURNS_A_DAY:
        raise signing_up.TooMany("too_many", "You have come back often today.", cure="Please try again tomorrow.")
    with transaction.atomic():
        receiving.be_patient()
        _lock(contact)
        stands = _suppressions(contact).filter(Q(brand=None) | Q(brand=brand), purpose__in=(EVERY, *form.purposes))
        if stands.filter(since__gte=page.shown_at).exists():
            raise Conflict("opted_out_since", "You have opted out since this page was shown.", cure=_READ_AGAIN)
        proof = _proof(visit, wording=page.wording, act="ticked the box and sent the page")
        consent.opt_in(
            contact,
            brand=brand,
            purposes=purposes,
            basis=Basis.EXPRESS_WRITTEN,
            source=ConsentSource.LINK,
            proof=proof,
            occurred_at=now,
            now=now,
        )
        consent.confirm(
            contact,
            brand=brand,
            purposes=purposes,
            source=ConsentSource.LINK,
            proof=proof,
            occurred_at=now,
            now=now,
        )
        if stands.all().exists():
            return False
        text = automatic.wording(form.welcome, brand=brand)
        kind = f"{automatic.WELCOME}:{form.pk}"
        automatic.compliance(contact, sender=form.sender, kind=kind, text=text, now=now)
    return True


def _opt_out(visit: Visit, *, brand: Brand | None, purposes: Collection[str], act: str, now: datetime) -> int:
    contact = visit.opened.contact
    consent.opt_out(
        contact,
        brand=brand,
        purposes=purposes,
        source=visit.source,
        occurred_at=now,
        now=now,
        proof=_proof(visit, wording=None, act=act),
    )
    signing_up.withdraw(contact, brand=brand, now=now)
    return sending.cancel_opted_out(contact, brand=brand, now=now, purposes=purposes)


def _is_all_off(key: str, source: ConsentSource) -> bool:
    """Whether this press would change nothing, on any phone of this person."""
    keys = [key, *belonging.others_of([key])]
    return suppressing.already(keys, refusal=suppressing.Refusal(None, source, "")) == set(keys)


def _count_for_report(visit: Visit, *, brands: Collection[int], now: datetime) -> None:
    """The campaign in whose text the link stood is told that it lost somebody."""
    message = visit.opened.message
    if message is not None and message.brand_id in brands:
        receipts.record_reply(message, now=now, opted_out=True)


def _suppressions(contact: Contact) -> "QuerySet[Suppression]":
    return Suppression.objects.filter(subscriber_key=contact.subscriber_key, lifted_by=None)


def _lock(contact: Contact) -> None:
    if not consent.lock([contact.pk]):
        raise Conflict("contact_gone", "This link opens nothing any more.", cure="Text STOP to the number instead.")


def _proof(visit: Visit, *, wording: Wording | None, act: str) -> consent.Proof:
    version = f"{wording.form.ref}, wording {wording.number}, SHA-256 {wording.sha256}" if wording else ""
    return consent.Proof(
        wording=wording.shown if wording else "",
        method="preference_page",
        act=act,
        source=visit.url,
        ip=visit.ip,
        user_agent=visit.user_agent,
        document=version,
    )
