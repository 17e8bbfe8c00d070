"""The kinds of conditions a segment may be made of: a register that every app fills with what it knows.

An app describes its conditions in a module `segment_conditions`, which is loaded at start. Each operator turns
its values into a `Q` over `Contact` that is never NULL, because a rule also serves to leave people out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from contacts.segments.values import Param

Values = Mapping[str, Any]
Where = Callable[[Values, datetime], Q]


@dataclass(frozen=True, slots=True)
class Operator:
    label: str
    where: Where
    params: tuple[Param, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """What is asked of a contact. `params` come before the operator, those of the operator after it."""

    name: str
    label: str
    group: str
    operators: Mapping[str, Operator]
    params: tuple[Param, ...] = ()

    def params_of(self, operator: str) -> tuple[Param, ...]:
        return (*self.params, *self.operators[operator].params)


_KINDS: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    for kind in kinds:
        assert kind.name not in _KINDS, f"two kinds of conditions are called {kind.name}"
        _KINDS[kind.name] = kind


def known() -> Mapping[str, Kind]:
    return _KINDS
