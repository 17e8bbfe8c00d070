"""Opt-in forms: what they must say before anybody sees them. A changed wording is a new version."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.db import transaction

from contacts import reply_lint, wording
from contacts.models import Purpose
from inbound import automatic
from inbound.models import OptInForm, Wording
from smsdesk.errors import Invalid
from smsdesk.sms_text import clean

PURPOSES = (Purpose.MARKETING.value, Purpose.TRANSACTIONAL.value)
LONGEST = 2_000  # characters
EXAMPLE = (
    "By ticking this box, I agree to get recurring marketing texts from Acme at the number I gave. "
    "Up to 4 msgs/mo. Consent is not a condition of purchase. Msg & data rates may apply. "
    "Reply STOP to cancel, HELP for help."
)
_TEXTS = ("question", "reminder", "welcome")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to stand beside the box."""

    text: str
    terms_url: str
    privacy_url: str


def keep(form: OptInForm, *, draft: Draft, by: str, now: datetime) -> Wording:
    """Save the form and, where it differs from the last one, its wording. Raises `Invalid` for what it lacks."""
    draft = Draft(clean(draft.text).strip(), draft.terms_url.strip(), draft.privacy_url.strip())
    check(form)
    check_wording(draft, form=form)
    with transaction.atomic():
        form.save()
        OptInForm.objects.select_for_update(no_key=True).get(pk=form.pk)
        last = form.wording()
        if last and (last.text, last.terms_url, last.privacy_url) == (
            draft.text,
            draft.terms_url,
            draft.privacy_url,
        ):
            return last
        new = Wording(
            form=form,
            number=last.number + 1 if last else 1,
            text=draft.text,
            terms_url=draft.terms_url,
            privacy_url=draft.privacy_url,
            author=clean(by)[:150],
            created_at=now,
        )
        new.sha256 = sha256(new.shown.encode()).hexdigest()
        new.save()
        return new


def check(form: OptInForm) -> None:
    """Raises `Invalid` for purposes nobody signs up for, a sender that cannot be answered, and texts that lack
    what the rules on opt-in ask for."""
    _check_purposes(form.purposes)
    if form.sender.brand_id != form.brand_id:
        raise Invalid(
            "wrong_brand", "This sender speaks for another brand.", field="sender", cure="Choose another."
        )
    if not form.sender.is_two_way:
        raise Invalid(
            "sender_is_one_way",
            "Nobody can answer YES or STOP to this sender.",
            field="sender",
            value=form.sender.value,
            cure="Choose a number.",
        )
    for field in _TEXTS:
        _check_text(field, automatic.wording(getattr(form, field), brand=form.brand), form=form)


def check_wording(draft: Draft, *, form: OptInForm) -> None:
    """Raises `Invalid` naming everything that the words beside the box lack."""
    folded = wording.fold(draft.text)
    parts = reply_lint.parts(draft.text, form.brand.name)
    said = {
        f"the brand, {form.brand.name}": wording.names(folded, brand=form.brand.name),
        "that texts are agreed to": "text" in folded or "sms" in folded,
        "how often": "frequency" in parts,
        "“Msg & data rates may apply”": "data rates may apply" in folded,
        "STOP": "stop" in parts,
        "HELP": "help" in parts,
        "that consent is not a condition of purchase": "not a condition" in folded or "not required" in folded,
    }
    if lacking := [what for what, is_said in said.items() if not is_said]:
        raise Invalid(
            "wording_incomplete",
            f"The words beside the box lack: {', '.join(lacking)}.",
            field="text",
            cure=f"For example: {EXAMPLE}",
        )
    if len(draft.text) > LONGEST:
        raise Invalid(
            "wording_too_long", f"It has more than {LONGEST} characters.", field="text", cure="Shorten it."
        )
    for field, address in (("terms_url", draft.terms_url), ("privacy_url", draft.privacy_url)):
        if not address.startswith("https://"):
            raise Invalid(
                "link_missing",
                "People must be able to read this before they agree.",
                field=field,
                value=address[:60],
                cure="Give the https address of the page.",
            )


def _check_purposes(purposes: Collection[str]) -> None:
    if not purposes or not set(purposes) <= set(PURPOSES):
        raise Invalid(
            "invalid_purpose",
            "People sign up for marketing, for transactional texts, or for both.",
            field="purposes",
            value=", ".join(map(str, purposes))[:60],
            cure="Choose at least one.",
        )


def _check_text(field: str, text: str, *, form: OptInForm) -> None:
    if field != "welcome" and "YES" not in text:
        raise Invalid(
            "confirmation_incomplete",
            "This text lacks the word YES.",
            field=field,
            cure=f"For example: {getattr(OptInForm(), field)}",
        )
    reply_lint.refuse(text, kind=reply_lint.Kind.OPT_IN, brand=form.brand.name, field=field)
