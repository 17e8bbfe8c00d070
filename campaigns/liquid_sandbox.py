"""Liquid with limits: which tags and filters a text may use, and where it goes wrong.

Values are words and numbers, never objects; what could run code, read elsewhere or eat time and memory is refused.
"""

import re
import threading
from collections.abc import Collection, Iterator
from typing import Any

from liquid import Environment, RenderContext, Undefined
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.exceptions import LiquidError

from smsdesk.errors import Invalid

LONGEST_BODY = 1600  # characters: what every gateway takes

# `replace`, `join` and `date` can be made to eat the memory; the rest is of no use on plain values.
_WORDS = ("append", "capitalize", "default", "downcase", "lstrip", "prepend", "remove", "rstrip", "size", "slice")
_MORE_WORDS = ("strip", "truncate", "truncatewords", "upcase")
_SUMS = ("abs", "at_least", "at_most", "ceil", "divided_by", "floor", "minus", "modulo", "plus", "round", "times")
_FILTERS = frozenset([*_WORDS, *_MORE_WORDS, *_SUMS])
# A value is never a list, so there is nothing to loop over (and `for … reversed` builds its whole range first).
_TAGS = frozenset(["assign", "capture", "case", "comment", "echo", "if", "unless", "raw", "#"])
_OF_THE_PARSER = frozenset(["content", "output", "illegal"])


class _Absent(Undefined):
    """A value that is not there: false, takes a default, and is noted when it would be printed."""

    __slots__ = ()
    force_liquid_default = True

    def __str__(self) -> str:
        _noted.names.append(_shown(self))
        return ""


class _Noted(threading.local):
    def __init__(self) -> None:
        self.names: list[str] = []


_noted = _Noted()


def _shown(absent: Undefined) -> str:
    """The whole path (attributes.city) where the hint has it, else the name."""
    hint = str(absent.hint or "")
    return hint.removesuffix(" is undefined").strip("'\"") or str(absent.name)


class _Sandbox(Environment):
    output_stream_limit = 4 * LONGEST_BODY  # bytes
    local_namespace_limit = 2000
    context_depth_limit = 10
    block_nesting_limit = 10

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in set(self.tags) - _TAGS - _OF_THE_PARSER:
            del self.tags[name]
        for name in set(self.filters) - _FILTERS:
            del self.filters[name]


_sandbox = _Sandbox(undefined=_Absent)


def parse(body: str) -> Any:
    """The Liquid template of `body`; raises `Invalid` (field "body") with the line where it cannot be read."""
    if len(body) > LONGEST_BODY:
        raise Invalid(
            "too_long",
            f"The text has {len(body):,} characters, at most {LONGEST_BODY:,} are allowed.",
            field="body",
            cure="Shorten it.",
        )
    try:
        bound = _sandbox.from_string(body)
        _refuse_unsafe(bound, body=body)
    except (LiquidError, RecursionError) as error:
        raise _invalid(body, _position(error, body), _reason(error)) from error
    return bound


def render(bound: Any, values: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The text, and the names of what it printed of values that are not there."""
    _noted.names = []
    body = bound.render(values)
    return body, tuple(dict.fromkeys(_noted.names))


def refuse_unknown_fields(bound: Any, *, body: str, fields: Collection[str], attributes: frozenset[str]) -> None:
    for path in paths(bound):
        if not _is_known(path, fields=fields, attributes=attributes):
            raise _unknown(path, body=body, fields=fields, attributes=attributes)


def refuse_changed(bound: Any, *, body: str, fields: Collection[str]) -> None:
    """These fields may be printed as they are and used in no other way: a link that was cut, or put into other
    letters, opens nothing, and is not known again where it must be hidden."""
    used = [path for path in paths(bound) if path[0] in fields]
    nodes = list(_nodes(bound)) if used else []
    printed = [node for node in nodes if type(node) is OutputNode and _is_plain(node.expression, fields)]
    if len(printed) != len(used) or (used and any(type(node) is CaptureNode for node in nodes)):
        name = used[0][0]
        raise _invalid(body, body.find(name), f"'{name}' is written as it is: {{{{ {name} }}}}, without filters")


def _is_plain(expression: Any, fields: Collection[str]) -> bool:
    is_bare = type(expression) is FilteredExpression and type(expression.left) is Path and not expression.filters
    return is_bare and len(expression.left.path) == 1 and expression.left.path[0] in fields


def _nodes(bound: Any) -> Iterator[Any]:
    context = RenderContext(bound)
    waiting = list(bound.nodes)
    while waiting:
        node = waiting.pop()
        waiting.extend(node.children(context))
        yield node


def _refuse_unsafe(bound: Any, *, body: str) -> None:
    """Filters we do not have (Liquid finds out at rendering only) and ranges, which eat time and memory."""
    for name, spans in bound.analyze(include_partials=False).filters.items():
        if name not in _FILTERS:
            known = ", ".join(sorted(_FILTERS))
            raise _invalid(body, spans[0].index, f"there is no filter '{name}' (there are: {known})")
    for path in paths(bound):
        if path == ["attributes"] or not isinstance(path[0], str):
            raise _invalid(body, body.find("{"), "name one attribute, like attributes.city")
    for node in _nodes(bound):
        expressions = list(node.expressions())
        while expressions:
            expression = expressions.pop()
            if isinstance(expression, RangeLiteral):
                raise _invalid(body, node.token.start_index, "ranges like (1..3) are not allowed")
            expressions.extend(expression.children())


def _invalid(body: str, position: int, reason: str) -> Invalid:
    return Invalid(
        "invalid_template",
        f"Line {body.count(chr(10), 0, max(position, 0)) + 1}: {reason}.",
        field="body",
        cure='Write fields as {{ first_name | default: "there" }}; every {% if %} needs its {% endif %}.',
    )


def _position(error: Exception, body: str) -> int:
    """Where in the text an error lies; where the parser names no place, what was opened last."""
    token = getattr(error, "token", None)
    if token is not None and token.start_index >= 0:
        return int(token.start_index)
    return max(body.rfind("{{"), body.rfind("{%"))


def _reason(error: Exception) -> str:
    message = str(getattr(error, "message", "") or "it is nested too deeply")
    return message.split("\n", 1)[0].rstrip(".")


def paths(bound: Any) -> list[list[Any]]:
    """Each path the text reads from outside, as segments."""
    analysis = bound.analyze(include_partials=False)
    return [list(variable.segments) for variables in analysis.globals.values() for variable in variables]


def dotted(path: list[Any]) -> str:
    return ".".join("[…]" if isinstance(segment, list) else str(segment) for segment in path)


def _unknown(path: list[Any], *, body: str, fields: Collection[str], attributes: frozenset[str]) -> Invalid:
    name = dotted(path)
    found = re.search(rf"{{[{{%][^}}]*{re.escape(str(path[-1]))}", body)
    line = body.count("\n", 0, found.start()) + 1 if found else 1
    known = ", ".join([*fields, *sorted(f"attributes.{name}" for name in attributes)][:30])
    return Invalid(
        "unknown_field",
        f"Line {line}: there is no field of this name.",
        field="body",
        value=name[:60],
        cure=f"Known fields: {known}.",
    )


def _is_known(path: list[Any], *, fields: Collection[str], attributes: frozenset[str]) -> bool:
    if not all(isinstance(segment, str) for segment in path):
        return False
    rest = path[1:]
    if path[0] == "attributes":
        if not rest or rest[0] not in attributes:
            return False
        rest = rest[1:]
    elif path[0] not in fields and path[0] not in attributes:
        return False
    return rest in ([], ["size"])
