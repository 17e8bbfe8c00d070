"""What a condition may be given: each param reads its stored value strictly, and says what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smsdesk.errors import Invalid

Option = tuple[str, str]  # value in a form, label
LONGEST_TEXT = 200
MOST_VALUES = 100
MOST_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class Param:
    """One value of a condition. `read` takes what is stored; the others are its forms elsewhere."""

    name: str
    label: str
    widget: str  # text, texts, number, choice, choices: how a form asks for it
    read: Callable[[Any, str], Any]  # (value, field named in errors) → the value
    options: Callable[[], Sequence[Option]] | None = None
    is_required: bool = True
    hint: str = ""
    # Rows are stored by their key, which never leaves the house: these translate to and from the API's names.
    outward: Callable[[Any], Any] | None = None
    inward: Callable[[Any, str], Any] | None = None
    what: str = ""  # the kind of thing an API value names, for its documentation


def refuse(code: str, message: str, *, field: str, value: object = "", cure: str) -> Invalid:
    return Invalid(code, message, field=field, value=_shown(value), cure=cure)


def text(value: Any, field: str) -> str:
    """One line of 1 to 200 printable characters."""
    if not isinstance(value, str):
        raise refuse("not_a_text", "This is not a text.", field=field, value=value, cure="Send a string.")
    kept = value.strip()
    if not kept:
        raise refuse("empty", "Nothing is given here.", field=field, cure="Write what to look for.")
    if len(kept) > LONGEST_TEXT:
        cure = f"Use at most {LONGEST_TEXT} characters."
        raise refuse("too_long", "This text is too long.", field=field, value=kept, cure=cure)
    if not kept.isprintable():
        cure = "Remove line breaks and control characters."
        raise refuse(
            "not_printable", "This text has characters no contact has.", field=field, value=kept, cure=cure
        )
    return kept


def days(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_DAYS:
        cure = f"Use a whole number from 1 to {MOST_DAYS:,}."
        raise refuse("not_days", "This is not a number of days.", field=field, value=value, cure=cure)
    return value


def row_id(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**62:
        raise refuse("not_a_choice", "This is none of the choices.", field=field, value=value, cure="Choose one.")
    return value


def each(read: Callable[[Any, str], Any]) -> Callable[[Any, str], list[Any]]:
    """1 to 100 different values, each read by `read`."""

    def read_all(value: Any, field: str) -> list[Any]:
        if not isinstance(value, list):
            cure = "Send a list, even of one value."
            raise refuse("not_a_list", "This is not a list of values.", field=field, value=value, cure=cure)
        if not value:
            raise refuse("empty", "Nothing is chosen here.", field=field, cure="Give at least one value.")
        if len(value) > MOST_VALUES:
            cure = f"Use at most {MOST_VALUES}, or make a list of these people."
            raise refuse("too_many", "These are too many values.", field=field, value=len(value), cure=cure)
        return list(dict.fromkeys(read(one, f"{field}.{place}") for place, one in enumerate(value)))

    return read_all


def choice(options: Mapping[str, str]) -> Callable[[Any, str], str]:
    def read(value: Any, field: str) -> str:
        if not isinstance(value, str) or value not in options:
            cure = f"Known are: {', '.join(list(options)[:12])}."
            raise refuse("not_a_choice", "This is none of the choices.", field=field, value=value, cure=cure)
        return value

    return read


def by(clean: Callable[[str], str]) -> Callable[[Any, str], str]:
    """Read by the rule of a contact's field, the error named after the place in the segment's rule."""

    def read(value: Any, field: str) -> str:
        given = text(value, field)
        try:
            return clean(given)
        except Invalid as error:
            raise Invalid(error.code, error.message, field=field, value=error.value, cure=error.cure) from None

    return read


def _shown(value: object) -> str:
    return (value if isinstance(value, str) else repr(value))[:60]
