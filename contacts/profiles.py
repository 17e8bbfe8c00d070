"""Profiles of quiet hours: one row chosen to stand for all rows of its country."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from contacts import rule_book
from contacts.models import QuietHoursRule
from smsdesk.errors import Invalid


@dataclass(frozen=True, slots=True)
class Choice:
    """What an operator may choose between for one country; `chosen` "" is the table itself."""

    country: str
    chosen: str
    profiles: Sequence[QuietHoursRule]


def choices() -> list[Choice]:
    """One per country that has a profile."""
    found: dict[str, list[QuietHoursRule]] = {}
    for rule in QuietHoursRule.objects.exclude(replaces="").order_by("replaces", "code"):
        found.setdefault(rule.replaces, []).append(rule)
    return [
        Choice(country, next((rule.code for rule in rules if rule.is_active), ""), rules)
        for country, rules in found.items()
    ]


def choose(country: str, code: str, *, by: str, now: datetime) -> None:
    """Let the profile `code` stand for all rows of the country; "" goes back to the table."""
    own = QuietHoursRule.objects.filter(replaces=country)
    with transaction.atomic():
        known = set(own.select_for_update(no_key=True).values_list("code", flat=True))
        if not known or (code and code not in known):
            raise Invalid(
                "unknown_profile",
                "There is no such profile.",
                field="profile",
                value=code[:20],
                cure=f"Profiles of {country[:2]}: {', '.join(sorted(known)) or 'none'}.",
            )
        edited = {"edited_by": by[:150], "edited_at": now}
        own.filter(is_active=True).exclude(code=code).update(is_active=False, **edited)
        own.filter(is_active=False, code=code).update(is_active=True, **edited)
    rule_book.forget()
