"""`/metrics`: the vital signs in Prometheus' text format 0.0.4. No label names a person, a number or a text.

Written by hand: a gauge is a line, and the client library's counters live in one process, where ours are several.
"""

import time
from collections.abc import Iterable, Iterator, Mapping

from django.db import DatabaseError, InterfaceError, connection

from campaigns import places, vital_signs
from campaigns.models import Priority
from campaigns.vital_signs import Signs
from smsdesk import measures, spool

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PRIORITIES = {Priority.URGENT: "urgent", Priority.TRANSACTIONAL: "transactional", Priority.CAMPAIGN: "campaign"}

Sample = tuple[Mapping[str, object], float]


def text() -> str:
    """What is known without the database is told in an outage too."""
    lines = [*_webhooks(), *_spool()]
    begun = time.monotonic()
    try:
        signs = vital_signs.read()
    except (DatabaseError, InterfaceError):
        connection.close()
        lines += _metric("database_up", "gauge", "Whether the database answers.", [({}, 0)])
    else:
        lines += _metric("database_up", "gauge", "Whether the database answers.", [({}, 1)])
        lines += _signs(signs)
        took = time.monotonic() - begun
        lines += _metric("metrics_seconds", "gauge", "What reading these took; 0 where kept.", [({}, took)])
    return "".join(f"{line}\n" for line in lines)


def _signs(signs: Signs) -> Iterator[str]:
    due = {_PRIORITIES[Priority(priority)]: found for priority, found in signs.due.items()}
    yield from _metric(
        "queue_due", "gauge", f"Rows whose time has come, {vital_signs.MOST} at most.", _by("priority", {
            name: found.count for name, found in due.items()
        }),
    )  # fmt: skip
    yield from _metric(
        "queue_age_seconds", "gauge", "How long the oldest of them has been due.", _by("priority", {
            name: signs.age(found.oldest) for name, found in due.items()
        }),
    )  # fmt: skip
    yield from _metric("lanes", "gauge", "Lanes by what they do.", _by("state", signs.lanes))
    yield from _metric(
        "messages_last_minute", "gauge", "Messages accepted and delivered within the last minute.", _by("word", {
            "accepted": signs.accepted_lately, "delivered": signs.delivered_lately
        }),
    )  # fmt: skip
    yield from _metric(
        "messages_open", "gauge", "Messages whose outcome is open.", _by("state", {
            "submitting": signs.open_calls, "unknown": signs.unknown, "parked": signs.parked
        }),
    )  # fmt: skip
    oldest: list[Sample] = [({}, signs.age(signs.oldest_unknown))]
    yield from _metric("oldest_unknown_seconds", "gauge", "Since the oldest unknown was submitted.", oldest)
    yield from _metric(
        "receipts_unmatched", "gauge", "Receipts of the last 7 days whose message nobody knows.",
        [({}, signs.unmatched_receipts)],
    )  # fmt: skip
    yield from _metric(
        "events_today_total", "counter", "Rare events that should not happen, since midnight UTC.",
        _by("event", signs.counted_today),
    )  # fmt: skip
    beats = {
        name.rsplit(":", 1)[0] if places.is_of_drain(name) else name: at for name, at in signs.heartbeats.items()
    }
    yield from _metric(
        "heartbeat_age_seconds", "gauge", "Since a worker last showed progress.",
        _by("name", {name: signs.age(at) for name, at in beats.items()}),
    )  # fmt: skip
    accounts = {account.name: account for account in signs.accounts}
    yield from _metric(
        "account_paused", "gauge", "Whether a gateway account is paused.",
        _by("account", {name: int(one.paused_at is not None) for name, one in accounts.items()}),
    )  # fmt: skip
    yield from _metric(
        "account_circuit_open", "gauge", "Whether a gateway account is left alone because it does not answer.",
        _by("account", {name: int(one.circuit_until is not None) for name, one in accounts.items()}),
    )  # fmt: skip
    held = "Whether everything waits until a person releases a restored desk."
    yield from _metric("desk_held", "gauge", held, [({}, int(bool(signs.held_reason)))])
    yield from _metric("campaigns", "gauge", "Campaigns by state.", _by("state", signs.campaigns))
    yield from _metric(
        "clock_gap_seconds", "gauge", "This host's clock minus the database's.", [({}, signs.clock_gap)]
    )
    yield from _metric("disk_free_bytes", "gauge", "Free where the desk writes its files.", [({}, signs.disk_free)])


def _spool() -> Iterator[str]:
    content = spool.content()
    waiting, aside = "Bytes on disk that wait for the database.", "Entries on disk that can never be stored."
    yield from _metric("spool_bytes", "gauge", waiting, [({}, content.waiting)])
    yield from _metric("spool_set_aside", "gauge", aside, [({}, content.set_aside)])


def _webhooks() -> Iterator[str]:
    name = "smsdesk_webhook_seconds"
    yield f"# HELP {name} How long webhooks took on this host."
    yield f"# TYPE {name} histogram"
    told = measures.webhooks()
    for kind, one in told.items():
        so_far = 0
        for bound, count in zip([*map(str, measures.BOUNDS), "+Inf"], one.buckets, strict=True):
            so_far += count
            yield f'{name}_bucket{{kind="{kind}",le="{bound}"}} {so_far}'
        yield f'{name}_sum{{kind="{kind}"}} {one.seconds:.6f}'
        yield f'{name}_count{{kind="{kind}"}} {so_far}'
    answers = [
        ({"kind": kind, "class": name}, count) for kind, one in told.items() for name, count in one.answers.items()
    ]
    yield from _metric("webhook_answers_total", "counter", "Webhooks by the class of their answer.", answers)


def _by(label: str, values: Mapping[str, float]) -> list[Sample]:
    return [({label: name}, value) for name, value in values.items()]


def _metric(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP smsdesk_{name} {help_text}"
    yield f"# TYPE smsdesk_{name} {kind}"
    for labels, value in samples:
        told = ",".join(f'{label}="{_escaped(str(content))}"' for label, content in labels.items())
        yield (
            f"smsdesk_{name}{f'{{{told}}}' if told else ''} {value:g}"
            if value < 1e6
            else (f"smsdesk_{name}{f'{{{told}}}' if told else ''} {value:.0f}")
        )


def _escaped(content: str) -> str:
    return content.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
