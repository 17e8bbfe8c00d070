"""Marketers' texts: Liquid over plain values, with limits, and never a value that is rendered again.

Fields: those of `FIELDS`, `attributes.<name>`, and bare `<name>` where no field of that name exists. A field a
contact lacks is absent; printed without `| default:` it keeps that person's message back (`Rendered.code`).
Values are cleaned once, in `fields_of`: control characters, direction overrides and NUL go, line breaks and tabs
become one space, ends are trimmed, lists and objects are absent. So a value can neither forge a line nor hide one.
"""

import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path, StringLiteral
from liquid.builtin.output import OutputNode
from liquid.exceptions import LiquidError

from campaigns import liquid_sandbox
from smsdesk import sms_text
from smsdesk.errors import Invalid

# What a text may name of a contact, besides its attributes.
LINKS = ("preference_link", "optout_link")  # the page on which a person chooses, or stops everything
FIELDS = ("first_name", "name", "external_id", "country", "language", "brand", *LINKS)
LONGEST_BODY = liquid_sandbox.LONGEST_BODY
LONGEST_VALUE = 500

FIELD_EMPTY = "FIELD_EMPTY"
TEXT_EMPTY = "TEXT_EMPTY"
TEXT_TOO_LONG = "TEXT_TOO_LONG"
TEXT_FAILED = "TEXT_FAILED"
SENTENCES = {
    FIELD_EMPTY: "Not sent: the text needs a value this person does not have ({fields}), and names no default.",
    TEXT_EMPTY: "Not sent: for this person the text comes out empty.",
    TEXT_TOO_LONG: "Not sent: for this person the text is longer than 1,600 characters.",
    TEXT_FAILED: "Not sent: the text cannot be worked out for this person; it may use a word as a number.",
}


class Rendered(NamedTuple):
    """A text for one person. Send it only where `code` is empty; else `code` says why not, `missing` what lacks."""

    body: str
    encoding: str
    parts: int
    missing: tuple[str, ...]
    code: str
    units: int = 0  # of its encoding, as in `sms_text.Measure`


class _Step(NamedTuple):
    """Plain text, or (key "") a value: `owner` "attributes" or "", `fallback` None where there is no default."""

    text: str
    owner: str
    key: str
    fallback: str | None


_NOTHING: Mapping[str, Any] = {}


