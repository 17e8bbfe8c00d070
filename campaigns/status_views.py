"""System status: what is wrong, why, and what to do; below it the numbers it was judged by."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.contrib import admin
from django.core import checks
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from campaigns import diagnosis, places, vital_signs
from campaigns.models import Priority
from campaigns.vital_signs import Signs
from smsdesk import dashboard
from smsdesk.dashboard import Link, Moment

PERMISSION = "smsdesk.view_heartbeat"


@dataclass(frozen=True, slots=True)
class Line:
    """One number, and what is usual."""

    label: str
    value: str
    usual: str


def page(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    signs = vital_signs.read()
    context = {
        **admin.site.each_context(request),
        "title": "System status",
        "findings": diagnosis.findings(signs),
        "refused": _refused_settings(),
        "lines": list(_lines(signs)),
        "at": signs.at,
    }
    is_part = bool(request.htmx)  # type: ignore[attr-defined]
    return render(request, "campaigns/_status.html" if is_part else "campaigns/status.html", context)


@lru_cache(maxsize=1)
def _refused_settings() -> list[checks.CheckMessage]:
    """What our checks find in this process's settings: a web server, unlike `manage.py`, starts all the same."""
    return [problem for problem in checks.run_checks() if str(problem.id).startswith("smsdesk.")]


@dashboard.navigation.add(permission=PERMISSION, order=95)
def status(_moment: Moment) -> Iterable[Link]:
    yield Link("Status", reverse("status"))


def _lines(signs: Signs) -> Iterable[Line]:
    beat, duration = signs.newest_beat, diagnosis.duration
    yield Line("Last sign of a worker", f"{duration(signs.age(beat))} ago" if beat else "never", "under 2 minutes")
    drains = sum(map(places.is_of_drain, signs.heartbeats))
    yield Line("Workers sending now", f"{drains:,}", "0 while nothing is due")
    for priority in Priority:
        due = signs.due[priority]
        said = f"{_at_most(due.count)}, the oldest for {duration(signs.age(due.oldest))}" if due.count else "0"
        usual = "gone within seconds" if priority != Priority.CAMPAIGN else "some while a campaign is sent"
        yield Line(f"Due now: {priority.label.lower()}", said, usual)
    lanes = ", ".join(f"{count:,} {state}" for state, count in signs.lanes.items())
    yield Line("Lanes", lanes, "ready ones are held within seconds")
    yield Line("Accepted in the last minute", f"{signs.accepted_lately:,}", "")
    yield Line("Delivered in the last minute", f"{signs.delivered_lately:,}", "receipts may come later")
    yield Line("In a call right now", f"{signs.open_calls:,}", "a batch for each lane held, at most")
    yield Line("Outcome unknown", f"{signs.unknown:,}", "0; after a crash some, for minutes")
    yield Line("Parked for a decision", f"{signs.parked:,}", "0")
    yield Line("Receipts without a message", _at_most(signs.unmatched_receipts), "0")
    engine = "PostgreSQL" if connection.vendor == "postgresql" else "SQLite"
    yield Line("Database", engine, "PostgreSQL for more than one host")
    yield Line("Clock of this host", f"{signs.clock_gap:+.1f} s from the database's", "within 5 s")
    yield Line(
        "Free on this host's disk",
        f"{signs.disk_free / 1e9:,.1f} GB of {signs.disk_total / 1e9:,.1f}",
        "a tenth at least",
    )
    yield Line(
        "Kept on disk in an outage", f"{signs.spool.waiting // 1000:,} kB", f"0, {settings.SPOOL_MB} MB at most"
    )


def _at_most(count: int) -> str:
    return f"{count:,} or more" if count >= vital_signs.MOST else f"{count:,}"
