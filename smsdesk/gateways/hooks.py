"""A webhook as it came in, before it is proven to come from the provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl
from uuid import UUID

HOOKS_PATH = "/hooks/"
FORM = "application/x-www-form-urlencoded"


class HookRefused(Exception):
    """A webhook that is not proven to come from the provider, or makes no sense. `status` is the answer."""

    def __init__(self, reason: str, *, status: int = 403) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class HookRequest:
    """`url`: path and query exactly as received; scheme and host in it are never trusted.

    `headers`: lower-case names. Made by `read`, so that what is verified and what is parsed are the same bytes.
    """

    method: str
    url: str
    path_args: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, Sequence[str]]
    form: Mapping[str, Sequence[str]]

    @classmethod
    def read(
        cls, method: str, *, url: str, path_args: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> "HookRequest":
        """Parse the query and, where the type says so, the form, from the raw bytes; raises `HookRefused` (400)."""
        named = {name.lower(): value for name, value in headers.items()}
        return cls(
            method=method,
            url=url,
            path_args=path_args,
            headers=named,
            body=body,
            query=_fields(url.partition("?")[2]),
            form=_fields(body.decode("utf-8", "replace")) if _is_form(named) else {},
        )

    @property
    def is_form(self) -> bool:
        return _is_form(self.headers)

    @property
    def kind(self) -> str:
        """What the address is for: `status` or `inbound`."""
        return self.url.partition("?")[0].rstrip("/").rpartition("/")[2]

    def value(self, name: str) -> str:
        """The form's field; the last one where it is repeated."""
        values = self.form.get(name)
        return values[-1] if values else ""

    def reference(self) -> UUID | None:
        """Our own reference from the callback's query, or None."""
        try:
            return UUID(hex=self.query["m"][-1])
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class HookAnswer:
    status: int = 200
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"


def public_url(request: HookRequest, *, hook_url: str) -> str:
    """The address the provider called: our configured origin, and path and query as received.

    The path comes from the request because its secret may be the former one while it is being rotated.
    """
    origin, found, _ = hook_url.partition(HOOKS_PATH)
    _, asked, rest = request.url.partition(HOOKS_PATH)
    if not found or not asked:
        raise HookRefused("not a webhook's address", status=404)
    return f"{origin}{HOOKS_PATH}{rest}"


def _is_form(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


def _fields(text: str) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=200)
    except ValueError as problem:
        raise HookRefused("too many fields", status=400) from problem
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields
