"""The hold queue as a reviewer reads it: what was said, in answer to what, and how much time is left."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contacts import business_days
from contacts.models import Contact, Hold
from inbound import holds
from inbound.models import InboundMessage

MOST = 100  # holds of one page
_LOOKED_AT = 1_000  # oldest holds that are put in order
_TEXTS = 20  # of one hold, the newest
_MOST_TEXTS = 2_000
# No clock anywhere rings an alarm sooner: less than this old, a hold is not urgent.
_YOUNGEST_ALARM = timedelta(days=business_days.ALARM)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One open hold. `texts` begin with the doubtful one; `contact` is None where it was deleted."""

    hold: Hold
    phone: str
    contact: Contact | None
    clock: business_days.Clock
    texts: Sequence[InboundMessage]
    has_more: bool
    is_opted_out: bool = False

    @property
    def conversation_ref(self) -> str:
        refs = [text.conversation.ref for text in self.texts if text.conversation is not None]
        return refs[-1] if refs else ""

    @property
    def answered(self) -> str:
        """What of ours the text answers."""
        ours = self.texts[0].answers if self.texts else None
        return ours.shown_text if ours else ""

    @property
    def pill(self) -> tuple[str, str]:
        """Words and colour of the time that is left."""
        if self.clock.left == 0:
            return "Last business day", "bad"
        days = f"{self.clock.left} business day{'s' if self.clock.left > 1 else ''} left"
        return days, "bad" if self.clock.is_alarming else "wait"


def read(*, now: datetime) -> list[Waiting]:
    """The most urgent first, at most a page of them; a handful of queries."""
    found = list(holds.waiting()[:_LOOKED_AT])
    numbers = holds.phones_of(found)
    clocks = {one.pk: holds.clock(one, phone=numbers[one.pk], now=now) for one in found}
    found.sort(key=lambda one: (clocks[one.pk].due_at, one.opened_at, one.pk))
    return describe(found[:MOST], now=now)


def describe(found: Sequence[Hold], *, now: datetime) -> list[Waiting]:
    """These holds with what is known of them, in their order."""
    keys = {one.subscriber_key for one in found}
    contacts = {one.subscriber_key: one for one in Contact.objects.filter(subscriber_key__in=keys)}
    numbers = holds.phones_of(found)
    said = _texts(found)
    opted_out = holds.opted_out(found)
    return [
        Waiting(
            hold=one,
            phone=numbers[one.pk],
            contact=contacts.get(one.subscriber_key),
            clock=holds.clock(one, phone=numbers[one.pk], now=now),
            texts=said[one.pk][:1] + said[one.pk][1:][-(_TEXTS - 1) :],
            has_more=len(said[one.pk]) > _TEXTS,
            is_opted_out=one.pk in opted_out,
        )
        for one in found
    ]


def count() -> int:
    return holds.waiting().order_by().count()


def count_alarming(*, now: datetime) -> int:
    """Of the oldest thousand; more than that is an alarm in any case."""
    found = list(holds.waiting().filter(opened_at__lte=now - _YOUNGEST_ALARM)[:_LOOKED_AT])
    numbers = holds.phones_of(found)
    return sum(holds.clock(one, phone=numbers[one.pk], now=now).is_alarming for one in found)


def _texts(found: Sequence[Hold]) -> dict[int, list[InboundMessage]]:
    """Hold → its doubtful text, then what else came since to any number of its brand, the earliest first."""
    said: dict[int, list[InboundMessage]] = defaultdict(list)
    if not found:
        return said
    rows = InboundMessage.objects.select_related("sender", "conversation", "answers")
    doubtful = {row.public_id: row for row in rows.filter(public_id__in={one.inbound_id for one in found})}
    later: dict[str, list[InboundMessage]] = defaultdict(list)
    since = rows.filter(
        subscriber_key__in={one.subscriber_key for one in found},
        received_at__gte=min(one.opened_at for one in found),
    )
    for row in reversed(since.order_by("-id")[:_MOST_TEXTS]):
        later[row.subscriber_key].append(row)
    for one in found:
        first = doubtful.get(one.inbound_id) if one.inbound_id else None
        said[one.pk] = ([first] if first else []) + [
            row for row in later[one.subscriber_key] if row != first and _belongs(row, one)
        ]
    return said


def _belongs(row: InboundMessage, hold: Hold) -> bool:
    is_of_brand = hold.brand_id is None or (row.sender is not None and row.sender.brand_id == hold.brand_id)
    return is_of_brand and row.received_at >= hold.opened_at
