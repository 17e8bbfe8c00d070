"""The text of a campaign for many people: those whose fields are alike get it rendered once."""

import json
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from django.db import connection
from django.db.models import F, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from campaigns import preference_links, rendering
from contacts import likeness
from smsdesk import packing

MOST_TEXTS = 20_000  # remembered at a time
_PLAIN = {"name": {"name", "first_name"}, "external_id": {"external_id"}, "language": {"language"}}
_WHOLE = "attributes"
Words = tuple[str | None, ...]
Place = tuple[str, str]  # a column of the contact, and which member of it ("" for all)


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """All that is counted of a text but its length. There is one object for all texts of a country, and of several
    senders from one, that have the same."""

    body: str | None  # one such text; None: nothing to be judged, since there is none or it cannot be sent
    fault: str  # what the judge has against it
    code: str  # why it cannot be sent
    missing: tuple[str, ...]
    parts: int


@dataclass(slots=True, eq=False)
class Text:
    """`units`: of one part, those of both encodings made comparable; 0 for what cannot be sent."""

    rendered: rendering.Rendered | None
    units: int
    effects: dict[str, Effect] = field(default_factory=dict)  # by country, and sender where there are several


class Texts:
    """`template` for everybody of one brand; None: nobody has written a text yet.

    `words`: what must be known of a person, for `likeness.Judge.people`.
    """

    def __init__(self, template: rendering.Template | None, *, brand: str, judge: likeness.Judge) -> None:
        self._template = template
        self._brand = brand
        self._judge = judge
        self._link = preference_links.example() if template and template.may_link_out else ""
        columns = _columns(template) if template else {}
        self._places, self.words = list(columns), list(columns.values())
        self._prints_country = template is not None and (template.names is None or "country" in template.names)
        self._known: dict[Words, Text] = {}
        self._effects: dict[tuple[Any, ...], Effect] = {}

    def of(self, group: likeness.Group) -> tuple[list[Text], list[Effect]]:
        """In the order of the group."""
        country = group.country
        printed = country if self._prints_country else ""
        if self._places:
            rows: Any = zip(*group.words, repeat(printed), strict=False)
            known = self._known.get
            texts = [known(words) or self._text(words) for words in rows]
        else:
            texts = [self._text((printed,))] * len(group.keys)
        place = country if group.sender is None else f"{country} {group.sender}"
        return texts, [text.effects.get(place) or self._effect(text, group, place) for text in texts]

    def _text(self, words: Words) -> Text:
        text = self._known.get(words)
        if text is None:
            if len(self._known) >= MOST_TEXTS:
                self._known.clear()
            rendered = self._rendered(words)
            units = 0
            if rendered is not None and not rendered.code:
                units = rendered.units * (160 if rendered.encoding == "ucs2" else 70)
            text = self._known[words] = Text(rendered, units)
        return text

    def _effect(self, text: Text, group: likeness.Group, place: str) -> Effect:
        rendered = text.rendered
        body, fault, code, parts = None, "", "", 0
        missing: tuple[str, ...] = ()
        if rendered is not None and rendered.code:
            code, missing = rendered.code, rendered.missing
        elif rendered is not None:
            body, parts = rendered.body, rendered.parts
            fault = self._judge.fault(body, group.country, sender=group.sender)
        # The example is judged for all: it must have no fault where they are, whatever it has elsewhere.
        key = (place, body is None, fault, code, missing, parts)
        found = self._effects.get(key)
        if found is None:
            found = self._effects[key] = Effect(body, fault, code, missing, parts)
        text.effects[place] = found
        return found

    def _rendered(self, words: Words) -> rendering.Rendered | None:
        if self._template is None:
            return None
        person: dict[str, Any] = {"country": words[-1]}
        attributes: dict[str, Any] = {}
        for (column, member), word in zip(self._places, words, strict=False):
            if not member:
                person[column] = json.loads(word or "null") if column == _WHOLE else word
            elif word is not None:
                attributes[member] = json.loads(word)
        person.setdefault(_WHOLE, attributes)
        names = self._template.names
        return self._template.render(rendering.fields_of(person, brand=self._brand, link=self._link, names=names))


def _columns(template: rendering.Template) -> dict[Place, Combinable]:
    """What the text can print of a contact; each attribute by itself where the database can tell it."""
    names, attributes = template.names, template.attributes
    found: dict[Place, Combinable] = {
        (column, ""): F(column) for column, used_as in _PLAIN.items() if names is None or names & used_as
    }
    if attributes is None or (attributes and connection.vendor != "postgresql"):
        found[_WHOLE, ""] = Cast(_WHOLE, TextField())
    else:
        found |= {(_WHOLE, name): packing.Member(F(_WHOLE), Cast(Value(name), TextField())) for name in attributes}
    return found
