"""How many people a rule fits at the moment, and who some of them are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts.models import Contact
from contacts.segments import rules

EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    count: int
    of: int  # everybody there is
    at: datetime


def estimate(rule: Any, *, at: datetime) -> Estimate:
    """Counted, not guessed: exact for this instant."""
    return Estimate(count=rules.people(rule, at=at).count(), of=Contact.objects.count(), at=at)


def examples(rule: Any, *, at: datetime) -> list[Contact]:
    """The ten who were added last."""
    return list(rules.people(rule, at=at).order_by("-created_at", "-id")[:EXAMPLES])
