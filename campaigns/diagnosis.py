"""What is wrong with the desk and what to do about it, in words: the vital signs, judged.

Each finding says what a person sees of it, why, and the cure. Pure: the same signs give the same findings.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from campaigns.models import Priority
from campaigns.vital_signs import Signs

SILENCE = 120  # seconds without a heartbeat
CLOCKS = 5  # seconds two clocks may be apart
URGENT, LATE = 30, 600  # seconds a reply, a campaign's row may be due
UNKNOWN = 900  # seconds an outcome may be open before somebody should know
DISK_LOW, DISK_FULL = 0.10, 0.03  # share that is free


@dataclass(frozen=True, slots=True)
class Finding:
    """`weight`: bad (people are not reached, or data is at risk) or wait (it will be, or somebody must decide)."""

    weight: str
    what: str
    why: str
    cure: str
    url: str = ""
    link: str = ""

    @property
    def word(self) -> str:
        return {"bad": "Act now", "wait": "Look at it"}[self.weight]


def findings(signs: Signs) -> list[Finding]:
    """The worst first."""
    found = [
        *_workers(signs),
        *_accounts(signs),
        *_queue(signs),
        *_outcomes(signs),
        *_host(signs),
        *_promises(signs),
    ]
    return sorted(found, key=lambda one: one.weight != "bad")


def _workers(signs: Signs) -> Iterator[Finding]:
    if signs.held_reason:
        yield Finding(
            "bad",
            "Nothing is sent: the desk is held.",
            signs.held_reason,
            "Stop the old database for good, then release the desk.",
            reverse("admin:campaigns_held"),
            "What to do",
        )
    newest = signs.newest_beat
    cure = (
        "Start the worker: python manage.py runall, or the smsdesk-worker unit of your machine. If it runs, read "
        "its log: a database it cannot reach, or a full disk, keeps it from working."
    )
    if newest is None:
        yield Finding("bad", "No worker has ever run here.", "Nothing is sent, and no import moves.", cure)
    elif signs.age(newest) > SILENCE:
        silent = duration(signs.age(newest))
        yield Finding("bad", f"No worker has shown progress for {silent}.", "Nothing is sent meanwhile.", cure)
    tick = signs.heartbeats.get("tick")
    if newest is not None and signs.age(newest) <= SILENCE and tick is not None and signs.age(tick) > 3 * SILENCE:
        yield Finding(
            "wait",
            f"The minute's round was last made {duration(signs.age(tick))} ago.",
            "Workers send, but what lost tasks left behind is not healed, and schedules do not run.",
            "Restart the worker. If it stays so, look for a schedule that was edited by hand (Queue).",
        )


def _accounts(signs: Signs) -> Iterator[Finding]:
    for account in signs.accounts:
        page = reverse("admin:campaigns_gatewayaccount_change", args=[account.pk])
        if account.paused_at is not None:
            yield Finding(
                "bad" if account.paused_by_id is None else "wait",
                f"{account.name} is paused.",
                account.paused_reason or "Somebody paused it.",
                "Mend the cause, then let it send again. Its messages wait; none is failed.",
                page,
                "Open the account",
            )
        elif account.circuit_until is not None:
            since = duration(signs.age(account.circuit_since))
            yield Finding(
                "wait",
                f"{account.name} does not answer, for {since}.",
                account.last_trouble or "Its calls met silence or broken connections.",
                "Nothing: it is tried again by itself. If it lasts, look at the provider's status page.",
                page,
                "Open the account",
            )


def _queue(signs: Signs) -> Iterator[Finding]:
    stopped = {one.pk for one in signs.accounts if one.paused_at is not None or one.circuit_until is not None}
    for priority, most in ((Priority.URGENT, URGENT), (Priority.TRANSACTIONAL, URGENT)):
        due = signs.due[priority]
        age = signs.age(due.oldest)
        if age > most and not stopped:
            yield Finding(
                "bad",
                f"{due.count:,} messages of the kind “{Priority(priority).label}” wait, "
                f"the oldest for {duration(age)}.",
                "They go before every campaign, so workers are too few or do not run.",
                "See that workers run; add some (SMSDESK_WORKERS, or another host), or raise the sender's rate.",
                reverse("admin:campaigns_outboundmessage_changelist") + "?state__exact=queued",
                "Show them",
            )
    for campaign in signs.sending:
        if signs.age(campaign.oldest) > LATE and campaign.account not in stopped and not signs.accepted_lately:
            yield Finding(
                "bad",
                f"The campaign “{campaign.name}” stands still.",
                f"Its oldest message has been due for {duration(signs.age(campaign.oldest))}, and within the last "
                "minute no gateway took anything.",
                "See that workers run and that the sender's account answers. It goes on where it was.",
                reverse("admin:campaigns_campaign_change", args=[campaign.campaign]),
                "Open the campaign",
            )


def _outcomes(signs: Signs) -> Iterator[Finding]:
    ledger = reverse("admin:campaigns_outboundmessage_changelist")
    if signs.parked:
        yield Finding(
            "wait",
            f"{signs.parked:,} messages wait for your decision.",
            "They may have been sent, and no gateway can tell. A machine never sends them again.",
            "Look at the evidence and settle them.",
            f"{ledger}?state__exact=parked",
            "Show them",
        )
    if signs.unknown and signs.age(signs.oldest_unknown) > UNKNOWN:
        yield Finding(
            "wait",
            f"The outcome of {signs.unknown:,} messages is not known, of the oldest for "
            f"{duration(signs.age(signs.oldest_unknown))}.",
            "Calls timed out or a worker ended in the middle of one. Receipts and lookups settle them; those of a "
            "gateway that cannot be asked wait up to a day.",
            "See that the account can be asked (its page), and that its receipts reach this desk.",
            f"{ledger}?state__exact=unknown",
            "Show them",
        )
    if signs.unmatched_receipts:
        yield Finding(
            "wait",
            f"{signs.unmatched_receipts:,} receipts of the last 7 days name messages nobody knows.",
            "Another desk may use the same account, or a provider sends receipts of messages made elsewhere.",
            "Give each desk an account of its own. Nothing of ours depends on them.",
        )


def _host(signs: Signs) -> Iterator[Finding]:
    free = signs.disk_free / signs.disk_total if signs.disk_total else 1.0
    if free < DISK_LOW:
        yield Finding(
            "bad" if free < DISK_FULL else "wait",
            f"The disk of this web host is {100 - free * 100:.0f} % full.",
            "Without room nothing can be kept while the database is away, and SQLite can write nothing.",
            "Make room where SMSDESK_DATA lies.",
        )
    if abs(signs.clock_gap) > CLOCKS:
        side = "ahead of" if signs.clock_gap > 0 else "behind"
        yield Finding(
            "wait",
            f"The clock of this web host is {duration(abs(signs.clock_gap))} {side} the database's.",
            "Leases and due times go by the database's: nothing is sent twice. Times shown may be off.",
            "Let all hosts keep time (chrony, systemd-timesyncd).",
        )
    if signs.spool.waiting:
        yield Finding(
            "wait",
            f"{max(1, signs.spool.waiting // 1000):,} kB of receipts wait on the disk of this web host.",
            "They came while the database was away. They go in within seconds of its return.",
            "Nothing, unless this lasts: then read the web process's log for “spool_waits”.",
        )
    if signs.spool.set_aside:
        yield Finding(
            "wait",
            f"{signs.spool.set_aside:,} webhooks kept in an outage could not be stored.",
            "Their account was deleted meanwhile, or the file was damaged.",
            "They lie in spool/set-aside under SMSDESK_DATA. Delete that file once you know what they were.",
        )


def _promises(signs: Signs) -> Iterator[Finding]:
    if count := signs.counted_today.get("stop_drain_timeout", 0):
        yield Finding(
            "wait",
            f"{count:,} times today the answer to a STOP did not wait for a call to end.",
            "No call began after the answer, but one may still have been open: a gateway answers slowly.",
            "Look at how long the gateway takes; tell its support.",
        )
    if count := signs.counted_today.get("accepted_after_given_up", 0):
        yield Finding(
            "bad",
            f"{count:,} times today a gateway took a message that it had said it did not have.",
            "Such a message may have gone out twice: the gateway breaks the promise its lookups rest on.",
            "Find “accepted_after_given_up” in the logs, and ask the provider why.",
        )


def duration(seconds: float) -> str:
    """“40 seconds”, “3 minutes”, “2 hours”, “5 days”."""
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {name}s"
    return f"{max(1, int(seconds))} second{'s' if int(seconds) > 1 else ''}"
