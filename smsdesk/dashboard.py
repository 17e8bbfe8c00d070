"""The first page and the navigation: what each app puts there.

An app registers functions in `<app>/dashboard.py`, which its admin package imports; a person sees only the parts
they have the permission for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Max
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from smsdesk import clock
from smsdesk.models import Heartbeat

# A tick each 60 s, up to 30 s late, after a task of 20 s: older than this, nothing is being sent.
SILENCE = timedelta(seconds=120)
CHART_DAYS = 14


@dataclass(frozen=True, slots=True)
class Figure:
    """A card: one number with what it is measured against."""

    label: str
    value: str
    hint: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for a person. `colour` is a pill's: bad, wait, busy, ok, off.

    `why` says more below it, with `word` in the pill instead of the count; `button` posts to `button_url`.
    """

    label: str
    count: int
    url: str
    colour: str = "wait"
    why: str = ""
    word: str = "stopped"
    button: str = ""
    button_url: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What stands in red above every page until somebody has acted. `button` posts to `button_url`."""

    what: str
    why: str
    url: str
    link: str
    button: str = ""
    button_url: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that is under way; `pause_url` takes a POST."""

    name: str
    state: str
    colour: str
    url: str
    done: int
    total: int
    pause_url: str = ""

    @property
    def percent(self) -> int:
        return self.done * 100 // self.total if self.total else 0


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class Lesson:
    """A step of the first-run checklist."""

    text: str
    is_done: bool
    url: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of the chart: its counts per day, the earliest first, `CHART_DAYS` of them."""

    name: str
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Moment:
    """Who looks, and when: what a part may depend on."""

    request: HttpRequest
    now: datetime

    def midnight(self) -> datetime:
        """Begin of the operator's day."""
        return timezone.localtime(self.now).replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def user(self) -> User:
        assert isinstance(self.request.user, User)  # the admin lets nobody else come this far
        return self.request.user

    def may(self, permission: str) -> bool:
        return self.user.has_perm(permission)


Shown = TypeVar("Shown", Alarm, Figure, Need, Progress, Link, Lesson, Series)


class Place(Generic[Shown]):
    """A part of the page that apps add to; in `order`, then as registered."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, str, Callable[[Moment], Iterable[Shown]]]] = []

    def add(
        self, *, permission: str, order: int = 50
    ) -> Callable[[Callable[[Moment], Iterable[Shown]]], Callable[[Moment], Iterable[Shown]]]:
        """Decorate a function of the moment; it is only called for people who have `permission`."""

        def keep(make: Callable[[Moment], Iterable[Shown]]) -> Callable[[Moment], Iterable[Shown]]:
            self._parts.append((order, permission, make))
            self._parts.sort(key=lambda part: part[0])
            return make

        return keep

    def shown(self, moment: Moment) -> list[Shown]:
        return [one for _, permission, make in self._parts if moment.may(permission) for one in make(moment)]


alarms: Place[Alarm] = Place()
figures: Place[Figure] = Place()
needs: Place[Need] = Place()
under_way: Place[Progress] = Place()
quick_actions: Place[Link] = Place()
navigation: Place[Link] = Place()
lessons: Place[Lesson] = Place()
chart: Place[Series] = Place()


def contents(request: HttpRequest) -> dict[str, Any]:
    """What `admin/index.html` shows."""
    moment = Moment(request, timezone.now())
    steps = lessons.shown(moment)
    return {
        "worker_is_silent": worker_is_silent(),
        "figures": figures.shown(moment),
        "needs": [need for need in needs.shown(moment) if need.count],
        "under_way": under_way.shown(moment),
        "quick_actions": quick_actions.shown(moment),
        "lessons": [] if request.session.get(DISMISSED) or all(step.is_done for step in steps) else steps,
        "chart_rows": _chart_rows(moment),
        "zone": timezone.get_current_timezone_name(),
        "simulator_url": settings.SIMULATOR_URL,
    }


DISMISSED = "checklist_dismissed"


def worker_is_silent() -> bool:
    """No worker has shown progress for two minutes, or none ever has."""
    newest = Heartbeat.objects.aggregate(newest=Max("beat_at"))["newest"]
    return newest is None or newest < clock.database_now() - SILENCE


def navigation_for(request: HttpRequest) -> list[dict[str, Any]]:
    """The header's links; the one whose pages one is on is marked."""
    links = [Link("Dashboard", reverse("admin:index")), *navigation.shown(Moment(request, timezone.now()))]
    if settings.SIMULATOR_URL:
        links.append(Link("Handsets", f"{settings.SIMULATOR_URL}/phones", is_outside=True))
    return [
        {
            "label": link.label,
            "url": link.url,
            "is_outside": link.is_outside,
            "is_here": request.path == link.url
            or (link.url != reverse("admin:index") and request.path.startswith(link.url)),
        }
        for link in links
    ]


def alarms_for(request: HttpRequest) -> list[Alarm]:
    return alarms.shown(Moment(request, timezone.now()))


def _chart_rows(moment: Moment) -> list[tuple[str, dict[str, int]]]:
    shown = chart.shown(moment)
    if not any(sum(series.counts) for series in shown):
        return []
    first = moment.midnight().date() - timedelta(days=CHART_DAYS - 1)
    return [
        (f"{first + timedelta(days=day):%b %d}", {series.name: series.counts[day] for series in shown})
        for day in range(CHART_DAYS)
    ]