class Template:
    """A compiled text. `fields` are the paths it names ("first_name", "attributes.city")."""

    def __init__(self, body: str, bound: Any) -> None:
        self.body = body
        self.fields = tuple(sorted({liquid_sandbox.dotted(path) for path in liquid_sandbox.paths(bound)}))
        self._bound = bound
        self._steps = _plan(bound)
        # All that a plain text can print, so that nothing else need be worked out for it; None: anything.
        self.names = None if self._steps is None else frozenset(step.key for step in self._steps if step.key)
        # Which of the contact's attributes are among them.
        self.attributes = None if self._steps is None else frozenset(map(_attribute, self._steps)) - {""}
        self._constant = None
        if self._steps is not None and not self.fields:
            self._constant = self._measured("".join(step.text for step in self._steps), ())
        # In a text with conditions nobody can tell: such a one is not relied on to carry it.
        self.always_links_out = any(step.key in LINKS and not step.owner for step in self._steps or ())

    @property
    def may_link_out(self) -> bool:
        return any(name in LINKS for name in self.fields)

    def render(self, values: Mapping[str, Any]) -> Rendered:
        """The text for one person; `values` come from `fields_of`. Never raises for what the values hold."""
        if self._constant is not None:
            return self._constant
        if self._steps is not None:
            return self._quick(values, self._steps)
        try:
            body, missing = liquid_sandbox.render(self._bound, dict(values))
        # Liquid lets some errors of Python through (a number too large, a wrong type in a filter).
        except (LiquidError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            code = TEXT_TOO_LONG if "limit" in type(error).__name__.lower() else TEXT_FAILED
            return Rendered("", "", 0, ("text",), code)
        return self._measured(body, missing)

    def refuse_what_cannot_be_saved(self, attributes: frozenset[str]) -> None:
        liquid_sandbox.refuse_unknown_fields(self._bound, body=self.body, fields=FIELDS, attributes=attributes)
        liquid_sandbox.refuse_changed(self._bound, body=self.body, fields=LINKS)

    def _quick(self, values: Mapping[str, Any], steps: tuple[_Step, ...]) -> Rendered:
        pieces: list[str] = []
        missing: tuple[str, ...] = ()
        for text, owner, key, fallback in steps:
            if not key:
                pieces.append(text)
                continue
            value = (values.get(owner, _NOTHING) if owner else values).get(key)
            if value is None or (value is False and fallback is not None):
                if fallback is None:
                    missing = (*missing, f"{owner}.{key}" if owner else key)
                else:
                    pieces.append(fallback)
            else:
                pieces.append(value if type(value) is str else _printed(value))
        return self._measured("".join(pieces), tuple(dict.fromkeys(missing)) if missing else missing)

    def _measured(self, body: str, missing: tuple[str, ...]) -> Rendered:
        if not body.isascii() or "\r" in body:
            body = sms_text.clean(body)
        measure = sms_text.measure(body)
        code = ""
        if missing:
            code = FIELD_EMPTY
        elif not body or body.isspace():
            code = TEXT_EMPTY
        elif len(body) > LONGEST_BODY:
            code = TEXT_TOO_LONG
        return Rendered(body, measure.encoding, measure.parts, missing, code, measure.units)


def compile(body: str, *, attributes: frozenset[str] | None = None) -> Template:
    """The template of `body`; raises `Invalid` (field "body") with the line where it cannot be read.

    `attributes`: names contacts are known to have. Given (when a text is saved), a name that is neither a field
    nor one of them is refused; at sending it is merely absent, which keeps that message back.
    """
    template = _compiled(body.replace("\r\n", "\n").replace("\r", "\n"))
    if attributes is not None:
        template.refuse_what_cannot_be_saved(attributes)
    return template


def links_out(body: str) -> bool:
    """Whether every text made from `body` carries the address of the person's own page."""
    try:
        return compile(body).always_links_out
    except Invalid:
        return False


def fields_of(
    contact: Mapping[str, Any], *, brand: str, link: str = "", names: Collection[str] | None = None
) -> dict[str, Any]:
    """The values of one contact for `Template.render`, cleaned; an empty one is absent, as is one not in `names`.

    `contact` has name, external_id, country, language, attributes (as from `.values()`); more is ignored. `link`
    is the address of the person's own page, made only where a text names it (`Template.may_link_out`).
    """
    values: dict[str, Any] = {}
    raw = contact.get("attributes")
    attributes: dict[str, Any] = {}
    if isinstance(raw, dict):
        for key, value in raw.items():
            if names is not None and key not in names:
                continue
            kept = _cleaned(value)
            if kept is not None:
                attributes[key] = kept
        values.update(attributes)
    values["attributes"] = attributes
    for name in ("name", "external_id", "country", "language"):
        if names is None or name in names:
            _put(values, name, contact.get(name))
    if names is None or "first_name" in names:
        whole = _cleaned(contact.get("name"))
        _put(values, "first_name", whole.split(" ", 1)[0] if isinstance(whole, str) else None)
    if names is None or "brand" in names:
        _put(values, "brand", brand)
    for name in LINKS:
        _put(values, name, link)
    return values


def _put(values: dict[str, Any], name: str, value: object) -> None:
    """Set a field; where the contact has none, an attribute of that name does not stand in for it."""
    kept = _cleaned(value)
    if kept is None:
        values.pop(name, None)
    else:
        values[name] = kept


def _cleaned(value: object) -> str | int | float | None:
    if isinstance(value, str):
        # Almost every value is printable: one fast question instead of a walk over its characters.
        if not value.isprintable():
            value = "".join(map(_plain, value))
        if not value.isascii():
            value = unicodedata.normalize("NFC", value)
        return value.strip()[:LONGEST_VALUE] or None
    return value if isinstance(value, int | float) else None


_DIRECTION_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\n\r\t" or category in ("Zs", "Zl", "Zp"):
        return " "
    if category in ("Cc", "Cs") or character in _DIRECTION_OVERRIDES:
        return ""
    return character


def _printed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=256)
def _compiled(body: str) -> Template:
    return Template(body, liquid_sandbox.parse(body))


def _plan(bound: Any) -> tuple[_Step, ...] | None:
    """The text as steps, where it is only words and fields with or without a literal default; else None."""
    steps = []
    for node in bound.nodes:
        if type(node) is ContentNode:
            steps.append(_Step(node.text, "", "", None))
            continue
        step = _value_step(node.expression) if type(node) is OutputNode else None
        if step is None:
            return None
        steps.append(step)
    return tuple(steps)


def _attribute(step: _Step) -> str:
    """The attribute a step prints; "" for a field of `FIELDS` and for plain text."""
    return "" if not step.owner and step.key in FIELDS else step.key


def _value_step(expression: Any) -> _Step | None:
    if type(expression) is not FilteredExpression or type(expression.left) is not Path:
        return None
    path = expression.left.path
    simple = len(path) == 1 and isinstance(path[0], str) and path[0] != "attributes"
    dotted = len(path) == 2 and path[0] == "attributes" and isinstance(path[1], str)
    if not (simple or dotted):
        return None
    fallback = None
    if expression.filters:
        only = expression.filters[0]
        literal = getattr(only.args[0], "value", None) if len(only.args) == 1 else None
        if len(expression.filters) > 1 or only.name != "default" or not isinstance(literal, StringLiteral):
            return None
        fallback = str(literal.value)
    return _Step("", "attributes" if dotted else "", str(path[-1]), fallback)
