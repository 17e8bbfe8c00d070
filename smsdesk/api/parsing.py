"""Bodies. JSON, strictly: UTF-8, at most 64 KiB and 20 levels, finite numbers, no name twice, storable texts."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any, ClassVar

from rest_framework.parsers import BaseParser, MultiPartParser

from smsdesk.api.problems import Problem, pointer_to

MAX_BYTES = 65_536
MAX_DEPTH = 20


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise Problem(
                413, "too_large", f"The body is larger than {MAX_BYTES} bytes. Send it in smaller pieces."
            )
        value = _load(raw)
        for steps, text in _walk(value):
            _check_text(text, steps)
        return value


class FileParser(MultiPartParser):
    """Forms that carry a file of at most `most` bytes; larger ones are refused unread."""

    most: ClassVar[int]

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        told = ((parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0").strip()
        if told.isascii() and told.isdigit() and int(told[:18]) > self.most + MAX_BYTES:
            raise Problem(413, "too_large", f"The file is larger than {self.most // 1_048_576} MiB. Split it.")
        return super().parse(stream, media_type, parser_context)


def _load(raw: bytes) -> Any:
    try:
        return json.loads(
            raw.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise Problem(400, "invalid_json", f"The body is not UTF-8 (byte {error.start}).", pointer="") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # also an integer of more than 4,300 digits
        raise Problem(400, "invalid_json", f"The body is not JSON: {error}.", pointer="") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Problem(400, "duplicate_field", "This name stands twice in one object.", pointer=pointer_to(name))
        found[name] = value
    return found


def _refuse_constant(word: str) -> float:
    raise Problem(400, "invalid_json", f"{word} is not a JSON number.", pointer="")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Problem(400, "invalid_json", "A number is too large.", pointer="")
    return number


def _walk(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text of the value with the way to it, names included; not recursive, so that depth harms nobody."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        steps, current = waiting.pop()
        if len(steps) > MAX_DEPTH:
            raise _too_deep()
        if isinstance(current, str):
            yield steps, current
        elif isinstance(current, dict):
            for name, inner in current.items():
                yield (*steps, name), name
                waiting.append(((*steps, name), inner))
        elif isinstance(current, list):
            waiting.extend(((*steps, position), inner) for position, inner in enumerate(current))


def _check_text(text: str, steps: tuple[str | int, ...]) -> None:
    if "\x00" in text:
        raise Problem(
            400, "nul_character", "A NUL character cannot be stored. Remove it.", pointer=pointer_to(*steps)
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Problem(
            400,
            "lone_surrogate",
            "Half of a surrogate pair is not a character. Send whole characters.",
            pointer=pointer_to(*steps),
        ) from None


def _too_deep() -> Problem:
    return Problem(400, "too_deep", f"The body is nested deeper than {MAX_DEPTH} levels.", pointer="")
