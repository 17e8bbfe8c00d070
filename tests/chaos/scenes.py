"""Scenes of the sweep: what no failpoint makes by itself. Each returns what a case returns.

In a desk's environment; `cases.SCENES` says with which failpoints they are played.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import Count

from campaigns import pulse, snapshot
from campaigns.models import Campaign, CampaignState, OutboundMessage
from smsdesk import failpoints
from tests.chaos import players
from tests.chaos.players import PEOPLE, RATE, Stage

UNREADABLE = 5.0  # seconds, longer than a statement waits for a lock
CROWD = 300  # people who are sent to from two sides at once
FAST = 200.0  # parts a second of the senders that do it


def unreadable(stage: Stage, spec: str, journal: Path, seconds: float) -> dict[str, Any]:
    """In mid campaign nobody can read suppressions, as while a table is rebuilt: nothing may leave meanwhile."""
    made, _ = players.campaign(stage)
    _raise_curtain(stage, made, spec, journal)
    _wait(stage, lambda: _left(made) > 0, seconds=15)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("LOCK TABLE contacts_suppression IN ACCESS EXCLUSIVE MODE")
        stage.journal.write("unreadable")
        _wait(stage, lambda: False, seconds=UNREADABLE)
        stage.journal.write("readable")
    _until_finished(stage, made, seconds=seconds)
    return _told(made)


def overtaken(stage: Stage, spec: str, journal: Path, seconds: float) -> dict[str, Any]:
    """Somebody sleeps over a batch that is read, the lane goes to another one who has more urgent rows to send."""
    made, _ = players.campaign(stage)
    urgent = players.people(stage, players.next_numbers(stage, 2 * int(RATE)))
    _raise_curtain(stage, made, spec, journal)
    _wait(stage, lambda: any(hit["what"] == "hold" for hit in failpoints.read(journal)), seconds=15)
    assert made.sender is not None
    for contact in urgent:
        players.queue(stage, contact, made.sender)
    with watched() as most:
        _until_finished(stage, made, seconds=seconds)
    told = _told(made)
    return {**told, "phones": [*told["phones"], *(one.phone for one in urgent)], "most_submitting": dict(most)}


def clock(stage: Stage, spec: str, journal: Path, seconds: float) -> dict[str, Any]:
    """The worker is an hour ahead, and a campaign takes six seconds at its sender's rate."""
    made, _ = players.campaign(stage, count=2 * PEOPLE)
    hour = timedelta(hours=1)
    players.fork(stage, lambda: players.work(f"{spec};*=watch", journal, ahead=hour))
    _raise_curtain(stage, made, spec, journal, workers=0)
    _until_finished(stage, made, seconds=seconds)
    return _told(made)


def crossing(stage: Stage, spec: str, journal: Path, seconds: float) -> dict[str, Any]:
    """A campaign and single messages go to the same people at the same moment, in opposite orders."""
    small, snapshot.RANGE = snapshot.RANGE, CROWD
    try:
        made, people = players.campaign(stage, count=CROWD, rate=FAST, is_answered=True)
        other = players.sender(stage, rate=FAST)
        for contact in reversed(people):
            players.queue(stage, contact, other)
        assert made.sender is not None
        players.press_once(made.pk)
        while Campaign.objects.get(pk=made.pk).state != CampaignState.SENDING:
            pulse.start()
        stage.journal.write("launch", campaign=made.name, presses=1)
        _raise_curtain(stage, made, spec, journal)
        _until_finished(stage, made, seconds=seconds)
        left = OutboundMessage.objects.filter(sender=other)
        _wait(stage, lambda: not left.filter(state__in=("queued", "submitting")).exists(), seconds=seconds)
    finally:
        snapshot.RANGE = small
    time.sleep(1.5)  # the server's counts are that late
    return {**_told(made), "rates": dict.fromkeys((other.value, made.sender.value), FAST)}


SCENES: Mapping[str, Callable[[Stage, str, Path, float], dict[str, Any]]] = {
    "scene.unreadable": unreadable,
    "scene.overtaken": overtaken,
    "scene.clock": clock,
    "scene.crossing": crossing,
}


# --- Stagecraft -------------------------------------------------------------------------------------------


def _raise_curtain(stage: Stage, made: Campaign, spec: str, journal: Path, *, workers: int = 2) -> None:
    players.fork(stage, lambda: players.serve(stage, "", journal))
    for _ in range(workers):
        players.fork(stage, lambda: players.work(f"{spec};*=watch", journal))
    stage.journal.write("launch", campaign=made.name, presses=1)
    players.fork(stage, lambda: players.press(stage, [made.pk], "", journal))


def _wait(stage: Stage, until: Callable[[], bool], *, seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and not until():
        players.tend(stage)
        time.sleep(0.05)


def _until_finished(stage: Stage, made: Campaign, *, seconds: float) -> None:
    own = Campaign.objects.filter(pk=made.pk)
    _wait(stage, lambda: own.filter(state__in=("finished", "cancelled")).exists(), seconds=seconds)
    left = OutboundMessage.objects.filter(sender=made.sender, state__in=("queued", "submitting", "unknown"))
    _wait(stage, lambda: not left.exists(), seconds=10)


def _left(made: Campaign) -> int:
    return OutboundMessage.objects.filter(campaign=made, submit_no__gt=0).count()


def _told(made: Campaign) -> dict[str, Any]:
    assert made.sender is not None
    people = list(OutboundMessage.objects.filter(campaign=made).values_list("phone", flat=True))
    return {
        "campaigns": [made.name],
        "people": {made.name: people},
        "rates": {made.sender.value: made.sender.parts_per_second},
        "phones": people,
    }


@contextmanager
def watched() -> Any:
    """Most rows of a lane in `submitting` at once meanwhile, by sender; thirty looks a second."""
    most: Counter[str] = Counter()
    is_over = threading.Event()

    def look() -> None:
        rows = OutboundMessage.objects.filter(state="submitting").values_list("lane", "sender__value")
        while not is_over.wait(0.03):
            for _, value, count in rows.annotate(rows=Count("pk")).order_by():
                most[value] = max(most[value], count)
        connection.close()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        is_over.set()
        thread.join()


def deadlocks() -> int:
    """Of this database, as the server counts them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
