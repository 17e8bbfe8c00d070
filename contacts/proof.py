"""How consent was given: kept as evidence, which erasure may remove; the ledger holds a commitment to it."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from smsdesk.errors import Invalid
from smsdesk.sms_text import clean

CLOCK_SKEW = timedelta(minutes=5)  # other people's clocks; what they date that little later happened now
_MOST_TEXT = 10_000  # characters of one field


@dataclass(frozen=True, slots=True)
class Proof:
    wording: str  # the exact text shown
    method: str  # web_form, keyword, paper, verbal, api, import, double_opt_in
    act: str  # what the person did: ticked the box, texted JOIN
    source: str = ""  # page, form, document or file
    inbound_id: UUID | None = None
    ip: str = ""
    user_agent: str = ""
    document: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """What the rules ask for and this does not have; phone and time are always known."""
        return tuple(name for name in ("wording", "method", "act") if not getattr(self, name).strip())

    def as_document(self) -> dict[str, str]:
        """Its filled fields as plain text that any database can hold."""
        filled = {name: value for name, value in asdict(self).items() if value}
        return {name: clean(str(value))[:_MOST_TEXT] for name, value in filled.items()}


def happened(occurred_at: datetime, *, now: datetime) -> datetime:
    """When it happened: never later than now. Raises `Invalid` for a time that lies in the future."""
    if aware(occurred_at) > now + CLOCK_SKEW:
        raise Invalid(
            "in_the_future",
            "Consent cannot be given in the future.",
            field="occurred_at",
            value=occurred_at.isoformat(),
            cure="Give the time at which the person agreed.",
        )
    return min(occurred_at, now)


def aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise Invalid(
            "no_time_zone",
            "This time has no offset from UTC.",
            field="occurred_at",
            value=moment.isoformat(),
            cure="Write it as 2026-11-23T10:00:00Z.",
        )
    return moment
