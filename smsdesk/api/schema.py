"""The OpenAPI description: what drf-spectacular cannot see by itself (keys, repeats, problems)."""

import inspect
from pathlib import Path
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from smsdesk.api.problems import CONTENT_TYPE

INTRODUCTION = Path(__file__).with_name("introduction.txt").read_text(encoding="utf-8")
PROBLEM = {
    "type": "object",
    "example": {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "code": "invalid",
        "detail": "The request has errors; see `errors`.",
        "errors": [{"pointer": "/purpose", "code": "required", "detail": "This field is required."}],
        "request_id": "3f0c2c1d9a6b4e7f8c5d1e2f3a4b5c6d",
    },
    "required": ["type", "title", "status", "code", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable: decide by this."},
        "detail": {"type": "string", "description": "A sentence for people."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body, or ?parameter."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "request_id": {
            "type": "string",
            "description": "Also in the X-Request-Id header; name it when you ask us.",
        },
    },
}
ALWAYS = {
    "400": "Not understood",
    "401": "No valid key",
    "403": "A scope is missing",
    "429": "Too many requests",
    "503": "Busy; repeat it",
}
ELSEWHERE = {"404": "Not there, or not for this key", "412": "Changed since you read it"}
ON_WRITES = {
    "409": "Wrong state, or a repeat of a request that still runs",
    "413": "The body is too large",
    "415": "Not application/json",
    "422": "The Idempotency-Key was used for another request, or a rule refuses this one",
}


_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="After a time-out send the same key again: it happens once, with the same answer.",
)


class Schema(AutoSchema):
    """Adds the `Idempotency-Key` header where a view takes it, and the form of ids."""

    def get_override_parameters(self) -> list[Any]:
        found = []
        prefix = getattr(self.view, "id_prefix", "")
        if prefix and "{id}" in self.path:
            form = {"type": "string", "pattern": f"^{prefix}_[0-9a-f]{{32}}$"}
            found.append(OpenApiParameter("id", form, OpenApiParameter.PATH))
        if getattr(self._handler(), "is_idempotent", False):
            found.append(_IDEMPOTENCY_KEY)
        return found

    def get_description(self) -> str:  # type: ignore[override]
        """Only what the method itself says; a view's own docstring speaks to us, not to integrators."""
        return inspect.getdoc(self._handler()) or ""

    def _handler(self) -> Any:
        return getattr(self.view, getattr(self.view, "action", None) or "", None)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "smsdesk.api.keys.ApiKeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "sk_live_… or sk_test_…"}


def only_this_version(endpoints: list[Any]) -> list[Any]:
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/")]


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """The introduction, and the problems every operation may answer with: said here instead of at every view."""
    result["info"]["description"] = INTRODUCTION
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    result["components"]["responses"] = {
        _name(status): {"description": description, "content": content}
        for status, description in sorted((ALWAYS | ON_WRITES | ELSEWHERE).items())
    }
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            extra = [*ALWAYS]
            if "{" in path:
                extra.append("404")
            if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ())):
                extra.append("412")
            if method in ("post", "put", "patch"):
                extra.extend(ON_WRITES)
            for status in extra:
                operation["responses"].setdefault(status, {"$ref": f"#/components/responses/{_name(status)}"})
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return result


def _name(status: str) -> str:
    return f"Problem{status}"
