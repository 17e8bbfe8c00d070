"""The parts that need people with a history: made once by `crowd`, each part in a process of its own."""

from collections.abc import Callable

from tests import world

Figures = dict[str, object]


def fill(desk: world.World, rows: int) -> None:
    desk.python("tests.benchmarks.contacts.crowd", str(rows))


def _of(name: str) -> Callable[[world.World, int], Figures]:
    def measure(desk: world.World, rows: int) -> Figures:
        return dict(desk.python(f"tests.benchmarks.contacts.{name}_work"))

    return measure


PARTS = {name: _of(name) for name in ("export", "segments", "waterfall", "search")}
