"""Numbers as the carrier reads them: `+` and digits inside, whatever the dialect writes."""

import re

_number = re.compile(r"\+?([1-9][0-9]{6,14})").fullmatch
_long_digits = re.compile(r"[0-9]{9,15}").fullmatch


def digits(number: str) -> str:
    """The digits of an international number with or without its +; "" when it is none."""
    match = _number(number)
    return match[1] if match else ""


def with_plus(sender: str) -> str:
    """A sender with its +; short codes and names stay as they are."""
    return f"+{sender}" if _long_digits(sender) else sender
