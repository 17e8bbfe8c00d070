"""The times of the send protocol, in seconds, and the order that makes it sound (check smsdesk.E010).

`settings.TIME_SCALE` scales all of them together, for tests that must live through a lease.
"""

from dataclasses import dataclass

from django.conf import settings
from django.core import checks


@dataclass(frozen=True, slots=True)
class Times:
    connect: float = 3
    first_byte: float = 1  # from before the submit statement to the first byte on the wire
    call: float = 10  # one whole call, then abort
    record: float = 10  # writing the answers down is tried again this long
    lapse: float = 30  # a row in `submitting` for longer is `unknown`
    reaper: float = 30
    lease: float = 60  # of a lane, renewed in submit
    overdue: float = 25  # a batch older than this: its worker is killed
    grace: float = 60  # from then on a gateway's "never seen" is final, if the worker is known to be gone
    grace_unsure: float = 900  # the same while nobody can say whether the worker is gone
    stop_wait: float = 8  # STOP's webhook waits at most this long
    stop_window: float = 12  # and only for rows submitted less than this ago
    drain: float = 20  # one run of a drain task
    heartbeat: float = 120  # older: the cluster makes no progress

    def disorder(self) -> list[str]:
        """The inequalities that do not hold; empty when the protocol is sound."""
        rules = {
            "first byte < STOP's wait": self.first_byte < self.stop_wait,
            "first byte + call < STOP's window": self.first_byte + self.call < self.stop_window,
            "first byte + call + record < overdue": self.first_byte + self.call + self.record < self.overdue,
            "overdue < lapse": self.overdue < self.lapse,
            "lapse + reaper <= lease": self.lapse + self.reaper <= self.lease,
            "first byte + call + 10 < grace": self.first_byte + 2 * self.call < self.grace,
            "grace < grace unsure": self.grace < self.grace_unsure,
        }
        return [rule for rule, holds in rules.items() if not holds]


# What a busy machine takes from the commit of a batch to its first byte, however short a test makes the times.
MACHINE = 0.2


def scaled(scale: float) -> Times:
    """All times of the protocol; a drain's run is no part of it and keeps its length.

    Shorter than in production, the first byte keeps what the machine needs, and so does what must outlast it.
    """
    names = [name for name in Times.__dataclass_fields__ if name != "drain"]
    times = {name: getattr(Times(), name) * scale for name in names}
    kept = MACHINE * max(0.0, 1 - scale)
    return Times(**{**times, "first_byte": times["first_byte"] + kept, "stop_window": times["stop_window"] + kept})


TIMES = scaled(settings.TIME_SCALE)


@checks.register
def times_are_in_order(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    return [
        checks.Error(
            f"The times of the send protocol are out of order: {rule}.",
            hint="Set SMSDESK_TIME_SCALE to a positive number and leave campaigns/times.py as it is.",
            id="smsdesk.E010",
        )
        for rule in TIMES.disorder()
    ]
