"""The rule of a segment: read from JSON strictly, and turned into one condition of one query.

{"match": "all", "conditions": [
    {"kind": "country", "operator": "is_any_of", "values": ["US"]},
    {"match": "any", "conditions": [ … ]}
]}
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from contacts.models import Contact, ContactList, Tag
from contacts.segments import joining, kinds
from contacts.segments.values import refuse

DEEPEST = 3  # the rule itself, groups in it, and groups in those
MOST_CONDITIONS = 30
MATCHES = {"all": "all of these", "any": "any of these"}


@dataclass(frozen=True, slots=True)
class Condition:
    kind: kinds.Kind
    operator: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    match: str
    parts: tuple["Condition | Group", ...]


def parse(rule: Any) -> Group:
    """The rule as a tree; raises `Invalid` that names the place, the value and the cure."""
    if not isinstance(rule, dict):
        cure = 'Send {"match": "all", "conditions": [ … ]}.'
        raise refuse("not_a_rule", "A rule is an object.", field="rule", value=rule, cure=cure)
    parsed = _group(rule, field="rule", depth=1)
    if sum(1 for _ in conditions(parsed)) > MOST_CONDITIONS:
        cure = f"Use at most {MOST_CONDITIONS}."
        raise refuse("too_many_conditions", "These are too many conditions.", field="rule", cure=cure)
    return parsed


def stored(part: Group | Condition) -> dict[str, Any]:
    """As it is kept, with each value in its one form."""
    if isinstance(part, Condition):
        return {"kind": part.kind.name, "operator": part.operator, **part.values}
    return {"match": part.match, "conditions": [stored(one) for one in part.parts]}


def conditions(group: Group) -> Iterator[Condition]:
    for part in group.parts:
        if isinstance(part, Condition):
            yield part
        else:
            yield from conditions(part)


def where(rule: Any, *, at: datetime) -> Q:
    """The rule as a condition on `Contact` that is never NULL; days count from `at`."""
    return _where(parse(rule), at=at)


def people(rule: Any, *, at: datetime) -> "QuerySet[Contact]":
    """Whom the rule fits at `at`: one query, whatever the rule."""
    return Contact.objects.filter(where(rule, at=at))


def lists_of(rule: Any) -> set[int]:
    """Keys of the lists the rule names."""
    return _keys(rule, "lists")


def tags_of(rule: Any) -> set[int]:
    """Keys of the tags the rule names."""
    return _keys(rule, "tags")


def refuse_missing(rule: Any) -> None:
    """A list or a tag that is gone would silently change whom the rule fits."""
    cure = "Choose another one in the segment."
    named = lists_of(rule)
    if named and ContactList.objects.filter(pk__in=named).count() != len(named):
        raise refuse("list_is_gone", "A list that this rule names is not there.", field="rule", cure=cure)
    named = tags_of(rule)
    if named and Tag.objects.filter(pk__in=named).count() != len(named):
        raise refuse("tag_is_gone", "A tag that this rule names is not there.", field="rule", cure=cure)


def outward(rule: Any) -> dict[str, Any]:
    """The rule as the API shows it: rows by their public names."""
    shown: dict[str, Any] = _translated(
        stored(parse(rule)), lambda param, value, _: param.outward(value) if param.outward else value
    )
    return shown


def inward(rule: Any) -> Any:
    """A rule given to the API, rows by their keys; what is not understood is left for `parse` to refuse."""
    return _translated(rule, lambda param, value, field: param.inward(value, field) if param.inward else value)


def _keys(rule: Any, name: str) -> set[int]:
    found: set[int] = set()
    for condition in conditions(parse(rule)):
        found.update(condition.values.get(name, ()))
    return found


def _group(rule: Mapping[str, Any], *, field: str, depth: int) -> Group:
    if depth > DEEPEST:
        cure = "Take the inner group out."
        raise refuse("too_deep", "Groups may be nested twice, not deeper.", field=field, cure=cure)
    _refuse_unknown(rule, ("match", "conditions"), field=field)
    match = rule.get("match", "")
    if not isinstance(match, str) or match not in MATCHES:
        cure = "Use all or any."
        raise refuse("unknown_match", "This is no way to match.", field=f"{field}.match", value=match, cure=cure)
    parts = rule.get("conditions")
    if not isinstance(parts, list) or not parts:
        cure = "Give a list of at least one condition."
        raise refuse("no_conditions", "A group without conditions.", field=f"{field}.conditions", cure=cure)
    if len(parts) > MOST_CONDITIONS:
        cure = f"Use at most {MOST_CONDITIONS}."
        raise refuse("too_many_conditions", "Too many conditions.", field=f"{field}.conditions", cure=cure)
    read = (_part(one, field=f"{field}.conditions.{place}", depth=depth) for place, one in enumerate(parts))
    return Group(match, tuple(read))


def _part(part: Any, *, field: str, depth: int) -> Group | Condition:
    if not isinstance(part, dict):
        cure = "Send an object with kind and operator, or a group."
        raise refuse("not_a_condition", "This is not a condition.", field=field, value=part, cure=cure)
    if "conditions" in part or "match" in part:
        return _group(part, field=field, depth=depth + 1)
    return _condition(part, field=field)


def _condition(part: Mapping[str, Any], *, field: str) -> Condition:
    kind = _one_of(kinds.known(), part.get("kind"), what="condition", field=f"{field}.kind")
    operator = part.get("operator")
    _one_of(kind.operators, operator, what="operator of this condition", field=f"{field}.operator")
    params = kind.params_of(str(operator))
    _refuse_unknown(part, ("kind", "operator", *(param.name for param in params)), field=field)
    values: dict[str, Any] = {}
    for param in params:
        given = part.get(param.name)
        if given is None and not param.is_required:
            continue
        if given is None:
            cure = f"Give {param.label.lower()}."
            raise refuse("missing", "This is not given.", field=f"{field}.{param.name}", cure=cure)
        values[param.name] = param.read(given, f"{field}.{param.name}")
    return Condition(kind, str(operator), values)


def _one_of(known: Mapping[str, Any], name: Any, *, what: str, field: str) -> Any:
    if isinstance(name, str) and name in known:
        return known[name]
    cure = f"Known are: {', '.join(sorted(known))}."
    shown = name if name is not None else ""
    raise refuse("unknown", f"There is no {what} of this name.", field=field, value=shown, cure=cure)


def _refuse_unknown(given: Mapping[str, Any], names: tuple[str, ...], *, field: str) -> None:
    for name in given:
        if name not in names:
            cure = f"Known here are: {', '.join(names)}."
            raise refuse(
                "unknown_field", "There is no field of this name here.", field=field, value=name, cure=cure
            )


def _where(part: Group | Condition, *, at: datetime) -> Q:
    if isinstance(part, Condition):
        return part.kind.operators[part.operator].where(part.values, at)
    join = joining.all_of if part.match == "all" else joining.any_of
    return join([_where(one, at=at) for one in part.parts])


def _translated(part: Any, change: Callable[[Any, Any, str], Any], *, field: str = "rule", depth: int = 0) -> Any:
    """The same rule with the values of its params changed; whatever is no rule stays as it is."""
    if not isinstance(part, dict) or depth > DEEPEST:
        return part
    if isinstance(part.get("conditions"), list):
        inner = [
            _translated(one, change, field=f"{field}.conditions.{place}", depth=depth + 1)
            for place, one in enumerate(part["conditions"])
        ]
        return {**part, "conditions": inner}
    name, operator = part.get("kind"), part.get("operator")
    kind = kinds.known().get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(operator, str) or operator not in kind.operators:
        return part
    params = {param.name: param for param in kind.params_of(operator)}
    return {
        key: change(params[key], value, f"{field}.{key}") if key in params and value is not None else value
        for key, value in part.items()
    }
