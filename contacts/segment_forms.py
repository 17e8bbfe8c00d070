"""The segment builder: a rule as rows of a form. The server keeps the rows; a browser without script works too."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from contacts.segments import kinds, rules, values
from contacts.segments.values import Option, Param
from smsdesk.errors import Invalid

Path = tuple[int, ...]
_NAME = re.compile(r"rule((?:-\d{1,2}){0,3})-([a-z_]{1,20})")
_MOST_NAMES = 500


@dataclass(slots=True)
class Control:
    """One input of a row, as a template shows it."""

    name: str
    label: str
    widget: str
    given: list[str]
    options: Sequence[Option] = ()
    hint: str = ""
    is_required: bool = True

    @property
    def text(self) -> str:
        return ", ".join(self.given)


@dataclass(slots=True)
class Row:
    """A condition that is being written; `kind` may still be empty."""

    path: Path
    kind: str = ""
    operator: str = ""
    given: dict[str, list[str]] = field(default_factory=dict)
    error: str = ""
    is_new: bool = False

    @property
    def name(self) -> str:
        return _name(self.path)

    @property
    def number(self) -> str:
        return ".".join(str(place + 1) for place in self.path)

    @property
    def operators(self) -> list[Option]:
        kind = kinds.known().get(self.kind)
        return [(name, one.label) for name, one in kind.operators.items()] if kind else []

    @property
    def before(self) -> list[Control]:
        kind = kinds.known().get(self.kind)
        return [self._control(param) for param in kind.params] if kind else []

    @property
    def after(self) -> list[Control]:
        kind = kinds.known().get(self.kind)
        return [self._control(param) for param in kind.operators[self.operator].params] if kind else []

    def _control(self, param: Param) -> Control:
        return Control(
            name=f"{self.name}-{param.name}",
            label=param.label,
            widget=param.widget,
            given=self.given.get(param.name, []),
            options=param.options() if param.options else (),
            hint=param.hint,
            is_required=param.is_required,
        )

    def settle(self) -> None:
        """The operator belongs to the kind: choosing another kind begins with its first."""
        kind = kinds.known().get(self.kind)
        if kind is None:
            self.kind = self.operator = ""
        elif self.operator not in kind.operators:
            self.operator = next(iter(kind.operators))

    def as_rule(self) -> dict[str, Any]:
        if not self.kind:
            return {"kind": ""}
        found: dict[str, Any] = {"kind": self.kind, "operator": self.operator}
        for param in kinds.known()[self.kind].params_of(self.operator):
            value = _from_form(param, self.given.get(param.name, []))
            if value not in (None, "", []):
                found[param.name] = value
        return found


@dataclass(slots=True)
class Rows:
    """A group that is being written."""

    path: Path = ()
    match: str = "all"
    parts: "list[Row | Rows]" = field(default_factory=list)
    is_group: bool = True

    @property
    def name(self) -> str:
        return _name(self.path)

    @property
    def number(self) -> str:
        return ".".join(str(place + 1) for place in self.path)

    @property
    def may_nest(self) -> bool:
        return len(self.path) + 1 < rules.DEEPEST

    @property
    def matches(self) -> list[Option]:
        return list(rules.MATCHES.items())

    def as_rule(self) -> dict[str, Any]:
        return {"match": self.match, "conditions": [part.as_rule() for part in self.parts]}


def of_rule(rule: Any) -> Rows:
    """The rows of a stored rule; an empty one begins with one row to fill in."""
    if not rule:
        return Rows(parts=[Row((0,))])
    made = _of_part(rule, ())
    assert isinstance(made, Rows)
    return made


def of_post(post: QueryDict) -> Rows:
    """The rows as they were sent, whatever they hold."""
    found: dict[Path, dict[str, list[str]]] = {}
    for name in list(post)[:_MOST_NAMES]:
        matched = _NAME.fullmatch(name)
        if matched:
            path = tuple(int(place) for place in matched[1].split("-")[1:])
            found.setdefault(path, {})[matched[2]] = [str(one) for one in post.getlist(name)]
    top = _of_fields((), found)
    assert isinstance(top, Rows)
    return _numbered(top)


def act(top: Rows, do: str) -> Rows:
    """Do what a button of the builder says: add, group, remove (each with a place), refresh."""
    verb, path = _read(do)
    group = _find(top, path if verb in ("add", "group") else path[:-1])
    if group is None:
        return top
    if verb == "add":
        group.parts.append(Row((), is_new=True))
    elif verb == "group" and group.may_nest:
        group.parts.append(Rows(match="any", parts=[Row((), is_new=True)]))
    elif verb == "remove" and path and path[-1] < len(group.parts):
        del group.parts[path[-1]]
        if not top.parts:
            top.parts.append(Row((), is_new=True))
    return _numbered(top)


def refreshed(top: Rows, do: str) -> Row | None:
    """The row whose fields are asked for, because what it asks was changed."""
    verb, path = _read(do)
    group = _find(top, path[:-1])
    if verb != "refresh" or not path or group is None or path[-1] >= len(group.parts):
        return None
    part = group.parts[path[-1]]
    return part if isinstance(part, Row) else None


def check(top: Rows) -> bool:
    """Mark each row that cannot be read with what is wrong and the cure; whether all can."""
    for row in _rows(top):
        try:
            rules.parse({"match": "all", "conditions": [row.as_rule()]})
        except Invalid as error:
            row.error = "Choose what to ask." if not row.kind else f"{error.message} {error.cure}"
            if error.value and row.kind:
                row.error = f"{error.message} (given: {error.value}) {error.cure}"
    return not any(row.error for row in _rows(top))


def groups_of_kinds() -> dict[str, list[Option]]:
    """The choices of a row by their heading."""
    found: dict[str, list[Option]] = {}
    for kind in kinds.known().values():
        found.setdefault(kind.group, []).append((kind.name, kind.label))
    return found


def _read(do: str) -> tuple[str, Path]:
    verb, _, place = do.partition("-")
    return verb, tuple(int(one) for one in place.split("-") if one.isascii() and one.isdigit())


def _of_part(part: Mapping[str, Any], path: Path) -> Row | Rows:
    if "conditions" in part:
        inner = [_of_part(one, (*path, place)) for place, one in enumerate(part["conditions"])]
        return Rows(path, part["match"], inner)
    given = {
        name: [str(one) for one in (value if isinstance(value, list) else [value])]
        for name, value in part.items()
        if name not in ("kind", "operator")
    }
    return Row(path, part["kind"], part["operator"], given)


def _of_fields(path: Path, found: Mapping[Path, dict[str, list[str]]]) -> Row | Rows:
    own = found.get(path, {})
    if path and "match" not in own:
        return Row(path, _first(own, "kind"), _first(own, "operator"), own)
    match = _first(own, "match")
    places = sorted({other[len(path)] for other in found if len(other) > len(path) and other[: len(path)] == path})
    inner = [_of_fields((*path, place), found) for place in places]
    return Rows(path, match if match in rules.MATCHES else "all", inner)


def _numbered(top: Rows) -> Rows:
    """Places are counted anew after a change; rows are settled."""
    for place, part in enumerate(top.parts):
        part.path = (*top.path, place)
        if isinstance(part, Rows):
            _numbered(part)
        else:
            part.settle()
    return top


def _find(top: Rows, path: Path) -> Rows | None:
    for place in path:
        part = top.parts[place] if place < len(top.parts) else None
        if not isinstance(part, Rows):
            return None
        top = part
    return top


def _rows(top: Rows) -> Iterator[Row]:
    for part in top.parts:
        if isinstance(part, Rows):
            yield from _rows(part)
        else:
            yield part


def _from_form(param: Param, given: Sequence[str]) -> Any:
    """What was typed or chosen, in the form in which a rule keeps it; nonsense stays for the rule to refuse."""
    if param.widget == "texts":
        return [one.strip() for text in given for one in text.split(",") if one.strip()]
    if param.widget == "choices":
        return [_number(one) for one in given if one]
    first = given[0].strip() if given else ""
    is_number = param.widget == "number" or param.read is values.row_id
    return _number(first) if is_number and first else first


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text


def _name(path: Path) -> str:
    return "-".join(("rule", *map(str, path)))


def _first(own: Mapping[str, list[str]], name: str) -> str:
    return own.get(name, [""])[0]
