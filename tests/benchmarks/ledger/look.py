"""Looks at a large ledger as workers, marketers and integrators do; prints what each look took, as JSON.

Run in a process of its own after `fill`: `python -m tests.benchmarks.ledger.look '{"reads": 200, "times": 20}'`.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import django

django.setup()

import psycopg  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import OperationalError, connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import batch, lanes, reports  # noqa: E402
from campaigns.models import Campaign, CampaignState, Lane, OutboundMessage  # noqa: E402
from smsdesk.api import keys  # noqa: E402
from smsdesk.models import Scope  # noqa: E402
from tests.benchmarks import spans  # noqa: E402

Figures = dict[str, object]
DIGITS = 2
ENOUGH = 30.0  # seconds one kind of look is repeated at most


def main(order: Mapping[str, Any]) -> None:
    times = int(order["times"])
    print(
        json.dumps(
            {
                "batch": _batches(int(order["reads"])),
                "batch_beside_an_old_snapshot": _beside_an_old_snapshot(int(order["reads"])),
                "candidates": _timed(lanes.candidates, times=int(order["reads"])),
                "report": _reports(times),
                "admin": _admin(times),
                "api": _api(times),
            }
        )
    )


# --- Workers --------------------------------------------------------------------------------------------


def _batches(count: int) -> Figures:
    """The next batch of each lane in turn. What was read goes on its way: no read finds the rows of another."""
    whole, queries, rows = [], [], 0
    own = list(Lane.objects.order_by("number").values_list("pk", flat=True))
    for number in range(count + 1):
        Lane.objects.filter(pk=own[number % len(own)]).update(
            lease_until="1970-01-01T00:00:00Z", next_free_at="1970-01-01T00:00:00Z", failures=0
        )
        won = lanes.win([own[number % len(own)]])
        stopwatch = Stopwatch()
        begun = time.perf_counter()
        with connection.execute_wrapper(stopwatch):
            found = batch.read(won).rows
        seconds = time.perf_counter() - begun
        if not found:
            break
        if number:  # the first one warms up
            whole.append(seconds)
            queries.append(stopwatch.seconds)
            rows += len(found)
        now = timezone.now()
        OutboundMessage.objects.filter(pk__in=[row.id for row in found]).update(
            state="accepted", submitted_at=now, accepted_at=now, submit_no=1, parts=1
        )
    return {
        "rows_of_a_batch": round(rows / max(1, len(whole))),
        "read": spans.waits(whole, digits=DIGITS),
        "of_it_queries": spans.waits(queries, digits=DIGITS),
    }


def _beside_an_old_snapshot(count: int) -> Figures:
    """The same while a report that began before keeps the database from clearing away what has moved since."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as report:
        report.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        report.execute("SELECT COUNT(*) FROM campaigns_campaign")
        before = _batches(count)  # makes the dead rows that the second half has to read past
        figures = _batches(count)
    return {"first": before["read"], **figures}


class Stopwatch:
    """Time inside the database's answers."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            self.seconds += time.perf_counter() - begun


# --- Marketers ------------------------------------------------------------------------------------------


def _reports(times: int) -> Figures:
    large = Campaign.objects.select_related("sender__account").get(state=CampaignState.SENDING)
    over = Campaign.objects.select_related("sender__account").filter(state=CampaignState.FINISHED).last() or large
    newest = list(Campaign.objects.order_by("-pk").values_list("pk", flat=True)[:25])
    return {
        "figures_in_flight": _timed(lambda: reports.figures(large, now=timezone.now()), times=times),
        "figures_finished": _timed(lambda: reports.figures(over, now=timezone.now()), times=times),
        "over_time_in_flight": _timed(lambda: reports.over_time(large), times=times),
        "over_time_finished": _timed(lambda: reports.over_time(over), times=times),
        "totals_of_25_campaigns": _timed(lambda: reports.totals(newest), times=times),
    }


def _admin(times: int) -> Figures:
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.create(username="clerk", is_staff=True, is_superuser=True))
    messages, campaigns = (
        reverse(f"admin:campaigns_{name}_changelist") for name in ("outboundmessage", "campaign")
    )
    large = Campaign.objects.get(state=CampaignState.SENDING)
    someone = OutboundMessage.objects.order_by("pk").values_list("phone", flat=True)[0]
    last = OutboundMessage.objects.order_by("-pk").values_list("pk", flat=True)[0]
    pages: dict[str, tuple[str, dict[str, object]]] = {
        "messages": (messages, {}),
        "messages, a far page": (messages, {"p": min(100, last // 100)}),
        "messages, undelivered": (messages, {"state__exact": "undelivered"}),
        "messages, queued": (messages, {"state__exact": "queued"}),
        "messages, parked": (messages, {"state__exact": "parked"}),  # there is none
        "messages, nobody knows": (messages, {"attention": "open"}),
        "messages, a whole number": (messages, {"q": someone}),
        "campaigns": (campaigns, {}),
        "report of the one in flight": (reverse("admin:campaigns_campaign_report", args=[large.pk]), {}),
    }
    found: Figures = {}
    for name, (address, query) in pages.items():
        # Without what the page keeps for a while, then with it.
        found[name] = _timed(lambda a=address, q=query: _get(client, a, q), times=times, before=cache.clear)
    live = reverse("admin:campaigns_campaign_live", args=[large.pk])
    found["figures polled, kept for seconds"] = _timed(lambda: _get(client, live, {}), times=times)
    return found


# --- Integrators ----------------------------------------------------------------------------------------


def _api(times: int) -> Figures:
    _, key = keys.issue(
        name="Shop", owner=User.objects.create(username="shop"), scopes=Scope.values, is_test=False,
        requests_per_minute=1_000_000,
    )  # fmt: skip
    client = Client(headers={"host": "127.0.0.1", "Authorization": f"Bearer {key}"})
    address = "/api/v1/messages/"
    large = Campaign.objects.get(state=CampaignState.SENDING)
    someone = OutboundMessage.objects.order_by("pk").values_list("phone", flat=True)[0]
    cursor = ""

    def onwards() -> None:
        nonlocal cursor
        answer = _get(client, address, {"limit": 100, **({"cursor": cursor} if cursor else {})}).json()
        cursor = str(answer["next"] or "").partition("cursor=")[2].partition("&")[0]

    return {
        "first page": _timed(lambda: _get(client, address, {}), times=times),
        "page after page, 100 each": _timed(onwards, times=times),
        "of a campaign": _timed(lambda: _get(client, address, {"campaign": large.ref}), times=times),
        "undelivered": _timed(lambda: _get(client, address, {"state": "undelivered"}), times=times),
        "parked": _timed(lambda: _get(client, address, {"state": "parked"}), times=times),  # there is none
        "of a number": _timed(lambda: _get(client, address, {"phone": someone}), times=times),
    }


def _get(client: Client, address: str, query: Mapping[str, object]) -> Any:
    answer = client.get(address, query)
    assert answer.status_code == 200, f"{address} {query}: {answer.status_code} {answer.content[:500]!r}"
    return answer


def _timed(look: Callable[[], object], *, times: int, before: Callable[[], object] = lambda: None) -> Figures:
    """One look to warm up, then so many; "too_slow" where the database's own limit of time ended one."""
    seconds = []
    try:
        for _ in range(times + 1):
            before()
            begun = time.perf_counter()
            look()
            seconds.append(time.perf_counter() - begun)
            if sum(seconds) > ENOUGH and len(seconds) > 1:
                break
    except OperationalError as error:
        connection.close()
        return {"too_slow": str(error).splitlines()[0]}
    return {**spans.waits(seconds[1:], digits=DIGITS)}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
