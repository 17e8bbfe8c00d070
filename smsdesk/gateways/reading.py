"""What others send us, read with distrust: every reader gives a harmless value or says there is none."""

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

ID_LIMIT = 128
_DAY = 86_400.0


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; empty where there is none. NaN, which no database stores, counts as broken."""
    try:
        said = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _refuse(constant: str) -> float:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list, in order; whatever else stands in it is passed over."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def identifier(value: object) -> str:
    """An id of theirs: 1 to 128 printable ASCII characters without blanks; else ""."""
    if isinstance(value, str) and 0 < len(value) <= ID_LIMIT and value.isascii() and value.isprintable():
        return value if " " not in value else ""
    return ""


def code(value: object) -> str:
    """A code of theirs, a number or a short word, as text; else ""."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value) if 0 <= value < 10**9 else ""
    return value if isinstance(value, str) and len(value) <= 40 and identifier(value) else ""


def word(value: object) -> str:
    """A status word of theirs, at most 60 characters."""
    return text(value, limit=60).strip()


def text(value: object, *, limit: int) -> str:
    """Text that every database stores: no NUL, no lone surrogate, at most `limit` characters."""
    if not isinstance(value, str):
        return ""
    kept = value[:limit].replace("\x00", "")
    return kept.encode("utf-8", "ignore").decode("utf-8")


def count(value: object) -> int | None:
    """A number of parts, 1 to 255; else None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        value = int(value)
    return value if type(value) is int and 0 < value <= 255 else None


def number(value: object) -> int | None:
    """A code that is a number, 0 to 999999; else None."""
    return value if type(value) is int and 0 <= value < 10**6 else None


def flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def moment(value: object) -> datetime | None:
    """A time in ISO 8601 or RFC 2822; without an offset it is UTC."""
    if not isinstance(value, str) or not 10 <= len(value) <= 60:
        return None
    try:
        found = datetime.fromisoformat(value) if value[:4].isdigit() else parsedate_to_datetime(value)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return found.astimezone(UTC) if 2000 <= found.year < 2200 else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def seconds(value: str) -> float | None:
    """A Retry-After: seconds or an HTTP date, at most one day; None where it is neither."""
    try:
        wait = float(value) if value[:1].isdigit() else _until(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return min(max(wait, 0.0), _DAY) if math.isfinite(wait) else None


def _until(value: str) -> float:
    return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()


def phone(value: object) -> str:
    """A number as providers write it, with + where it is a full one; short codes and names as they are."""
    given = text(value, limit=32).strip()
    bare = given.removeprefix("+")
    return f"+{bare}" if bare.isascii() and bare.isdigit() and len(bare) > 8 else given


def kept(said: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, object]:
    """The named fields as evidence to store: short texts, numbers and flags only."""
    found: dict[str, object] = {}
    for name in names:
        value = said.get(name)
        if isinstance(value, str):
            found[name] = text(value, limit=200)
        elif isinstance(value, bool | int | float) and abs(value) < 10**15:  # not NaN, not infinite
            found[name] = value
    return found


def digest(*parts: str) -> str:
    """A key for an event that has none of its own."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "ignore")).hexdigest()
