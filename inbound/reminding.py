"""Sign-ups nobody has answered: one reminder, by day, and then an end. Rows decide, so any round may run twice.

When the time is over nothing changes in the ledger: without YES nothing had been given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from campaigns import states
from contacts import consent, quiet_hours
from contacts.facts import Facts
from contacts.models import Contact
from inbound import automatic, signing_up
from inbound.models import SignUp, SignUpState

log = structlog.get_logger(__name__)

STAYS_FRESH = timedelta(minutes=15)  # a reminder that could not leave by then would leave at another hour


PAGE = 200  # sign-ups that are read at once


@dataclass(frozen=True, slots=True)
class Round:
    """How many texts there were, and behind which sign-up the next round goes on; None: nobody is left."""

    texts: int
    rest_after: int | None


def remind_due(*, now: datetime, after: int = 0, is_late: Callable[[], bool] = lambda: False) -> Round:
    """Remind those who have not answered for a while and may be texted at this hour, until `is_late` says stop.

    In the order of their ids, from behind `after` on: whoever may not be texted now must not keep others waiting.
    """
    texts = 0
    while ids := _due(now=now, after=after):
        for pk in ids:
            if is_late():
                return Round(texts, after)
            texts += _remind(pk, now=now)
            after = pk
    return Round(texts, None)


def _due(*, now: datetime, after: int) -> list[int]:
    asked_before = now - timedelta(hours=settings.SIGN_UP["reminder_hours"])
    due = SignUp.objects.filter(
        pk__gt=after,
        state=SignUpState.ASKED,
        reminded_at=None,
        asked_at__lte=asked_before,
        ends_at__gt=now + STAYS_FRESH,
    )
    return list(due.order_by("pk").values_list("pk", flat=True)[:PAGE])


def end_overdue(*, now: datetime) -> int:
    """End what was not answered in time; how many."""
    overdue = SignUp.objects.filter(state=SignUpState.ASKED, ends_at__lte=now)
    return overdue.update(state=SignUpState.ENDED, done_at=F("ends_at"))


@transaction.atomic
def _remind(pk: int, *, now: datetime) -> bool:
    """One person in one transaction: the row is marked and the text is queued, or neither."""
    sign_up = SignUp.objects.select_related("form__brand", "form__sender", "question").get(pk=pk)
    if sign_up.question is None or not states.may_have_left(sign_up.question):
        return False  # they were never asked: a YES would answer nothing
    contact = Contact.objects.filter(subscriber_key=sign_up.subscriber_key).first()
    if contact is None or not consent.lock([contact.pk]):
        return False
    form = sign_up.form
    text = automatic.wording(form.reminder, brand=form.brand)
    code, about = signing_up.judge(contact, form=form, text=text, now=now)
    if code or not form.is_active or not _is_day(about, now) or _was_reminded(sign_up, now):
        return False
    mine = SignUp.objects.filter(pk=pk, state=SignUpState.ASKED, reminded_at=None)
    if not mine.update(reminded_at=now):
        return False
    send_by = now + STAYS_FRESH
    kind = automatic.SIGN_UP_AGAIN
    message = automatic.compliance(contact, sender=form.sender, kind=kind, text=text, now=now, send_by=send_by)
    return message is not None


def _is_day(about: Facts, now: datetime) -> bool:
    """Whether quiet hours would let an advertisement through: nobody waits for a reminder at night."""
    zones = quiet_hours.usable_zones(about.zones, about.contact_zones, about.zone_override)
    return bool(zones) and quiet_hours.opening(zones, about.rules, now) == now


def _was_reminded(sign_up: SignUp, now: datetime) -> bool:
    """One reminder a phone in 30 days, however many forms somebody fills in with its number."""
    lately = SignUp.objects.filter(subscriber_key=sign_up.subscriber_key, reminded_at__gt=now - signing_up.MONTH)
    return lately.exists()
