"""The current state of everybody, computed anew from the ledger and held against what the tables say.

Batch by batch of phones, in constant memory. Only what differs is written, under the contacts' locks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from contacts import settling
from contacts.models import ConsentEvent, ConsentState, Contact, Suppression
from contacts.standing import Standing, fold

_AT_ONCE = 500  # phones


@dataclass(frozen=True, slots=True)
class Difference:
    subscriber_key: str
    what: str


@dataclass(slots=True)
class Rebuilt:
    phones: int = 0
    written: int = 0
    kept: int = 0  # suppressions the ledger does not explain: they stand, doubt frees nobody


def first_difference() -> Difference | None:
    """Where the tables first say something else than the ledger; None when they agree."""
    for keys in _batches():
        for key, found in _differences(keys).items():
            return Difference(key, found)
    for model, name in ((ConsentState, "a state"), (Suppression, "a suppression")):
        key = _unknown_to_the_ledger(model).values_list("subscriber_key", flat=True).first()
        if key is not None:
            return Difference(key, f"{name} of a phone the ledger does not know")
    return None


def rebuild() -> Rebuilt:
    """Write what the ledger says wherever the tables say something else."""
    done = Rebuilt()
    for keys in _batches():
        done.phones += len(keys)
        if differing := list(_differences(keys)):
            done.written += len(differing)
            done.kept += _write(differing)
    _unknown_to_the_ledger(ConsentState).delete()
    done.kept += _unknown_to_the_ledger(Suppression).filter(lifted_by=None).count()
    return done


def _batches() -> Iterator[list[str]]:
    last = ""
    while True:
        later = ConsentEvent.objects.filter(subscriber_key__gt=last).order_by("subscriber_key")
        keys = list(later.values_list("subscriber_key", flat=True).distinct()[:_AT_ONCE])
        if not keys:
            return
        yield keys
        last = keys[-1]


def _differences(keys: Collection[str]) -> dict[str, str]:
    """Phone → the first thing its rows say that the ledger does not, or the other way round."""
    standings = {key: fold(events) for key, events in settling.events_of(keys).items()}
    states: dict[str, dict[Any, tuple[Any, ...]]] = defaultdict(dict)
    columns = [f"{name}_id" if name == "event" else name for name in settling.STATE_FIELDS]
    for key, brand_id, purpose, *values in ConsentState.objects.filter(subscriber_key__in=keys).values_list(
        "subscriber_key", "brand_id", "purpose", *columns
    ):
        states[key][brand_id, purpose] = tuple(values)
    causes: dict[str, dict[Any, tuple[Any, ...]]] = defaultdict(dict)
    for row in Suppression.objects.filter(subscriber_key__in=keys, lifted_by=None):
        causes[row.subscriber_key][row.brand_id, row.purpose] = (row.event_id, row.source, row.since)
    found = {}
    for key in keys:
        difference = _first(standings[key], states[key], causes[key])
        if difference:
            found[key] = difference
    return found


def _first(standing: Standing, states: Mapping[Any, Any], causes: Mapping[Any, Any]) -> str:
    agreed = {scope: settling.state_of(agreement) for scope, agreement in standing.agreements.items()}
    suppressed = {scope: (one.pk, one.source, one.occurred_at) for scope, one in standing.suppressions.items()}
    for name, ledger, table in (("state", agreed, states), ("suppression", suppressed, causes)):
        for brand_id, purpose in [*ledger, *(scope for scope in table if scope not in ledger)]:
            scope = (brand_id, purpose)
            if ledger.get(scope) != table.get(scope):
                where = f"{name} of brand {brand_id or 'every one'}, purpose {purpose}"
                return f"{where}: the ledger says {_said(ledger.get(scope))}, the table {_said(table.get(scope))}"
    return ""


def _said(values: tuple[Any, ...] | None) -> str:
    return "nothing" if values is None else ", ".join(str(value) for value in values)


@transaction.atomic
def _write(keys: Collection[str]) -> int:
    """Settle these phones; how many standing suppressions the ledger does not explain."""
    # Locked as every verb does, by id; then the ledger is read again: somebody may have appended.
    list(Contact.objects.filter(subscriber_key__in=keys).order_by("pk").select_for_update(no_key=True))
    events = settling.events_of(keys)
    kept = 0
    for key, history in events.items():
        standing = fold(history)
        for state in ConsentState.objects.filter(subscriber_key=key):
            if (state.brand_id, state.purpose) not in standing.agreements:
                state.delete()
        rows = Suppression.objects.filter(subscriber_key=key, lifted_by=None)
        known = standing.suppressions.keys() | standing.lifted.keys()
        kept += sum((row.brand_id, row.purpose) not in known for row in rows)
    settling.settle(events)
    return kept


def _unknown_to_the_ledger(model: type[ConsentState] | type[Suppression]) -> Any:
    known = ConsentEvent.objects.filter(subscriber_key=OuterRef("subscriber_key"))
    return model.objects.filter(~Exists(known)).order_by("pk")
